package bosh

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

var fuzzConfig = Config{Wait: 60 * time.Second, Inactivity: 75 * time.Second, PollingInactivity: 90 * time.Second,
	Polling: 5 * time.Second, MaxPause: 120 * time.Second,
	OutBytes: 4*UnitOverhead + 100, InBytes: 3*UnitOverhead + 60, ResponseBytes: 2*UnitOverhead + 50}

// world is a session, its client, the network between them and the session's
// owner, and what each of them knows.
type world struct {
	t   *testing.T
	s   *Session
	now time.Time

	rid     uint64            // of the client's next request
	handles Handle            // the newest
	open    map[Handle]uint64 // connections that wait for a reply, and their rids
	sent    []Reply           // under way to the client
	rids    map[Handle]uint64 // of all requests
	got     map[uint64][]int  // what the client has, by rid
	lost    bool              // a connection was, at least once
	units   int               // given for the client
	read    []byte            // by the owner
}

// payload is what the request with that rid carries, each time it is sent.
func payload(rid uint64) [][]byte {
	if rid%8 == 0 {
		return nil
	}
	var units [][]byte
	for i := range 1 + rid%3 {
		units = append(units, fmt.Appendf(nil, "%d.%d;", rid, i))
	}
	return units
}

// FuzzSession: whatever client, network, owner and clock do in whatever order,
// no element is lost, doubled or out of order in either direction unless the
// client gives it up, each connection gets one reply, and buffers are bounded.
func FuzzSession(f *testing.F) {
	f.Add([]byte{0, 0, 0, 1, 1, 3, 0, 2, 2, 9, 0, 4, 4, 9, 0, 5, 0, 6})
	f.Add([]byte{7, 0, 0, 0, 10, 0, 8, 0, 3, 9, 0, 11, 12, 0, 200, 13})
	f.Add([]byte{3, 0, 9, 0, 0, 5, 0, 10, 0, 3, 0, 5, 0, 9, 14, 0, 15, 0})
	random := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		ops := make([]byte, 80)
		for i := range ops {
			ops[i] = byte(random.Uint32())
		}
		f.Add(ops)
	}
	f.Fuzz(func(t *testing.T, ops []byte) {
		if len(ops) < 2 || len(ops) > 400 { // long ones only cost time
			return
		}
		w := &world{t: t, now: time.Unix(1700000000, 0), rid: 1000 + uint64(ops[1]),
			open: map[Handle]uint64{}, rids: map[Handle]uint64{}, got: map[uint64][]int{}}
		first := Request{RID: w.rid, Hold: int(ops[0] & 1), Wait: -1, Secure: true, Ver: &version, Units: payload(w.rid)}
		if ops[0]&2 != 0 {
			first.Ack = 1
		}
		w.s = New(fuzzConfig, "SID", w.handle(w.rid), first, w.now)
		w.s.Authenticated()
		w.rid++
		w.look()
		for _, op := range ops[2:] {
			w.do(op%16, int(op/16))
			w.look()
		}
		w.end()
	})
}

func (w *world) handle(rid uint64) Handle {
	w.handles++
	w.open[w.handles], w.rids[w.handles] = rid, rid
	return w.handles
}

func (w *world) request(rid uint64, change func(*Request)) {
	r := Request{RID: rid, Hold: -1, Wait: -1, Secure: true, Units: payload(rid)}
	change(&r)
	w.s.Receive(w.handle(rid), r, w.now)
}

func (w *world) do(op byte, n int) {
	plain := func(*Request) {}
	// Mostly the client keeps the rules.
	if op < 7 && n > 1 && len(w.open) >= w.s.terms.Requests {
		op = 9
	}
	switch op {
	case 0, 1: // the next request
		w.rid++
		w.request(w.rid-1, plain)
	case 2: // the next two in the wrong order
		w.rid += 2
		w.request(w.rid-1, plain)
		w.look()
		w.request(w.rid-2, plain)
	case 3: // one of the last again
		w.request(w.rid-1-uint64(n/8), plain)
	case 4: // one is left out
		if n == 0 {
			w.rid++
		}
	case 5: // one that acknowledges
		w.rid++
		w.request(w.rid-1, func(r *Request) { r.Ack = w.rid - 2 - uint64(n%4) })
	case 6:
		w.rid++
		w.request(w.rid-1, func(r *Request) { r.Pause = time.Duration(n+1) * 9 * time.Second })
	case 7, 8: // something for the client
		before, alive := w.s.out.bytes, w.s.err == nil && w.s.ending == nil
		unit := fmt.Appendf(nil, "%d", w.units)
		unit = append(unit, bytes.Repeat([]byte{' '}, n*3)...)
		ok, err := w.s.Send(unit, w.now)
		if ok && err == nil && alive {
			w.units++
		}
		if ok && alive && before > 0 && w.s.out.bytes+w.s.cache.bytes > fuzzConfig.OutBytes {
			w.t.Fatalf("%d bytes wait and %d are kept", w.s.out.bytes, w.s.cache.bytes)
		}
	case 9, 10:
		w.readOne()
	case 11: // a connection that waits is lost
		if open := slices.Sorted(maps.Keys(w.open)); len(open) > 0 {
			h := open[n%len(open)]
			delete(w.open, h)
			w.lost = true
			w.s.Gone(h, w.now)
		}
	case 12: // a reply is lost under way
		if len(w.sent) > 0 {
			h := w.sent[0].Handle
			w.sent = w.sent[1:]
			w.lost = true
			w.s.Gone(h, w.now)
		}
	case 13:
		w.deliver()
	case 14:
		w.pass(time.Duration(n*n) * time.Second)
	case 15:
		switch n {
		case 0:
			w.rid++
			w.request(w.rid-1, func(r *Request) { r.Terminate = true })
		case 1:
			w.s.End(RemoteStreamError, nil, w.now)
		case 2:
			w.request(w.rid+7, plain)
		case 3:
			w.s.Invalid(w.handle(0), BadRequest)
		}
	}
}

// readOne is the owner reading: payload in the order of rids, each once.
func (w *world) readOne() bool {
	u, err := w.s.Read(w.now)
	if err != nil {
		if w.s.err == nil && (err != io.EOF || w.s.ending == nil) {
			w.t.Fatalf("reading failed in a session that lives: %v", err)
		}
		return false
	}
	w.read = append(w.read, u...)
	return u != nil
}

func (w *world) pass(d time.Duration) {
	until := w.now.Add(d)
	for {
		deadline := w.s.Deadline()
		if deadline.IsZero() || deadline.After(until) {
			break
		}
		w.now = deadline
		w.s.Expire(w.now)
		w.look()
		if w.s.Deadline().Equal(deadline) {
			w.t.Fatal("nothing was done at the deadline")
		}
	}
	w.now = until
}

// look takes replies and checks what must always hold.
func (w *world) look() {
	w.t.Helper()
	for _, r := range w.s.Replies() {
		if _, ok := w.open[r.Handle]; !ok {
			w.t.Fatalf("a reply to %d, whose connection does not wait for one", r.Handle)
		}
		delete(w.open, r.Handle)
		w.sent = append(w.sent, r)
	}
	s := w.s
	if s.err != nil && len(w.open) > 0 {
		w.t.Fatalf("the session is over and %d connections wait", len(w.open))
	}
	if len(s.waiting) > s.terms.Requests+1 || len(s.held) > s.terms.Requests+1 {
		w.t.Fatalf("%d requests wait, %d are held", len(s.waiting), len(s.held))
	}
	if len(s.cache.answered) > maxKept {
		w.t.Fatalf("%d responses are kept", len(s.cache.answered))
	}
	if got := size(s.in.units); got != s.in.bytes || got > fuzzConfig.InBytes {
		w.t.Fatalf("%d bytes wait to be read, %d are counted", got, s.in.bytes)
	}
	if got := size(s.out.units); got != s.out.bytes {
		w.t.Fatalf("%d bytes wait to be sent, %d are counted", got, s.out.bytes)
	}
	kept := 0
	for _, x := range s.cache.answered {
		kept += payloadBytes(x)
	}
	if kept != s.cache.bytes {
		w.t.Fatalf("%d bytes are kept, %d are counted", kept, s.cache.bytes)
	}
	for i, x := range s.held {
		if x.RID != s.answered+1+uint64(i) {
			w.t.Fatalf("request %d is held at place %d behind %d", x.RID, i, s.answered)
		}
	}
}

// deliver is the client receiving.
func (w *world) deliver() {
	for _, r := range w.sent {
		if r.Type == "error" || r.Type == "terminate" && r.Condition == OtherRequest {
			continue
		}
		var units []int
		for _, u := range r.Payload {
			n := 0
			fmt.Sscan(string(u), &n)
			units = append(units, n)
		}
		rid := w.rids[r.Handle]
		if before, ok := w.got[rid]; ok && r.Type == "" && !slices.Equal(before, units) {
			w.t.Fatalf("the response to %d was %v and is %v", rid, before, units)
		}
		if _, ok := w.got[rid]; !ok || r.Type == "" {
			w.got[rid] = units
		}
	}
	w.sent = nil
	// In rid order they are what was sent, in order, each once.
	var all []int
	for _, rid := range slices.Sorted(maps.Keys(w.got)) {
		all = append(all, w.got[rid]...)
	}
	for i, n := range all {
		if i > 0 && n <= all[i-1] {
			w.t.Fatalf("the client has %v", all)
		}
	}
}

// end lets time pass until the session is over.
func (w *world) end() {
	for w.readOne() {
		w.look()
	}
	w.look()
	for i := 0; w.s.err == nil; i++ {
		if i > 100 {
			w.t.Fatal("the session does not end")
		}
		deadline := w.s.Deadline()
		if deadline.IsZero() {
			w.t.Fatal("the session waits for nothing")
		}
		w.now = deadline
		w.s.Expire(w.now)
		w.look()
		for w.readOne() {
			w.look()
		}
	}
	for w.readOne() {
	}
	w.deliver()
	var want []byte
	for rid := w.rids[1]; len(want) < len(w.read); rid++ {
		for _, u := range payload(rid) {
			want = append(want, u...)
		}
		if rid > w.rid+10 {
			break
		}
	}
	if !bytes.HasPrefix(want, w.read) {
		w.t.Fatalf("the owner has read %q, want %q", w.read, want)
	}
	if !w.lost {
		n := 0
		for _, units := range w.got {
			n += len(units)
		}
		if (w.s.err == ErrTerminated || w.s.err == ErrEnded) && n != w.units {
			w.t.Fatalf("the client has %d of %d units and lost none", n, w.units)
		}
	}
}
