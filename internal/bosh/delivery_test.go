package bosh

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// copyOf is one of the connections over which a request was sent.
type copyOf struct {
	rid   uint64
	reply *Reply // nil: still to come
}

// patient is a client that repeats each request until it has a response, or goes
// on with the next where nothing is lost by that. It never has more of them under
// way than it may.
type patient struct {
	t       *testing.T
	s       *Session
	now     time.Time
	next    uint64 // rid
	handles Handle
	current map[uint64]Handle // the connection of each rid that has no response yet
	copies  map[Handle]*copyOf
	broken  []Handle // connections that are lost and not reported yet
	repeats map[uint64]int
	got     map[uint64][]string
	sent    []string
}

// FuzzDelivery: a client that does not give up gets all that was sent, each unit
// once and in order, whatever connections break, whenever that is noticed and in
// which order.
func FuzzDelivery(f *testing.F) {
	f.Add([]byte{2, 0, 6, 2, 0, 0, 6, 0, 3, 0, 3, 0, 5, 0, 1, 0})
	random := rand.New(rand.NewPCG(5, 6))
	for range 300 {
		ops := make([]byte, 80)
		for i := range ops {
			ops[i] = byte(random.Uint32())
		}
		f.Add(ops)
	}
	f.Fuzz(func(t *testing.T, ops []byte) {
		if len(ops) > 400 {
			return
		}
		p := &patient{t: t, now: time.Unix(1700000000, 0), next: 1000, current: map[uint64]Handle{},
			copies: map[Handle]*copyOf{}, repeats: map[uint64]int{}, got: map[uint64][]string{}}
		p.s = New(fuzzConfig, "SID", p.connect(p.next), Request{RID: p.next, Hold: -1, Wait: -1, Units: payload(1)}, p.now)
		p.s.Authenticated()
		p.next++
		for _, op := range ops {
			p.do(op%9, int(op/9))
			p.look()
		}
		p.finish()
	})
}

func (p *patient) connect(rid uint64) Handle {
	p.handles++
	p.current[rid] = p.handles
	p.copies[p.handles] = &copyOf{rid: rid}
	return p.handles
}

func (p *patient) do(op byte, n int) {
	open := p.open()
	switch op {
	case 0, 1: // the next request
		if len(open) == 0 || p.next-open[0] < uint64(p.s.terms.Requests) {
			p.next++
			p.request(p.next - 1)
		}
	case 2, 3:
		unit := fmt.Sprintf("%d;%*s", len(p.sent), n, "")
		if ok, err := p.s.Send([]byte(unit), p.now); err != nil {
			p.t.Fatal(err)
		} else if ok {
			p.sent = append(p.sent, unit)
		}
	case 4: // responses arrive
		for _, rid := range open {
			p.take(rid)
		}
	case 5: // one does
		if len(open) > 0 {
			p.take(open[n%len(open)])
		}
	case 6: // a request is repeated
		if len(open) > 0 {
			p.repeat(open[n%len(open)])
		}
	case 7: // it is noticed that a connection was lost
		if len(p.broken) > 0 {
			i := n % len(p.broken)
			p.s.Gone(p.broken[i], p.now)
			p.broken = slices.Delete(p.broken, i, i+1)
		}
	case 8:
		p.reattach(open, n)
	}
}

// reattach breaks all connections, and goes on with the next request when that
// is noticed. It does nothing if the client has more than what it would give up.
func (p *patient) reattach(open []uint64, n int) {
	for rid := range p.next {
		if len(open) == 0 || rid > open[0] && len(p.got[rid]) > 0 || slices.Contains(open, rid) && p.repeats[rid] > 0 {
			return
		}
	}
	for i := range open {
		rid := open[(i+n)%len(open)]
		h := p.current[rid]
		delete(p.copies, h)
		delete(p.current, rid)
		p.s.Gone(h, p.now)
		p.look()
	}
	p.do(0, 0)
}

// open is the rids without a response.
func (p *patient) open() []uint64 {
	var rids []uint64
	for rid := range p.current {
		rids = append(rids, rid)
	}
	slices.Sort(rids)
	return rids
}

func (p *patient) request(rid uint64) {
	p.s.Receive(p.connect(rid), Request{RID: rid, Hold: -1, Wait: -1, Units: payload(1)}, p.now)
}

// repeat breaks the connection of a request and sends it again.
func (p *patient) repeat(rid uint64) {
	if p.repeats[rid]++; p.repeats[rid] > maxRepeats {
		return
	}
	old := p.current[rid]
	delete(p.copies, old)
	p.broken = append(p.broken, old)
	p.request(rid)
}

func (p *patient) take(rid uint64) {
	h := p.current[rid]
	r := p.copies[h].reply
	if r == nil {
		return
	}
	delete(p.current, rid)
	delete(p.copies, h)
	for _, u := range r.Payload {
		p.got[rid] = append(p.got[rid], string(u))
	}
}

// look takes replies, and reads.
func (p *patient) look() {
	for {
		u, err := p.s.Read(p.now)
		if err != nil {
			p.t.Fatal(err)
		}
		if u == nil {
			break
		}
	}
	for _, r := range p.s.Replies() {
		if c := p.copies[r.Handle]; c != nil {
			if r.Type != "" {
				p.t.Fatalf("request %d got %+v", c.rid, r)
			}
			c.reply = &r
		}
	}
}

// finish goes on until nothing is missing.
func (p *patient) finish() {
	for i := 0; i < 100+2*len(p.sent); i++ {
		for _, op := range []byte{7, 0, 4} {
			p.do(op, 0)
			p.look()
		}
	}
	var got []string
	for rid := uint64(1000); rid < p.next; rid++ {
		got = append(got, p.got[rid]...)
	}
	if !slices.Equal(got, p.sent) {
		p.t.Fatalf("got %q, want %q", got, p.sent)
	}
}
