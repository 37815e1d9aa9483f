package bosh_test

import "testing"

func TestEndsRestartsAndBounds(t *testing.T) {
	for _, c := range []struct{ name, script string }{
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
		{"terminate beyond 'requests'", "room 3 2" + begun + `
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
		{"our end is told to a request behind a gap", begun + `
			send x
			> 2: b
			end system-shutdown error
			< 2 terminate system-shutdown: x error
			over ended`},
		{"our end is told to a request that comes behind a gap", begun + `
			end system-shutdown
			> 2: b
			< 2 terminate system-shutdown
			over ended`},
		{"our end comes behind all that was sent", "room 9 3" + begun + `
			send 1
			send 2
			send 3
			send 4
			end - error
			> 1
			< 1: 1 2 3
			over -
			> 2
			< 2 terminate: 4 error`},
		{"our end behind a gap brings all that was sent", "room 9 3" + begun + `
			send 1
			send 2
			send 3
			send 4
			> 2: b
			end - error
			< 2 terminate: 1 2 3 4 error`},
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
		{"short units count for more than their bytes", begun + `
			send 1
			send 2
			full 3
			> 1: a
			< 1: 1 2`},
		{"a response is bounded, the rest comes with the next", "room 12 3" + begun + `
			send 1
			send 2
			send 3
			send 4
			send 12345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890
			send 5
			> 1
			< 1: 1 2 3
			> 2
			< 2: 4
			> 3
			< 3: 12345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890
			send 6
			> 4
			< 4: 5 6
			> 5
			send 7
			< 5: 7`},
		{"one unit may exceed the buffer", begun + `
			send 123456789012345678901234567890
			full 1
			> 1
			< 1: 123456789012345678901234567890
			send 1`},
		{"the buffer from the client is full", "room 3 2" + begun + `
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
		{"a full buffer holds a request back beyond wait", "room 3 2" + begun + `
			> 1: 12345 12345
			> 2: 123
			after 60s
			< 1 ack=2
			after 200s
			over -
			read 12345
			< 2`},
		{"one request may exceed the buffer", "room 3 2" + begun + `
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
