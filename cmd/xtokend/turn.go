package main

import (
	"math"
	"net"
	"sync/atomic"
)

// turn is what can be seen of a goroutine that accepts: whether it comes back for
// the next client.
type turn struct {
	running atomic.Bool
	count   atomic.Uint64 // odd while it waits for a client
	ended   chan struct{}
	seen    uint64 // by the last stuck
}

func (t *turn) begin() {
	t.ended = make(chan struct{})
	t.seen = math.MaxUint64
	t.running.Store(true)
}

func (t *turn) end() {
	t.running.Store(false)
	close(t.ended)
}

// stuck says whether the goroutine has something else to do than to wait, and has
// had it since the last call. It is for one caller.
func (t *turn) stuck() bool {
	if !t.running.Load() {
		return false
	}
	count := t.count.Load()
	stuck := count%2 == 0 && count == t.seen
	t.seen = count
	return stuck
}

// Accept implements [net.Listener].
func (l *listener) Accept() (net.Conn, error) {
	l.turn.count.Add(1)
	defer l.turn.count.Add(1)
	return l.Listener.Accept()
}
