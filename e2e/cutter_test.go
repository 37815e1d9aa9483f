package e2e

import (
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
)

// cutter is a TCP relay whose connections a test can cut without a goodbye, and
// whose listener it can close and open again.
type cutter struct {
	address string // its own, the same for its whole life
	target  string

	mu       sync.Mutex
	listener net.Listener // nil while closed
	wires    []*wire
	pumps    sync.WaitGroup
}

// wire is one relayed connection.
type wire struct {
	downstream, upstream *net.TCPConn
	// held keeps upstream from learning that downstream has gone.
	held atomic.Bool
}

// newCutter listens on the target's host, which is the one that the server's
// certificate names.
func newCutter(t testing.TB, target string) *cutter {
	t.Helper()
	host, _, err := net.SplitHostPort(target)
	if err != nil {
		t.Fatal(err)
	}
	c := &cutter{address: net.JoinHostPort(host, "0"), target: target}
	c.restore(t)
	t.Cleanup(func() {
		c.cut()
		c.pumps.Wait()
	})
	return c
}

// cut resets every connection and refuses new ones until restore.
func (c *cutter) cut() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.refuse()
	c.resetAll()
}

// interrupt resets every connection; new ones are served at once.
func (c *cutter) interrupt() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.resetAll()
}

// resetAll is called with mu held.
func (c *cutter) resetAll() {
	for _, w := range c.wires {
		reset(w.downstream)
		reset(w.upstream)
	}
	c.wires = nil
}

// cutDownstream is cut for the client alone: the server goes on believing in
// the connections, until the next cut.
func (c *cutter) cutDownstream() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.refuse()
	for _, w := range c.wires {
		w.held.Store(true)
		reset(w.downstream)
	}
}

// refuse is called with mu held.
func (c *cutter) refuse() {
	if c.listener != nil {
		c.listener.Close()
		c.listener = nil
	}
}

func reset(conn *net.TCPConn) {
	conn.SetLinger(0) // Close sends a reset, not a FIN
	conn.Close()
}

func (c *cutter) restore(t testing.TB) {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	listener, err := net.Listen("tcp", c.address)
	if err != nil {
		t.Fatal(err)
	}
	c.address = listener.Addr().String()
	c.listener = listener
	c.pumps.Go(func() { c.accept(listener) })
}

func (c *cutter) accept(listener net.Listener) {
	for {
		downstream, err := listener.Accept()
		if err != nil {
			return
		}
		upstream, err := net.Dial("tcp", c.target)
		if err != nil {
			downstream.Close()
			continue
		}
		c.relay(listener, &wire{downstream: downstream.(*net.TCPConn), upstream: upstream.(*net.TCPConn)})
	}
}

func (c *cutter) relay(listener net.Listener, w *wire) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.listener != listener { // cut since it was accepted
		w.downstream.Close()
		w.upstream.Close()
		return
	}
	c.wires = append(c.wires, w)
	c.pumps.Go(func() {
		io.Copy(w.upstream, w.downstream)
		if !w.held.Load() {
			w.upstream.CloseWrite()
		}
	})
	c.pumps.Go(func() {
		io.Copy(w.downstream, w.upstream)
		w.downstream.CloseWrite()
	})
}
