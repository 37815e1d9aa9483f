package bosh_test

import (
	"testing"
	"time"

	"xtokend/internal/bosh"
)

// BenchmarkExchange is what one message each way costs: a request that carries
// one and brings one.
func BenchmarkExchange(b *testing.B) {
	c := config
	c.OutBytes, c.InBytes = 1<<20, 1<<20
	now := time.Unix(1700000000, 0)
	s := bosh.New(c, "SID", 0, bosh.Request{RID: base, Wait: -1, Hold: -1, Units: [][]byte{[]byte("header")}}, now)
	s.Authenticated()
	stanza := [][]byte{[]byte("<message xmlns='jabber:client' to='bob@example.org'><body>hello</body></message>")}
	out := make([]byte, 0, 1024)
	b.ReportAllocs()
	rid := uint64(base)
	for b.Loop() {
		rid++
		s.Receive(bosh.Handle(rid), bosh.Request{RID: rid, Wait: -1, Hold: -1, Units: stanza}, now)
		if ok, err := s.Send(stanza[0], now); !ok || err != nil {
			b.Fatal(ok, err)
		}
		for _, r := range s.Replies() {
			out = r.AppendBody(out[:0])
		}
		for {
			if u, err := s.Read(now); u == nil || err != nil {
				break
			}
		}
	}
}
