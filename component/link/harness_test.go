package link_test

import (
	"bytes"
	"context"
	"log/slog"
	"net"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"mellium.im/xmpp/jid"

	"xtokend/component/link"
	"xtokend/internal/prosody"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var alice = jid.MustParse("alice@example.org")

// running is a link that runs until the test ends.
type running struct {
	*link.Link
	waits chan time.Duration // each wait between attempts, once it has begun
	again chan time.Time     // ends a wait
	log   *logLines
	stop  func()
}

// run starts a link after change. The clock between its attempts stands still.
func run(t *testing.T, address, secret string, change func(*link.Config)) *running {
	t.Helper()
	r := &running{waits: make(chan time.Duration), again: make(chan time.Time), log: new(logLines)}
	ctx, cancel := context.WithCancel(context.Background())
	c := link.Config{
		Address: address, Name: "xtoken.example.org", Secret: []byte(secret), Domain: "example.org",
		Log: slog.New(slog.NewTextHandler(r.log, nil)),
		After: func(d time.Duration) <-chan time.Time {
			select {
			case r.waits <- d:
			case <-ctx.Done():
			}
			return r.again
		},
	}
	if change != nil {
		change(&c)
	}
	var err error
	if r.Link, err = link.New(c); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if err := r.Run(ctx); err != nil {
			t.Errorf("Run: %v", err)
		}
	}()
	r.stop = func() { cancel(); <-ended }
	t.Cleanup(r.stop)
	return r
}

func runProsody(t *testing.T, p *prosody.Server) *running {
	t.Helper()
	r := run(t, p.Component, p.ComponentSecret, nil)
	r.up(t)
	return r
}

func (r *running) up(t *testing.T) {
	t.Helper()
	if err := r.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	if !r.Up() {
		t.Fatal("the link is not up after Wait")
	}
}

// trouble waits until an attempt has failed, and returns why.
func (r *running) trouble(t *testing.T) error {
	t.Helper()
	<-r.waits
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err := r.Wait(ctx)
	if err == nil {
		t.Fatal("the link is up")
	}
	return err
}

// logLines collects a log.
type logLines struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logLines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logLines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// scripted is the server's end of a component connection, played by a test.
type scripted struct {
	t    *testing.T
	conn net.Conn
	got  string
}

// scriptServer plays one function for each connection, in order.
func scriptServer(t *testing.T, plays ...func(*scripted)) (address string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	playAll(t, l, plays)
	return l.Addr().String()
}

func playAll(t *testing.T, l net.Listener, plays []func(*scripted)) {
	ended := make(chan struct{})
	t.Cleanup(func() { l.Close(); <-ended })
	go func() {
		defer close(ended)
		for _, play := range plays {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			play(&scripted{t: t, conn: conn})
			conn.Close()
		}
	}()
}

func (s *scripted) send(text string) {
	if _, err := s.conn.Write([]byte(text)); err != nil {
		s.t.Logf("script: %v", err) // the link may have hung up, as many scripts make it do
	}
}

// until reads up to the first text that end matches, and returns the matches.
func (s *scripted) until(end string) []string {
	re := regexp.MustCompile(end)
	buf := make([]byte, 4096)
	for {
		if m := re.FindStringSubmatchIndex(s.got); m != nil {
			var groups []string
			for i := 0; i < len(m); i += 2 {
				groups = append(groups, s.got[m[i]:m[i+1]])
			}
			s.got = s.got[m[1]:]
			return groups
		}
		n, err := s.conn.Read(buf)
		s.got += string(buf[:n])
		if n == 0 && err != nil {
			s.t.Errorf("script: %v while waiting for %s, got %q", err, end, s.got)
			return make([]string, 8)
		}
	}
}

const header = "<?xml version='1.0'?><stream:stream xmlns='jabber:component:accept' xmlns:stream='http://etherx.jabber.org/streams' from='xtoken.example.org' id='x1'>"

// accept plays the handshake.
func (s *scripted) accept() {
	s.until(`<stream:stream [^>]*>`)
	s.send(header)
	s.until(`<handshake>[0-9a-f]{40}</handshake>`)
	s.send("<handshake/>")
}

// request reads a request and returns its id.
func (s *scripted) request() string {
	return s.until(`<iq [^>]*id="([^"]*)"[^>]*>.*?</iq>`)[1]
}

// answer sends an IQ to the component. from is the attribute, or empty.
func (s *scripted) answer(kind, from, id, body string) {
	s.send("<iq type='" + kind + "' id='" + id + "' to='xtoken.example.org'" + from + ">" + body + "</iq>")
}

// hangUp waits until the link has ended the connection.
func (s *scripted) hangUp() {
	buf := make([]byte, 4096)
	for {
		n, err := s.conn.Read(buf)
		s.got += string(buf[:n])
		if err != nil {
			return
		}
	}
}

func says(t *testing.T, err error, want string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("error %v does not say %q", err, want)
	}
}
