package main

import (
	"math"
	"net"
	"sync/atomic"
)

// acceptLoop is what can be seen of a goroutine that accepts: whether it comes back for
// the next client.
type acceptLoop struct {
	running atomic.Bool
	count   atomic.Uint64 // odd while it waits for a client
	ended   chan struct{}
	seen    uint64 // by the last stuck
}

func (a *acceptLoop) begin() {
	a.ended = make(chan struct{})
	a.seen = math.MaxUint64
	a.running.Store(true)
}

func (a *acceptLoop) end() {
	a.running.Store(false)
	close(a.ended)
}

// stuck says whether the goroutine has something else to do than to wait, and has
// had it since the last call. It is for one caller.
func (a *acceptLoop) stuck() bool {
	if !a.running.Load() {
		return false
	}
	count := a.count.Load()
	stuck := count%2 == 0 && count == a.seen
	a.seen = count
	return stuck
}

// Accept implements [net.Listener].
func (l *listener) Accept() (net.Conn, error) {
	l.loop.count.Add(1)
	defer l.loop.count.Add(1)
	return l.Listener.Accept()
}
