// Package peertest lets a test play the server's end of connections, for
// answers that no real server gives.
package peertest

import (
	"bytes"
	"io"
	"net"
	"regexp"
	"sync"
	"testing"
)

// Peer is one connection that was accepted. It is used by its script only.
type Peer struct {
	T    *testing.T
	conn net.Conn
	got  []byte // read and not yet returned
}

// Serve listens on loopback and plays one script for each connection, in
// order, closing the connection after it. The test's end waits for the scripts.
func Serve(t *testing.T, scripts ...func(*Peer)) (address string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ServeOn(t, l, scripts...)
	return l.Addr().String()
}

// ServeOn is Serve on a listener, which it closes at the test's end.
func ServeOn(t *testing.T, l net.Listener, scripts ...func(*Peer)) {
	ended := make(chan struct{})
	t.Cleanup(func() { l.Close(); <-ended })
	go func() {
		defer close(ended)
		for _, script := range scripts {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			script(&Peer{T: t, conn: conn})
			conn.Close()
		}
	}()
}

// Send writes text. A failure is only logged: the other end may have hung up,
// as many scripts make it do.
func (p *Peer) Send(text string) {
	if _, err := io.WriteString(p.conn, text); err != nil {
		p.T.Logf("script: %v", err)
	}
}

// Until reads up to the first match of the expression, and returns the match
// and its groups. What was read before it is dropped. It returns nil if the
// other end hangs up first.
func (p *Peer) Until(expression string) []string {
	re := regexp.MustCompile(expression)
	buf := make([]byte, 4096)
	for {
		if at := re.FindSubmatchIndex(p.got); at != nil {
			match := re.FindSubmatch(p.got)
			groups := make([]string, len(match))
			for i, g := range match {
				groups[i] = string(g)
			}
			p.got = p.got[at[1]:]
			return groups
		}
		n, err := p.conn.Read(buf)
		p.got = append(p.got, buf[:n]...)
		if n == 0 && err != nil {
			return nil
		}
	}
}

// Expect is Until, and a failure of the test if the other end hangs up first.
// It returns the match's last group, or the match if it has none.
func (p *Peer) Expect(expression string) string {
	groups := p.Until(expression)
	if groups == nil {
		p.T.Errorf("script: hung up while waiting for %s, got %q", expression, p.got)
		return ""
	}
	return groups[len(groups)-1]
}

// Rest reads until the other end hangs up, and returns all that was not yet
// returned.
func (p *Peer) Rest() string {
	b, _ := io.ReadAll(p.conn)
	return string(p.got) + string(b)
}

// Log collects what is written to it, for a log that a test reads. The zero
// value is ready, and may be used by several goroutines.
type Log struct {
	mu sync.Mutex
	b  bytes.Buffer
}

// Write implements io.Writer.
func (l *Log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

// String returns all that was written.
func (l *Log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
