package bosh_test

import (
	"fmt"
	"testing"
)

func TestAcknowledgements(t *testing.T) {
	for _, c := range []struct{ name, script string }{
		{"report: a response that was missed", `
			create acks
			open
			send f
			< 0 ` + granted + ` opening ack=0: f
			> 1
			send x
			< 1: x
			after 3s
			> 2 ack=0: a
			< 2 report=1 time=3000
			> 1'
			< 1': x`},
		{"report: not for what may still be under way", `
			create acks
			open
			send f
			< 0 ` + granted + ` opening ack=0: f
			> 1
			send x
			< 1: x
			after 1s
			> 2 ack=0: a`},
		{"acks from the client: cache trimming", `
			create acks
			open
			send f
			< 0 ` + granted + ` opening ack=0: f
			> 1
			send x
			< 1: x
			> 2 ack=0
			send y
			< 2: y
			> 3 ack=0
			send z
			< 3: z
			> 1'
			< 1': x
			> 4 ack=1
			> 2'
			< 2': y
			> 1''
			< 4 terminate other-request
			< 1'' terminate item-not-found`},
		{"acks that do not come: as many as fit in the buffer", `
			create acks
			open
			send f
			< 0 ` + granted + ` opening ack=0: f
			` + unacknowledged("0123456789", 1, 3) + `
			> 1'
			< 1' terminate item-not-found`},
		{"acks that do not come: so many and no more", `
			room 18 3
			create acks
			open
			send f
			< 0 ` + granted + ` opening ack=0: f
			` + unacknowledged("x", 1, 16) + `
			> 1'
			< 1': x
			` + unacknowledged("x", 17, 17) + `
			> 1''
			< 1'' terminate item-not-found`},
		{"no report of what was just fetched again", `
			create acks
			open
			send f
			< 0 ` + granted + ` opening ack=0: f
			> 1
			send x
			< 1: x
			after 5s
			> 1'
			< 1': x
			after 1s
			> 2 ack=0
			after 59s
			after 1s
			< 2`},
		{"no ack from a client that acknowledges: all was received", `
			create acks
			open
			send f
			< 0 ` + granted + ` opening ack=0: f
			> 1
			send x
			< 1: x
			> 2
			> 1'
			< 2 terminate other-request
			< 1' terminate item-not-found`},
		{"acks to the client: the highest rid without a gap", begun + `
			> 1: a
			> 3 pause=5
			send x
			< 1: x
			> 2
			< 2 ack=3
			< 3`},
	} {
		t.Run(c.name, func(t *testing.T) { play(t, c.script) })
	}
}

// unacknowledged are requests from rid a to b of a client that has received
// nothing but the creation response.
func unacknowledged(unit string, a, b int) string {
	s := ""
	for rid := a; rid <= b; rid++ {
		s += fmt.Sprintf("send %s\n> %d ack=0: a\n< %d: %s\nread a\n", unit, rid, rid, unit)
	}
	return s
}
