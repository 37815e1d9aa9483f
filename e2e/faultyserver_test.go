package e2e

import (
	"context"
	"fmt"
	"io"
	"net"
	"regexp"
	"sync"
	"testing"
	"time"
)

// stages are how far the server's side of a user's connection comes before a fault:
// behind the first match in what it says.
var (
	atOnce          = regexp.MustCompile(``)
	behindHeader    = regexp.MustCompile(`<stream:stream[^>]*>`)
	behindFeatures  = regexp.MustCompile(`</stream:features>`)
	behindChallenge = regexp.MustCompile(`</challenge>`)
	behindSuccess   = regexp.MustCompile(`</success>`)
	behindRestart   = regexp.MustCompile(`(?s)</success>.*?<stream:stream[^>]*>`)
	duringTheRelay  = regexp.MustCompile(`(?s)</success>.*?</stream:features>`)
)

// fault is what happens to a connection of xtokend's to the server.
type fault struct {
	stage *regexp.Regexp
	// strike takes the connection over. It is closed when strike returns.
	strike func(conn net.Conn)
}

// faultyServer stands between xtokend and its server, whose connections it strikes
// by faults that a test has ordered for a user.
type faultyServer struct {
	t       testing.TB
	target  string
	address string

	mu      sync.Mutex
	ordered map[string][]fault // by localpart: for the next connections
	conns   []net.Conn
}

// newFaultySite starts xtokend before a faulty server, where alice has logged in once.
func newFaultySite(t *testing.T, behind upstream, configure func(*site)) (s *site, faulty *faultyServer) {
	t.Helper()
	s = newSiteOn(t, behind, func(s *site) {
		faulty = newFaultyServer(t, s.Server.C2S)
		s.ServerAddress = faulty.address
		configure(s)
	})
	s.mustLogIn("alice", s.issuer.token("alice"))
	return s, faulty
}

func newFaultyServer(t testing.TB, target string) *faultyServer {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f := &faultyServer{t: t, target: target, address: l.Addr().String(), ordered: map[string][]fault{}}
	var running sync.WaitGroup
	running.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			f.keep(conn)
			running.Go(func() { f.serve(conn) })
		}
	})
	t.Cleanup(func() {
		l.Close()
		f.mu.Lock()
		for _, conn := range f.conns {
			conn.Close()
		}
		f.mu.Unlock()
		running.Wait()
	})
	return f
}

func (f *faultyServer) keep(conn net.Conn) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.conns = append(f.conns, conn)
}

// order has the user's next connections struck, one by each fault.
func (f *faultyServer) order(user string, faults ...fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.ordered[user] = append(f.ordered[user], faults...)
}

// next takes the fault that is due, nil if none is.
func (f *faultyServer) next(user string) *fault {
	f.mu.Lock()
	defer f.mu.Unlock()
	faults := f.ordered[user]
	if len(faults) == 0 {
		return nil
	}
	f.ordered[user] = faults[1:]
	return &faults[0]
}

var headersUser = regexp.MustCompile(`<stream:stream [^>]*from='([^@']+)@[^>]*>`)

// serve relays until a fault is due.
func (f *faultyServer) serve(conn net.Conn) {
	defer conn.Close()
	var said []byte
	buf := make([]byte, 4096)
	for headersUser.Find(said) == nil {
		n, err := conn.Read(buf)
		said = append(said, buf[:n]...)
		if err != nil {
			return
		}
	}
	fault := f.next(string(headersUser.FindSubmatch(said)[1]))
	server, err := net.Dial("tcp", f.target)
	if err != nil {
		f.t.Errorf("faulty server: %v", err)
		return
	}
	defer server.Close()
	f.keep(server)
	if fault != nil && fault.stage == atOnce {
		fault.strike(conn)
		return
	}
	if _, err := server.Write(said); err != nil {
		return
	}
	var onward sync.WaitGroup
	onward.Go(func() {
		io.Copy(server, conn)
		server.(*net.TCPConn).CloseWrite()
	})
	defer onward.Wait()
	defer conn.Close()
	var heard []byte
	for {
		n, err := server.Read(buf)
		if fault != nil {
			heard = append(heard, buf[:n]...)
			if at := fault.stage.FindIndex(heard); at != nil {
				conn.Write(buf[:at[1]-(len(heard)-n)])
				fault.strike(conn)
				return
			}
		}
		if _, err := conn.Write(buf[:n]); err != nil {
			return
		}
		if err != nil {
			return
		}
	}
}

// untilHungUp returns when xtokend has closed the connection.
func untilHungUp(conn net.Conn) { io.Copy(io.Discard, conn) }

// hangUp ends the connection, at whatever it was.
func hangUp(net.Conn) {}

// fallSilent says nothing more.
func fallSilent(conn net.Conn) { untilHungUp(conn) }

// say says something, and then nothing more.
func say(text string) func(net.Conn) {
	return func(conn net.Conn) {
		io.WriteString(conn, text)
		untilHungUp(conn)
	}
}

// drip says white space, a byte at a time, as long as somebody listens: no wait for
// the next byte is long.
func drip(conn net.Conn) {
	every := time.NewTicker(20 * time.Millisecond)
	defer every.Stop()
	for range every.C {
		if _, err := io.WriteString(conn, " "); err != nil {
			return
		}
	}
}

// flood says an element without end.
func flood(conn net.Conn) {
	text := "<x xmlns='urn:example:x'>"
	for {
		if _, err := io.WriteString(conn, text); err != nil {
			return
		}
		text = "without end "
	}
}

// byByte is a server whose bytes come one by one.
func byByte(ctx context.Context, t testing.TB, target string) (address string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var running sync.WaitGroup
	relay := func(conn net.Conn) error {
		defer conn.Close()
		server, err := (&net.Dialer{}).DialContext(ctx, "tcp", target)
		if err != nil {
			return fmt.Errorf("slow server: %w", err)
		}
		defer server.Close()
		context.AfterFunc(ctx, func() { conn.Close(); server.Close() })
		running.Go(func() { io.Copy(server, conn); server.Close() })
		for one := make([]byte, 1); ; {
			if _, err := server.Read(one); err != nil {
				return nil
			}
			if _, err := conn.Write(one); err != nil {
				return nil
			}
		}
	}
	running.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			running.Go(func() {
				if err := relay(conn); err != nil {
					t.Error(err)
				}
			})
		}
	})
	t.Cleanup(func() { l.Close(); running.Wait() })
	return l.Addr().String()
}
