package bosh_test

import (
	"fmt"
	"testing"
)

// granted is the creation response to a client that asks for nothing.
const granted = "wait=60 hold=1 requests=2 polling=5 inactivity=75 maxpause=120 ver=1.6"

// begun is a session whose creation response is sent.
const begun = `
	create: header
	open
	send features
	< 0 ` + granted + ` opening ack=0: features
	read header
`

func TestSession(t *testing.T) {
	for _, c := range []struct{ name, script string }{
		{"creation waits for the stream", `
			create: header
			read header
			read nothing
			open
			send features
			< 0 ` + granted + ` opening ack=0: features
			over -`},
		{"creation is answered within wait", `
			create wait=30
			after 30s
			< 0 wait=30 hold=1 requests=2 polling=5 inactivity=75 maxpause=120 ver=1.6 ack=0
			open
			send features
			> 1
			< 1 opening: features`},
		{"the lower version counts, part by part", `
			create ver=10 hold=0
			< 0 wait=60 hold=0 requests=1 polling=5 inactivity=90 maxpause=120 ver=1.10 ack=0`},
		{"our version against a newer one", `
			create ver=12 hold=0
			< 0 wait=60 hold=0 requests=1 polling=5 inactivity=90 maxpause=120 ver=1.11 ack=0`},
		{"hold 0 and wait: nothing is held", `
			create hold=0: header
			< 0 wait=60 hold=0 requests=1 polling=5 inactivity=90 maxpause=120 ver=1.6 ack=0
			read header
			open
			send features
			> 1
			< 1 opening: features
			> 2: auth
			< 2
			read auth
			send success
			> 3
			< 3: success`},
		{"wait 0: nothing is held", `
			create wait=0
			< 0 wait=0 hold=1 requests=2 polling=5 inactivity=90 maxpause=120 ver=1.6 ack=0
			> 1: a
			< 1`},
		{"hold too high, wait too long", `
			create hold=200 wait=65535
			open
			send features
			< 0 ` + granted + ` opening ack=0: features`},

		{"a request is held until there is something to send", begun + `
			> 1
			after 59s
			send a
			< 1: a`},
		{"a request is answered within wait", begun + `
			> 1
			after 60s
			< 1
			over -`},
		{"interleaved requests: the older one goes back", begun + `
			> 1
			after 5s
			> 2: a
			< 1 ack=2
			read a
			send b
			< 2: b
			send c
			> 3
			< 3: c`},
		{"overlapping requests: payload goes by rid", begun + `
			> 1: a
			> 2: b
			< 1 ack=2
			read a
			read b
			read nothing
			send c
			< 2: c`},
		{"out of order: held until the gap is closed", begun + `
			> 2: b
			read nothing
			send x
			> 1: a
			< 1 ack=2: x
			read a
			read b
			send y
			< 2: y`},
		{"a gap that is never closed: to be repeated", begun + `
			> 2: b
			after 134s
			after 1s
			< 2 error
			over -
			> 1: a
			> 2': b
			< 1 ack=2
			read a
			read b`},
		{"a gap without a connection: inactivity", begun + `
			> 2: b
			gone 2
			after 75s
			over inactive`},
		{"rid above the window", begun + `
			> 3
			< 3 terminate item-not-found
			over item-not-found
			read item-not-found`},
		{"rid above the window, others open", begun + `
			> 1
			> 4
			< 1 terminate other-request
			< 4 terminate item-not-found`},
		{"rid far above the window", begun + `
			> 9007199254739991
			< 9007199254739991 terminate item-not-found`},
		{"rid below the window", begun + `
			> -1
			< -1 terminate item-not-found
			over item-not-found`},
		{"rid whose response has left the buffer", begun + `
			> 1: a
			send x
			< 1: x
			> 2: b
			send y
			< 2: y
			> 0'
			< 0' terminate item-not-found`},

		{"a repeated rid is answered from the buffer", begun + `
			> 1: a
			read a
			send x
			< 1: x
			> 1': a
			< 1': x
			read nothing
			> 2
			> 1'': a
			< 1'': x
			send y
			< 2: y`},
		{"the creation response can be repeated", begun + `
			> 0'
			< 0' ` + granted + ` opening ack=0: features`},
		{"a repeated rid while held", begun + `
			> 1: a
			> 1': a
			< 1 error
			read a
			read nothing
			send x
			< 1': x`},
		{"a repeated rid while it waits for its turn", begun + `
			> 2: b
			> 2': b
			< 2 error
			> 1: a
			< 1 ack=2
			read a
			read b
			read nothing
			send x
			< 2': x`},
		{"a repeated rid waits anew", begun + `
			> 1
			after 40s
			> 1'
			< 1 error
			after 59s
			after 1s
			< 1'`},
		{"a rid repeated too often", begun + `
			> 1: a
			send x
			< 1: x
			` + repeated(10) + `
			> 1'
			< 1' terminate policy-violation
			over policy-violation`},
		{"a repeated rid over an insecure connection", `
			create insecure: header
			open
			send features
			< 0 ` + granted + ` opening ack=0: features
			> 1 insecure: a
			send x
			< 1: x
			> 1': a
			< 1' terminate item-not-found`},
		{"forced retransmission: cut before the response", begun + `
			> 1: a
			gone 1
			send x
			> 1': a
			< 1': x
			read a
			read nothing`},
		{"forced retransmission: cut while the response is sent", begun + `
			> 1: a
			send x
			< 1: x
			gone 1
			> 1': a
			< 1': x
			read a
			read nothing`},

		{"re-attach after reload: nothing goes into a dead connection", begun + `
			> 1
			gone 1
			send x
			send y
			> 2: a
			< 2: x y
			over -`},
		{"re-attach after reload: an empty request at once", begun + `
			> 1
			gone 1
			after 1s
			> 2
			send x
			< 2: x`},
		{"re-attach after reload: what was lost is sent again", begun + `
			> 1
			send x
			< 1: x
			gone 1
			send y
			> 2
			< 2: x y
			> 1'
			< 1'`},
		{"re-attach after reload: what was lost goes to the request behind", begun + `
			> 1
			after 6s
			send x
			< 1: x
			> 2
			gone 1
			< 2: x`},
		{"re-attach after reload: what the client was told of its stream", `
			create wait=30
			after 30s
			< 0 wait=30 hold=1 requests=2 polling=5 inactivity=75 maxpause=120 ver=1.6 ack=0
			> 1
			open
			send features
			< 1 opening: features
			gone 1
			> 2
			< 2 opening: features`},
		{"what was fetched again is not taken back", begun + `
			> 1
			send x
			< 1: x
			> 1'
			< 1': x
			gone 1
			gone 1'
			> 2
			send y
			< 2: y`},
		{"the wait of a dead connection is not waited for", begun + `
			> 1
			after 10s
			gone 1
			after 74s
			over -
			after 1s
			over inactive`},

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
		{"a pause beyond 'requests'", begun + `
			> 1: aaaaaaaaaa
			> 2: b
			> 3 pause=5
			read aaaaaaaaaa
			< 1 ack=3
			< 2 ack=3
			< 3
			read b`},
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

		{"polling too often: another empty request beside the held one", begun + `
			> 1
			after 4s
			> 2
			< 1 terminate other-request
			< 2 terminate policy-violation
			over policy-violation`},
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
		{"polling at once after a response with payload", `
			create hold=0
			< 0 wait=60 hold=0 requests=1 polling=5 inactivity=90 maxpause=120 ver=1.6 ack=0
			send x
			> 1
			< 1: x
			> 2
			< 2`},
		{"too many requests at once", begun + `
			> 1: aaaaaaaaaa
			> 2: b
			> 3: c
			< 1 terminate other-request
			< 2 terminate other-request
			< 3 terminate policy-violation
			read aaaaaaaaaa
			read policy-violation`},

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

		{"a session begun secure is not continued insecure", begun + `
			> 1
			> 2 insecure
			< 1 terminate other-request
			< 2 terminate item-not-found
			over item-not-found`},
		{"a session begun insecure may be continued secure", `
			create insecure
			open
			send features
			< 0 ` + granted + ` opening ack=0: features
			> 1: a
			read a`},

		{"the client terminates with payload", begun + `
			> 1
			> 2 terminate: unavailable end
			< 1 terminate
			< 2
			over terminated
			read unavailable
			read end
			read EOF
			send late`},
		{"the client terminates while nothing is held", begun + `
			> 1
			gone 1
			send x
			> 2 terminate: end
			< 2 terminate: x
			read end
			read EOF`},
		{"terminate beyond 'requests'", begun + `
			> 1: aaaaaaaaaa
			> 2: b
			> 3 terminate: end
			read aaaaaaaaaa
			< 1 terminate
			< 2
			< 3
			read b
			read end
			read EOF`},
		{"content after terminate", begun + `
			> 2: late
			> 1 terminate: end
			< 1 terminate
			< 2
			over terminated
			read end
			read EOF
			> 3: later
			< 3 terminate item-not-found`},
		{"our side terminates with payload", begun + `
			> 1
			send x
			< 1: x
			send y
			end remote-stream-error error
			> 2: a
			< 2 terminate remote-stream-error: y error
			over ended
			read EOF
			> 3
			< 3 terminate item-not-found`},
		{"our side terminates while a request is held", begun + `
			> 1
			end -
			< 1 terminate
			over ended`},
		{"our side terminates in the creation response", `
			create
			open
			end host-unknown error
			< 0 terminate host-unknown opening: error
			over ended`},
		{"our side reads no more", begun + `
			> 1: a
			end -
			< 1 terminate
			read EOF`},
		{"our end is not fetched", begun + `
			end system-shutdown error
			over -
			after 75s
			over inactive
			read EOF`},
		{"our end is not for a dead connection", begun + `
			> 1
			gone 1
			end -
			> 2
			< 2 terminate`},
		{"both sides terminate", begun + `
			send x
			end - error
			> 1 terminate: end
			< 1 terminate: x error
			over terminated
			read EOF`},

		{"refused login then session attributes", begun + `
			> 1: auth
			send failure
			< 1: failure
			> 2 ver=6 wait=59 hold=1
			< 2 terminate item-not-found
			over item-not-found`},
		{"session attributes after login are ignored", begun + `
			authenticated
			> 1 ver=6 wait=59 hold=1
			after 59s
			over -
			after 1s
			< 1`},
		{"restart with empty body", begun + `
			> 1: auth
			read auth
			authenticated
			send success
			< 1: success
			> 2 restart: header2
			read header2
			send features2
			< 2: features2`},
		{"a second restart", begun + `
			authenticated
			> 1 restart: h2
			> 2 restart: h3
			< 1 terminate other-request
			< 2 terminate bad-request`},

		{"the buffer for the client is full", begun + `
			send 1234567
			full 123456789
			> 1
			< 1: 1234567
			send 123456789
			full 1
			> 2: a
			< 2: 123456789
			> 3: a
			send 12345678901
			< 3: 12345678901`},
		{"one unit may exceed the buffer", begun + `
			send 123456789012345678901234567890
			full 1
			> 1
			< 1: 123456789012345678901234567890
			send 1`},
		{"the buffer from the client is full", begun + `
			> 1: 12345 12345
			> 2: 123
			read 12345
			< 1 ack=2
			> 3: 4567
			read 12345
			< 2 ack=3
			read 123
			read 4567
			send x
			< 3: x`},
		{"a full buffer holds a request back beyond wait", begun + `
			> 1: 12345 12345
			> 2: 123
			after 60s
			< 1 ack=2
			after 200s
			over -
			read 12345
			< 2`},
		{"one request may exceed the buffer", begun + `
			> 1: 123456789012345
			> 2: 1
			read 123456789012345
			< 1 ack=2
			send x
			< 2: x
			read 1`},

		{"an invalid body ends the session", begun + `
			> 1
			invalid bad-request
			< 1 terminate other-request
			< invalid terminate bad-request
			over bad-request
			read bad-request`},
		{"payload with a fault: read behind what is good", begun + `
			> 2: c
			> 1 fault: a
			< 1 ack=2
			read a
			read fault
			read fault
			end remote-stream-error error
			< 2 terminate remote-stream-error: error
			read EOF`},
		{"a fault is no poll", begun + `
			> 1
			> 2 fault
			< 1 ack=2`},
		{"abort", begun + `
			> 1
			send x
			< 1: x
			> 2: a
			abort internal-server-error
			< 2 terminate internal-server-error
			over inactive
			abort internal-server-error
			over inactive
			read a
			read EOF
			> 3
			< 3 terminate item-not-found`},
		{"legacy clients get HTTP errors", `
			create legacy hold=0
			< 0 wait=60 hold=0 requests=1 polling=5 inactivity=90 maxpause=120 ver=1.11 ack=0
			> 1
			< 1
			> 2
			< 2 terminate policy-violation status=403
			> 3
			< 3 terminate item-not-found status=404
			invalid bad-request
			< invalid terminate bad-request status=400`},
	} {
		t.Run(c.name, func(t *testing.T) { play(t, c.script) })
	}
}

func repeated(n int) string {
	s := ""
	for range n {
		s += "> 1': a\n< 1': x\n"
	}
	return s
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
