package component_test

import (
	"bytes"
	"net"
	"sync"
	"testing"
	"time"

	"xtokend/auth"
	"xtokend/auth/replay"
	"xtokend/component"
	"xtokend/internal/fronttest"
	"xtokend/internal/transcript"
)

// pipeListener hands out connections that are made in memory.
type pipeListener struct {
	conns  chan net.Conn
	closed chan struct{}
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Close() error   { close(l.closed); return nil }
func (l *pipeListener) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)} }

// scriptedConn says what it was given, then ends, and keeps what it hears. It
// claims to come from this machine, so that mechanisms are offered.
type scriptedConn struct {
	said   *bytes.Reader
	heard  bytes.Buffer
	closed chan struct{}
	once   sync.Once
}

func (c *scriptedConn) Read(b []byte) (int, error)       { return c.said.Read(b) }
func (c *scriptedConn) Write(b []byte) (int, error)      { return c.heard.Write(b) }
func (c *scriptedConn) Close() error                     { c.once.Do(func() { close(c.closed) }); return nil }
func (c *scriptedConn) LocalAddr() net.Addr              { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)} }
func (c *scriptedConn) RemoteAddr() net.Addr             { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)} }
func (c *scriptedConn) SetDeadline(time.Time) error      { return nil }
func (c *scriptedConn) SetReadDeadline(time.Time) error  { return nil }
func (c *scriptedConn) SetWriteDeadline(time.Time) error { return nil }

// FuzzFront says arbitrary bytes to a front. Whatever they are, nobody gets in,
// and what comes back is a stream that begins with a header, with an end behind
// every stream error.
func FuzzFront(f *testing.F) {
	for _, said := range clientLines(f) {
		f.Add([]byte(header + said))
		f.Add([]byte(said))
	}
	store := replay.NewMemory(replay.MemoryOptions{})
	verifier, err := auth.NewVerifier(auth.Config{Domain: testDomain, Keys: []auth.Key{newKey(f, testSecret)}, Skew: 1,
		Store: store, Now: func() time.Time { return testNow }})
	must(f, err)
	front, err := component.New(component.Config{Domains: []component.Domain{{
		Name: testDomain, Verifier: verifier, Upstream: &fronttest.Echo{}}}})
	must(f, err)
	l := &pipeListener{conns: make(chan net.Conn), closed: make(chan struct{})}
	go front.Serve(l)
	f.Cleanup(func() { l.Close() })

	f.Fuzz(func(t *testing.T, said []byte) {
		conn := &scriptedConn{said: bytes.NewReader(said), closed: make(chan struct{})}
		l.conns <- conn
		<-conn.closed
		heard := conn.heard.Bytes()
		if bytes.Contains(heard, []byte("<success")) {
			t.Fatal("somebody got in")
		}
		if len(heard) > 0 && !bytes.HasPrefix(heard, []byte("<?xml version='1.0'?><stream:stream ")) {
			t.Fatalf("the answer does not begin with a header: %q", heard)
		}
		if bytes.Contains(heard, []byte("<stream:error>")) && !bytes.HasSuffix(heard, []byte("</stream:error></stream:stream>")) {
			t.Fatalf("no end behind the stream error: %q", heard)
		}
		if n := front.Panics(); n != 0 {
			t.Fatalf("%d panics", n)
		}
	})
}

// clientLines is what the clients of all transcripts say, with tokens that are
// of the right form and forged.
func clientLines(f *testing.F) []string {
	forger := &scene{key: newKey(f, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567")}
	dialogues, err := transcript.Read("../testdata/transcripts/*.txt")
	must(f, err)
	var said []string
	for _, d := range dialogues {
		said = append(said, d.ClientLines(f, tokens{f, forger})...)
	}
	if len(said) < 50 {
		f.Fatalf("only %d lines in the transcripts", len(said))
	}
	return said
}
