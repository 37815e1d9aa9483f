package bosh_test

import (
	"fmt"
	"testing"
)

func TestInactivityAndOveractivity(t *testing.T) {
	for _, c := range []struct{ name, script string }{
		{"inactivity", begun + `
			after 74s
			over -
			after 1s
			over inactive
			read EOF
			> 1
			< 1 terminate item-not-found
			broken x`},
		{"inactivity after a held request", begun + `
			> 1
			after 60s
			< 1
			after 75s
			over inactive`},
		{"what was received before inactivity can be read", begun + `
			> 1: a b
			send x
			< 1: x
			after 75s
			over inactive
			read a
			read b
			read EOF`},
		{"inactivity of a polling session is longer", `
			create hold=0: header
			< 0 wait=60 hold=0 requests=1 polling=5 inactivity=90 maxpause=120 ver=1.6 ack=0
			after 89s
			over -
			after 1s
			over inactive
			read header
			read EOF`},

		{"pause", begun + `
			> 1
			> 2 pause=100
			< 1 ack=2
			< 2
			after 99s
			over -
			> 3
			send x
			< 3: x
			after 75s
			over inactive`},
		{"a pause is not for ever", begun + `
			> 1 pause=100
			< 1
			after 100s
			over inactive`},
		{"a pause may be short", begun + `
			> 1 pause=10
			< 1
			after 10s
			over inactive`},
		{"a pause gets no payload", begun + `
			> 1
			gone 1
			send x
			> 2 pause=100
			< 2
			> 3
			< 3: x`},
		{"a lost pause gets no payload", begun + `
			> 1 pause=100
			< 1
			gone 1
			send x
			> 1' pause=100
			< 1'
			> 2
			< 2: x`},
		{"a pause beyond 'requests'", "room 3 2" + begun + `
			> 1: aaaaaaaaaa
			> 2: b
			> 3 pause=5
			read aaaaaaaaaa
			< 1 ack=3
			< 2 ack=3
			< 3
			read b`},
		{"a pause ends with the next request, be its turn still to come", begun + `
			> 1 pause=100
			< 1
			> 3: c
			gone 3
			after 74s
			over -
			after 1s
			over inactive`},
		{"a pause takes no place in the buffer", begun + `
			> 1: a
			send x
			< 1: x
			> 2 pause=5
			< 2
			> 3: b
			send y
			< 3: y
			> 1': a
			< 1': x
			> 2' pause=5
			< 2'`},
		{"nothing but pauses: so many are kept and no more", begun + pauses(1, 16) + `
			> 1' pause=5
			< 1'` + pauses(17, 17) + `
			> 1'' pause=5
			< 1'' terminate item-not-found`},
		{"a pause that overtakes others", begun + `
			> 3 pause=5
			> 2: b
			> 1: a
			< 1 ack=3
			< 2 ack=3
			< 3`},
		{"a repeated pause pauses", begun + `
			> 1 pause=100
			< 1
			> 1' pause=100
			< 1'
			after 99s
			over -`},
		{"pause too long", begun + `
			> 1 pause=121
			< 1 terminate policy-violation
			over policy-violation
			read policy-violation`},
		{"the longest pause", begun + `
			> 1 pause=120
			< 1`},

		{"polling too often: again and again another empty request beside the held one", begun + `
			> 1
			after 4s
			> 2
			< 1 ack=2
			> 3
			< 2 ack=3
			> 4
			< 3 ack=4
			> 5
			< 4 terminate other-request
			< 5 terminate policy-violation
			over policy-violation`},
		{"polling too often, and then not", begun + `
			> 1
			> 2
			< 1 ack=2
			> 3
			< 2 ack=3
			> 4
			< 3 ack=4
			after 5s
			> 5
			< 4 ack=5
			> 6
			< 5 ack=6`},
		{"re-attach after reload: before the old connection is known to be gone", begun + `
			> 1
			> 2
			< 1 ack=2
			send x
			< 2: x`},
		{"polling often enough", begun + `
			> 1
			after 5s
			> 2
			< 1 ack=2`},
		{"payload may come at any time", begun + `
			> 1
			> 2: a
			< 1 ack=2
			> 3: b
			< 2 ack=3`},
		{"an empty request after each response", begun + `
			> 1
			send x
			< 1: x
			> 2
			send y
			< 2: y
			> 3`},
		{"polling too often in a polling session", `
			create hold=0
			< 0 wait=60 hold=0 requests=1 polling=5 inactivity=90 maxpause=120 ver=1.6 ack=0
			> 1
			< 1
			after 4s
			> 2
			< 2 terminate policy-violation`},
		{"polling often enough in a polling session", `
			create hold=0
			< 0 wait=60 hold=0 requests=1 polling=5 inactivity=90 maxpause=120 ver=1.6 ack=0
			> 1
			< 1
			after 5s
			> 2
			< 2`},
		{"polling at once after a response that was lost", `
			create hold=0
			< 0 wait=60 hold=0 requests=1 polling=5 inactivity=90 maxpause=120 ver=1.6 ack=0
			> 1
			< 1
			gone 1
			> 2
			< 2`},
		{"polling at once after a response with payload", `
			create hold=0
			< 0 wait=60 hold=0 requests=1 polling=5 inactivity=90 maxpause=120 ver=1.6 ack=0
			send x
			> 1
			< 1: x
			> 2
			< 2`},
		{"too many requests at once", "room 3 2" + begun + `
			> 1: aaaaaaaaaa
			> 2: b
			> 3: c
			< 1 terminate other-request
			< 2 terminate other-request
			< 3 terminate policy-violation
			read aaaaaaaaaa
			read policy-violation`},
	} {
		t.Run(c.name, func(t *testing.T) { play(t, c.script) })
	}
}

// pauses are the requests from rid a to b, each of them a pause.
func pauses(a, b int) string {
	s := "\n"
	for rid := a; rid <= b; rid++ {
		s += fmt.Sprintf("> %d pause=5\n< %d\n", rid, rid)
	}
	return s
}
