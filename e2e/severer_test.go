package e2e

import (
	"fmt"
	"net"
	"sync"
	"testing"
)

// severance is a cut of one client's connection after a number of bytes.
type severance struct {
	number     int
	client     string
	fromClient bool // the bytes counted are those from the client
	bytes      int  // that may still pass that way
	// serverUnaware lets the server go on believing in the connection.
	serverUnaware bool

	// What it met:
	connection int  // of the client's, counted from 1
	offset     int  // bytes that had passed that way on this connection
	message    int  // of the conversation, the last one sent by then
	online     bool // the client had a session on it
}

func (s *severance) String() string {
	way := "to"
	if s.fromClient {
		way = "from"
	}
	aware := ""
	if s.serverUnaware {
		aware = ", the server unaware"
	}
	online := ""
	if !s.online {
		online = " before its session was back"
	}
	return fmt.Sprintf("cut %d: connection %d of %s%s, behind byte %d %s the client, after message %d was sent%s",
		s.number, s.connection, s.client, online, s.offset, way, s.message, aware)
}

// severer is a TCP relay to one server for one client, with one connection at a
// time, that resets its connections within the byte stream.
type severer struct {
	address  string
	target   string
	listener net.Listener
	made     func(*severance) // called for each, before the next is counted

	mu          sync.Mutex
	pending     []*severance // the first one counts
	connections int
	current     *severable   // nil before the first
	left        []*severable // severed, whose servers are unaware
	pumps       sync.WaitGroup
}

// severable is one relayed connection.
type severable struct {
	number     int
	downstream *net.TCPConn
	upstream   *net.TCPConn
	passed     map[bool]int // bytes, by fromClient
	severed    bool
}

func newSeverer(t testing.TB, target string, made func(*severance)) *severer {
	t.Helper()
	host, _, err := net.SplitHostPort(target)
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", net.JoinHostPort(host, "0"))
	if err != nil {
		t.Fatal(err)
	}
	s := &severer{address: listener.Addr().String(), target: target, listener: listener, made: made}
	s.pumps.Go(s.accept)
	t.Cleanup(s.close)
	return s
}

func (s *severer) close() {
	s.listener.Close()
	s.mu.Lock()
	for _, c := range append(s.left, s.current) {
		if c != nil {
			reset(c.downstream)
			reset(c.upstream)
		}
	}
	s.mu.Unlock()
	s.pumps.Wait()
}

// sever makes a cut when its bytes have passed, after those asked for before.
func (s *severer) sever(cut *severance) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pending = append(s.pending, cut)
}

// severRest makes the cuts that are still to be made, whatever their bytes: one
// now, each other one with the first byte of the next connection.
func (s *severer) severRest() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, cut := range s.pending {
		cut.bytes = 0
	}
	s.cut(s.current)
}

func (s *severer) accept() {
	for {
		downstream, err := s.listener.Accept()
		if err != nil {
			return
		}
		upstream, err := net.Dial("tcp", s.target)
		if err != nil {
			downstream.Close()
			continue
		}
		s.mu.Lock()
		s.connections++
		c := &severable{
			number:     s.connections,
			downstream: downstream.(*net.TCPConn),
			upstream:   upstream.(*net.TCPConn),
			passed:     map[bool]int{},
		}
		s.current = c
		s.mu.Unlock()
		s.pumps.Go(func() { s.pump(c, c.downstream, c.upstream, true) })
		s.pumps.Go(func() { s.pump(c, c.upstream, c.downstream, false) })
	}
}

// pump relays one way until the connection ends or is cut. What comes from a
// server that is unaware of the cut is read, and lost.
func (s *severer) pump(c *severable, from, to *net.TCPConn, fromClient bool) {
	buffer := make([]byte, 4096)
	for {
		n, err := from.Read(buffer)
		if n > 0 {
			pass, cut := s.count(c, n, fromClient)
			to.Write(buffer[:pass]) // fails only where the connection is gone
			if cut {
				s.mu.Lock()
				s.cut(c)
				s.mu.Unlock()
			}
		}
		if err != nil {
			s.mu.Lock()
			defer s.mu.Unlock()
			if !c.severed {
				to.CloseWrite()
			}
			return
		}
	}
}

// count returns how many of n bytes may pass, and whether the connection is to
// be cut behind them.
func (s *severer) count(c *severable, n int, fromClient bool) (pass int, cut bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c.severed {
		return 0, false
	}
	if len(s.pending) > 0 && s.pending[0].fromClient == fromClient && c == s.current {
		next := s.pending[0]
		n, cut = min(n, next.bytes), n >= next.bytes
		next.bytes -= n
	}
	c.passed[fromClient] += n
	return n, cut
}

// cut makes the first pending cut on c. It is called with mu held.
func (s *severer) cut(c *severable) {
	if c.severed || len(s.pending) == 0 {
		return
	}
	next := s.pending[0]
	s.pending = s.pending[1:]
	next.connection, next.offset = c.number, c.passed[next.fromClient]
	c.severed = true
	reset(c.downstream)
	if next.serverUnaware {
		s.left = append(s.left, c)
	} else {
		reset(c.upstream)
	}
	s.made(next)
}
