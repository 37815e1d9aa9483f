package server_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"mellium.im/xmpp/jid"

	"xtokend/component/link"
	"xtokend/component/server"
	"xtokend/internal/peertest"
	"xtokend/internal/prosody"
	"xtokend/internal/prosodytest"
	"xtokend/internal/stockserver"
	"xtokend/sasl"
)

var newSecret = []byte("fedcba9876543210fedcba9876543210")

// watched is a link that counts what it is asked.
type watched struct {
	counted
	link *link.Link
}

func (w *watched) Resources(ctx context.Context, user jid.JID) (int, error) {
	return w.link.Resources(ctx, user)
}

// amidChange are the settings while the secret is being changed.
func amidChange(p *stockserver.Server, accounts server.Accounts, change func(*server.Config)) server.Config {
	c := server.Config{
		Domain: p.Domain, Addresses: []string{p.C2S}, Accounts: accounts, AccountSecret: newSecret, PreviousSecret: secret,
	}
	if change != nil {
		change(&c)
	}
	return c
}

func renew(t *testing.T, s *server.Server, c server.Config) *server.Server {
	t.Helper()
	renewed, err := s.Renew(c)
	if err != nil {
		t.Fatal(err)
	}
	return renewed
}

// bind logs user in to a session of its own.
func bind(t *testing.T, s *server.Server, user jid.JID) net.Conn {
	t.Helper()
	conn, err := s.Open(t.Context(), user)
	if err != nil {
		t.Fatalf("open for %s: %v", user, err)
	}
	t.Cleanup(func() { conn.Close() })
	restart(t, conn)
	ask(t, conn, "<iq type='set' id='bind'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>", "</bind></iq>")
	return conn
}

// alive fails the test unless the session goes on.
func alive(t *testing.T, conn net.Conn) {
	t.Helper()
	request := []byte("<iq type='get' id='p' to='example.org'><ping xmlns='urn:xmpp:ping'/></iq>")
	if _, err := conn.Write(request); err != nil {
		t.Error(err)
	}
	if got := readUntil(t, conn, ">"); strings.Contains(got, "stream") || !strings.Contains(got, "id='p'") {
		t.Errorf("a session that should go on gets %q", got)
	}
}

// leave ends a session, and returns when the server has none of the user any more.
func leave(t *testing.T, l *link.Link, user jid.JID, conns ...net.Conn) {
	t.Helper()
	for _, conn := range conns {
		if _, err := io.WriteString(conn, "</stream:stream>"); err != nil {
			t.Error(err)
		}
		io.Copy(io.Discard, conn)
		conn.Close()
	}
	for {
		switch n, err := l.Resources(t.Context(), user); {
		case err != nil:
			t.Fatal(err)
		case n == 0:
			return
		}
	}
}

// Users are let in with the password of either secret, accounts get the new one when
// nobody is logged in to them, and no session ends.
func TestChangeOfTheAccountSecret(t *testing.T) {
	onEachServer(t, func(t *testing.T, p *stockserver.Server, l *link.Link) {
		accounts := &watched{counted: counted{Accounts: l}, link: l}
		log, now, used := new(peertest.Log), newClock(), 0
		before := newServer(t, p, func(c *server.Config) {
			c.Accounts, c.Log, c.Now = accounts, slog.New(slog.NewTextHandler(log, nil)), now.now
		})
		bob := jid.MustParse("bob@example.org")
		stays := bind(t, before, alice)
		opens(t, before, bob)
		accounts.was(t, 2, 0)

		with := amidChange(p, accounts, func(c *server.Config) {
			c.Log, c.Now, c.PreviousUsed = slog.New(slog.NewTextHandler(log, nil)), now.now, func() { used++ }
		})
		amid := renew(t, before, with)
		second := bind(t, amid, alice)
		accounts.was(t, 2, 0)
		now.advance(time.Hour)
		third := bind(t, renew(t, amid, with), alice) // settings that are read again change nothing
		accounts.was(t, 2, 0)
		for _, conn := range []net.Conn{stays, second, third} {
			alive(t, conn)
		}
		leave(t, l, alice, stays, second, third)
		now.advance(time.Minute - time.Nanosecond) // somebody let in just now may not be bound yet
		opens(t, amid, alice)
		accounts.was(t, 2, 0)
		leave(t, l, alice)
		now.advance(time.Minute)
		stays = bind(t, amid, alice)
		accounts.was(t, 2, 1)
		alive(t, stays)
		if used != 4 {
			t.Errorf("%d logins with the password of the previous secret, want 4", used)
		}
		opens(t, amid, alice)
		opens(t, amid, jid.MustParse("carol@example.org")) // who is new
		accounts.was(t, 3, 1)

		after := renew(t, amid, amidChange(p, accounts, func(c *server.Config) {
			c.PreviousSecret, c.Log = nil, slog.New(slog.NewTextHandler(log, nil))
		}))
		opens(t, after, alice)
		opens(t, after, jid.MustParse("carol@example.org"))
		accounts.was(t, 3, 1)
		alive(t, stays)
		refuses(t, after, bob, sasl.NotAuthorized, "account-exists")
		accounts.was(t, 4, 1)
		refuses(t, before, alice, sasl.NotAuthorized, "account-exists")
		if !strings.Contains(log.String(), "give the one before as account_secret_previous_file") {
			t.Errorf("the remedy is not told:\n%s", log.String())
		}
		for _, s := range [][]byte{secret, newSecret} {
			if text := log.String(); strings.Contains(text, string(s)) || strings.Contains(text, server.Password(s, alice)) {
				t.Errorf("the log holds a secret:\n%s", text)
			}
		}
	})
}

// Logins of one user that come together change the password once, and none of their
// sessions ends.
func TestLoginsAtOnceAmidAChange(t *testing.T) {
	onEachServer(t, func(t *testing.T, p *stockserver.Server, l *link.Link) {
		accounts := &watched{counted: counted{Accounts: l}, link: l}
		users := []jid.JID{alice, jid.MustParse("bob@example.org"), jid.MustParse("carol@example.org")}
		for _, user := range users {
			makeAccount(t, p, user)
		}
		s, err := server.New(amidChange(p, accounts, nil))
		if err != nil {
			t.Fatal(err)
		}
		var mu sync.Mutex
		var sessions []net.Conn
		var wg sync.WaitGroup
		for _, user := range users {
			for range 4 {
				wg.Go(func() {
					conn, err := s.Open(t.Context(), user)
					if err != nil {
						t.Errorf("open for %s: %v", user, err)
						return
					}
					restart(t, conn)
					ask(t, conn, "<iq type='set' id='bind'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>", "</bind></iq>")
					mu.Lock()
					defer mu.Unlock()
					sessions = append(sessions, conn)
				})
			}
		}
		wg.Wait()
		for _, conn := range sessions {
			alive(t, conn)
			conn.Close()
		}
		accounts.mu.Lock()
		defer accounts.mu.Unlock()
		if accounts.set == 0 || accounts.set > len(users) || accounts.adds > 0 {
			t.Errorf("%d passwords were set for %d users, and %d accounts added", accounts.set, len(users), accounts.adds)
		}
	})
}

// What cannot be changed keeps nobody out.
func TestAccountsThatKeepTheirPassword(t *testing.T) {
	p := prosodytest.Start(t, prosody.Options{})
	l, stop := startLink(t, p)
	makeAccount(t, p, alice)
	accounts := &watched{counted: counted{Accounts: l}, link: l}
	log := new(peertest.Log)
	logger := slog.New(slog.NewTextHandler(log, nil))
	for _, c := range []struct {
		name     string
		accounts server.Accounts
		change   func(*server.Config)
		logged   string
	}{
		{"accounts are not made here", nil, nil, ""},
		{"nobody knows who is online", &accounts.counted, nil, ""},
		{"a protected name", accounts, func(c *server.Config) { c.Protected = []string{"alice"} }, ""},
		{"the password cannot be set", unable{accounts}, nil, "keeps the password of the previous account secret"},
		{"the link is down", accounts, func(*server.Config) { stop() }, "keeps the password of the previous account secret"},
	} {
		t.Run(c.name, func(t *testing.T) {
			offset := len(log.String())
			s, err := server.New(amidChange(p, c.accounts, func(s *server.Config) {
				s.Log = logger
				if c.change != nil {
					c.change(s)
				}
			}))
			if err != nil {
				t.Fatal(err)
			}
			for range 2 {
				opens(t, s, alice)
			}
			if text := log.String()[offset:]; strings.Count(text, "\n") > 1 || !strings.Contains(text, c.logged) {
				t.Errorf("the log says:\n%s", text)
			}
			opens(t, newServer(t, p, nil), alice)
		})
	}
	accounts.was(t, 0, 0)
}

// unable cannot set a password.
type unable struct{ *watched }

func (unable) SetPassword(context.Context, jid.JID, string) error {
	return errors.New("it is read-only")
}

// A secret that is replaced without the one before locks people out, and says so.
func TestReplacedSecretIsWarnedOf(t *testing.T) {
	p := &stockserver.Server{Domain: "example.org", C2S: "127.0.0.1:5322"}
	var log bytes.Buffer
	other := []byte("another secret of enough characters")
	s := newServer(t, p, nil)
	for _, c := range []struct {
		name          string
		now, previous []byte
		warned        bool
	}{
		{"the same", secret, nil, false},
		{"a previous one beside it", secret, other, false},
		{"exchanged", other, secret, false},
		{"the previous one taken out", other, nil, false},
		{"another in its place", newSecret, nil, true},
		{"and a wrong one before", secret, other, true},
	} {
		log.Reset()
		s = renew(t, s, amidChange(p, nil, func(a *server.Config) {
			a.AccountSecret, a.PreviousSecret, a.Log = c.now, c.previous, slog.New(slog.NewTextHandler(&log, nil))
		}))
		if warned := strings.Contains(log.String(), "account_secret_previous_file"); warned != c.warned {
			t.Errorf("%s: warned: %t; the log says:\n%s", c.name, warned, log.String())
		}
	}
	_, err := server.New(amidChange(p, nil, func(a *server.Config) { a.PreviousSecret = []byte("short") }))
	if err == nil || !strings.Contains(err.Error(), "previous account secret") {
		t.Errorf("a short secret: %v", err)
	}
}

// At the server failed attempts are counted together, for all come from here: of many
// accounts in one state the first alone may fail.
func TestFewAttemptsFailAmidAChange(t *testing.T) {
	p := prosodytest.Start(t, prosody.Options{})
	var users []jid.JID
	for i := range 5 {
		user := jid.MustParse(fmt.Sprintf("user%d@example.org", i))
		makeAccount(t, p, user)
		users = append(users, user)
	}
	proxy := &countingProxy{to: p.C2S}
	s, err := server.New(amidChange(p, nil, func(c *server.Config) { c.Addresses = []string{proxy.listen(t)} }))
	if err != nil {
		t.Fatal(err)
	}
	for _, user := range users {
		opens(t, s, user)
	}
	for _, user := range users {
		if err := p.Register(t.Context(), user.Localpart(), server.Password(newSecret, user)); err != nil {
			t.Fatal(err)
		}
	}
	if n := proxy.connections.Load(); n != 5 {
		t.Errorf("%d attempts for 5 accounts with the old password", n)
	}
	fresh, err := server.New(amidChange(p, nil, func(c *server.Config) { c.Addresses = []string{proxy.listen(t)} }))
	if err != nil {
		t.Fatal(err)
	}
	proxy.connections.Store(0)
	for range 2 {
		for _, user := range users {
			opens(t, fresh, user)
		}
	}
	if n := proxy.connections.Load(); n != 11 {
		t.Errorf("%d attempts for 10 logins to accounts with the new password, want 11", n)
	}
}

// countingProxy counts the connections to a server.
type countingProxy struct {
	to          string
	connections atomic.Int64
}

func (c *countingProxy) listen(t *testing.T) (address string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var running sync.WaitGroup
	t.Cleanup(func() {
		l.Close()
		running.Wait()
	})
	running.Go(func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			c.connections.Add(1)
			upstream, err := net.Dial("tcp", c.to)
			if err != nil {
				client.Close()
				continue
			}
			for _, way := range [][2]net.Conn{{client, upstream}, {upstream, client}} {
				running.Go(func() {
					io.Copy(way[0], way[1])
					way[0].Close()
				})
			}
		}
	})
	return l.Addr().String()
}
