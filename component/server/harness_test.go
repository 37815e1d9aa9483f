package server_test

import (
	"bytes"
	"context"
	"errors"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"mellium.im/xmpp/jid"

	"xtokend/component/link"
	"xtokend/component/server"
	"xtokend/component/upstream"
	"xtokend/internal/ejabberd"
	"xtokend/internal/ejabberdtest"
	"xtokend/internal/prosody"
	"xtokend/internal/prosodytest"
	"xtokend/internal/stockserver"
	"xtokend/sasl"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var (
	secret = []byte("0123456789abcdef0123456789abcdef")
	alice  = jid.MustParse("alice@example.org")
)

// newServer returns a Server for a Prosody without TLS, after change.
func newServer(t *testing.T, p *stockserver.Server, change func(*server.Config)) *server.Server {
	t.Helper()
	c := server.Config{Domain: p.Domain, Addresses: []string{p.C2S}, AccountSecret: secret}
	if change != nil {
		change(&c)
	}
	s, err := server.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// makeAccount gives user an account at p with the password that ours have.
func makeAccount(t *testing.T, p *stockserver.Server, user jid.JID) {
	t.Helper()
	if err := p.Register(t.Context(), user.Localpart(), server.Password(secret, user)); err != nil {
		t.Fatal(err)
	}
}

// opens fails the test unless s opens a stream for user that offers resource
// binding, which Prosody does after authentication alone.
func opens(t *testing.T, s *server.Server, user jid.JID) {
	t.Helper()
	conn, err := s.Open(t.Context(), user)
	if err != nil {
		t.Errorf("open for %s: %v", user, err)
		return
	}
	defer conn.Close()
	if got := restart(t, conn); !strings.Contains(got, "urn:ietf:params:xml:ns:xmpp-bind") {
		t.Errorf("no binding offered after authentication: %q", got)
	}
}

// restart sends the header that restarts the stream, and returns the answer up
// to its features.
func restart(t *testing.T, conn net.Conn) string {
	t.Helper()
	_, err := conn.Write([]byte("<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' version='1.0' to='example.org'>"))
	if err != nil {
		t.Error(err)
	}
	return readUntil(t, conn, "</stream:features>")
}

func readUntil(t *testing.T, conn net.Conn, end string) string {
	var got []byte
	buf := make([]byte, 4096)
	for !bytes.Contains(got, []byte(end)) {
		n, err := conn.Read(buf)
		got = append(got, buf[:n]...)
		if err != nil {
			t.Errorf("%v after %q", err, got)
			break
		}
	}
	return string(got)
}

// refuses fails the test unless the error is the server's own refusal for this
// reason.
func refuses(t *testing.T, s *server.Server, user jid.JID, condition sasl.Condition, reason string) {
	t.Helper()
	conn, err := s.Open(t.Context(), user)
	if err == nil {
		conn.Close()
		t.Errorf("opened a stream for %s", user)
		return
	}
	var r *upstream.Refusal
	if !errors.As(err, &r) || r.Condition != condition || r.Reason != reason {
		t.Errorf("error %q is no refusal %s (%s)", err, condition, reason)
	}
}

// fails fails the test unless the error is not the server's refusal and holds
// want. It returns the error.
func fails(t *testing.T, ctx context.Context, s *server.Server, user jid.JID, want string) error {
	t.Helper()
	conn, err := s.Open(ctx, user)
	if err == nil {
		conn.Close()
		t.Errorf("opened a stream for %s", user)
		return nil
	}
	var r *upstream.Refusal
	if errors.As(err, &r) {
		t.Errorf("error %q is a refusal", err)
	}
	if !strings.Contains(err.Error(), want) {
		t.Errorf("error %q does not say %q", err, want)
	}
	return err
}

// onEachServer runs a test with a link to each stock server.
func onEachServer(t *testing.T, test func(t *testing.T, p *stockserver.Server, l *link.Link)) {
	for _, stock := range []struct {
		name  string
		start func(t *testing.T) *stockserver.Server
	}{
		{"Prosody", func(t *testing.T) *stockserver.Server { return prosodytest.Start(t, prosody.Options{}) }},
		{"ejabberd", func(t *testing.T) *stockserver.Server { return ejabberdtest.Start(t, ejabberd.Options{}) }},
	} {
		t.Run(stock.name, func(t *testing.T) {
			p := stock.start(t)
			l, _ := startLink(t, p)
			test(t, p, l)
		})
	}
}

// clock is a time that tests move.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func newClock() *clock { return &clock{t: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)} }

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}
