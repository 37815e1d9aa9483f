package bosh_test

import "testing"

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

func TestWindow(t *testing.T) {
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
		{"two responses lost, the newer one first", begun + `
			> 1
			send x
			< 1: x
			> 2
			send y
			< 2: y
			gone 2
			gone 1
			> 3
			< 3: x y`},
		{"two responses lost, the older one first", begun + `
			> 1
			send x
			< 1: x
			> 2
			send y
			< 2: y
			gone 1
			gone 2
			> 3
			< 3: x y`},
		{"what was lost before an empty response is sent again", begun + `
			> 1
			send x
			< 1: x
			> 2
			after 6s
			> 3: a
			< 2 ack=3
			gone 1
			< 3: x
			> 2'
			< 2' ack=3`},
		{"what was lost before a response that came is not sent out of order", begun + `
			> 1
			send x
			< 1: x
			> 2
			send y
			< 2: y
			gone 1
			> 3
			> 1'
			< 1': x
			send z
			< 3: z`},
		{"what was acknowledged is not taken back", `
			create acks
			open
			send f
			< 0 ` + granted + ` opening ack=0: f
			> 1
			send x
			< 1: x
			> 2
			gone 1
			send y
			< 2: y`},
		{"a lost response that is fetched again can be lost again", begun + `
			> 1
			send x
			< 1: x
			gone 1
			> 1'
			< 1': x
			gone 1'
			> 2
			< 2: x`},
		{"a lost request that is repeated is lost no more", begun + `
			> 1
			gone 1
			> 1'
			send x
			< 1': x
			> 1''
			< 1'': x
			gone 1''
			> 2
			send y
			< 2: y`},
		{"a lost response that is fetched later brings what waits", begun + `
			> 1
			after 60s
			< 1
			gone 1
			send x
			> 1'
			< 1': x
			> 2
			send y
			< 2: y`},
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
