// Package httpservertest starts HTTP servers for tests, also on connections in memory, in
// the time of testing/synctest.
package httpservertest

import (
	"errors"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
)

// Server is one under test.
type Server interface {
	Serve(net.Listener) error
	Close() error
}

// Listener hands out connections in memory. Its methods may be called from any
// goroutine.
type Listener struct {
	dialled  chan net.Conn
	closed   chan struct{}
	close    sync.Once
	accepted atomic.Int64
}

// maxDialled is how many may wait to be accepted.
const maxDialled = 1024

// Start has a server serve a listener in memory until the test ends.
func Start(t *testing.T, s Server) *Listener {
	l := &Listener{dialled: make(chan net.Conn, maxDialled), closed: make(chan struct{})}
	Serve(t, s, l)
	return l
}

// Serve has a server serve a listener until the test ends.
func Serve(t *testing.T, s Server, l net.Listener) {
	served := make(chan error, 1)
	go func() { served <- s.Serve(l) }()
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		if err := <-served; !errors.Is(err, http.ErrServerClosed) {
			t.Errorf("serving ended with %v", err)
		}
	})
}

// Dial returns a client's end at once, whether or not the other is accepted.
func (l *Listener) Dial() net.Conn {
	client, server := net.Pipe()
	l.dialled <- server
	return client
}

// Accepted is the number of connections that were accepted until now.
func (l *Listener) Accepted() int { return int(l.accepted.Load()) }

// Accept implements [net.Listener].
func (l *Listener) Accept() (net.Conn, error) {
	select {
	case c := <-l.dialled:
		l.accepted.Add(1)
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

// Close implements [net.Listener].
func (l *Listener) Close() error {
	l.close.Do(func() { close(l.closed) })
	return nil
}

// Addr implements [net.Listener].
func (l *Listener) Addr() net.Addr { return pipeAddr{} }

type pipeAddr struct{}

func (pipeAddr) Network() string { return "pipe" }
func (pipeAddr) String() string  { return "pipe" }

// ServesAtMost fails the test unless a server has n connections at a time and no more,
// and takes the next one when one of them has ended. newServer is called in a bubble of
// its own.
func ServesAtMost(t *testing.T, n int, newServer func() Server) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		l := Start(t, newServer())
		var clients []net.Conn
		for range n + 1 {
			clients = append(clients, l.Dial())
		}
		synctest.Wait()
		if got := l.Accepted(); got != n {
			t.Errorf("%d connections were accepted, want %d", got, n)
		}
		clients[0].Close()
		synctest.Wait()
		if got := l.Accepted(); got != n+1 {
			t.Errorf("%d connections were accepted when one had ended, want %d", got, n+1)
		}
		for _, c := range clients {
			c.Close()
		}
	})
}
