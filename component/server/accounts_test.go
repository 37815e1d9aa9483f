package server_test

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"mellium.im/xmpp/jid"

	"xtokend/component/link"
	"xtokend/component/server"
	"xtokend/internal/peertest"
	"xtokend/internal/prosody"
	"xtokend/internal/prosodytest"
	"xtokend/internal/stockserver"
	"xtokend/internal/stockserver/stockservertest"
	"xtokend/sasl"
)

// startLink runs a component link to p until stop is called or the test ends.
func startLink(t *testing.T, p *stockserver.Server) (l *link.Link, stop func()) {
	t.Helper()
	l, err := link.New(link.Config{Address: p.Component, Name: p.ComponentName, Secret: []byte(p.ComponentSecret), Domain: p.Domain})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		l.Run(ctx)
	}()
	stop = func() { cancel(); <-ended }
	t.Cleanup(stop)
	if err := l.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	return l, stop
}

// counted counts what is asked of Accounts.
type counted struct {
	server.Accounts
	mu        sync.Mutex
	adds, set int
}

func (c *counted) Add(ctx context.Context, user jid.JID, password string) error {
	c.mu.Lock()
	c.adds++
	c.mu.Unlock()
	return c.Accounts.Add(ctx, user, password)
}

func (c *counted) SetPassword(ctx context.Context, user jid.JID, password string) error {
	c.mu.Lock()
	c.set++
	c.mu.Unlock()
	return c.Accounts.SetPassword(ctx, user, password)
}

func (c *counted) was(t *testing.T, adds, set int) {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.adds != adds || c.set != set {
		t.Errorf("%d accounts were added and %d passwords set, want %d and %d", c.adds, c.set, adds, set)
	}
}

func TestFirstLoginMakesAccount(t *testing.T) {
	p := prosodytest.Start(t, prosody.Options{})
	l, _ := startLink(t, p)
	accounts := &counted{Accounts: l}
	s := newServer(t, p, func(c *server.Config) { c.Accounts = accounts })
	opens(t, s, alice)
	accounts.was(t, 1, 0)
	opens(t, s, alice)
	accounts.was(t, 1, 0)
	if !stockservertest.HasAccount(t, p, "alice") {
		t.Error("no account after a login")
	}
}

func TestFirstLoginsAtOnce(t *testing.T) {
	onEachServer(t, func(t *testing.T, p *stockserver.Server, l *link.Link) {
		for takeover, users := range map[bool][]string{false: {"alice", "bob", "carol"}, true: {"dave", "erin", "frank"}} {
			accounts := &counted{Accounts: l}
			s := newServer(t, p, func(c *server.Config) { c.Accounts, c.Takeover = accounts, takeover })
			for _, user := range users {
				var wg sync.WaitGroup
				for range 4 {
					wg.Go(func() { opens(t, s, jid.MustParse(user+"@example.org")) })
				}
				wg.Wait()
			}
			accounts.mu.Lock()
			if accounts.set != 0 {
				t.Errorf("takeover %t: %d passwords were set", takeover, accounts.set)
			}
			accounts.mu.Unlock()
		}
	})
}

func TestTakeover(t *testing.T) {
	p := prosodytest.Start(t, prosody.Options{})
	l, _ := startLink(t, p)
	log, now := new(peertest.Log), newClock()
	accounts := &counted{Accounts: l}
	serverWith := func(change func(*server.Config)) *server.Server {
		return newServer(t, p, func(c *server.Config) {
			c.Accounts, c.Log, c.Now = accounts, slog.New(slog.NewTextHandler(log, nil)), now.now
			if change != nil {
				change(c)
			}
		})
	}
	foreign := func(localpart string) jid.JID {
		t.Helper()
		if err := p.Register(t.Context(), localpart, "her own"); err != nil {
			t.Fatal(err)
		}
		user, err := jid.New(localpart, p.Domain, "")
		if err != nil {
			t.Fatal(err)
		}
		return user
	}
	foreign("alice")

	s := serverWith(nil)
	for range 3 {
		refuses(t, s, alice, sasl.NotAuthorized, "account-exists")
	}
	accounts.was(t, 3, 0)
	if n := strings.Count(log.String(), "takeover = true"); n != 1 {
		t.Errorf("the remedy was told %d times:\n%s", n, log.String())
	}

	s = serverWith(func(c *server.Config) {
		c.Takeover, c.Protected = true, []string{"Alice", "bob@EXAMPLE.org", "Ａdmin"}
	})
	for _, user := range []jid.JID{alice, foreign("bob"), foreign("admin")} {
		refuses(t, s, user, sasl.NotAuthorized, "account-exists")
	}
	accounts.was(t, 6, 0)
	// Protection keeps passwords, it does not keep users out.
	makeAccount(t, p, alice)
	opens(t, s, alice)
	foreign("alice")

	s = serverWith(func(c *server.Config) { c.Takeover, c.Protected = true, []string{"alic", "bob"} })
	opens(t, s, alice)
	accounts.was(t, 7, 1)
	if !strings.Contains(log.String(), "level=WARN msg=\"taking an account over: its password is set anew\" user=alice@example.org") {
		t.Errorf("no warning of the takeover:\n%s", log.String())
	}
	opens(t, s, alice)
	accounts.was(t, 7, 1)

	foreign("alice")
	now.advance(time.Hour - time.Nanosecond)
	refuses(t, s, alice, sasl.NotAuthorized, "takeover-limit")
	accounts.was(t, 8, 1)
	now.advance(time.Nanosecond)
	opens(t, s, alice)
	accounts.was(t, 9, 2)
	for _, secret := range []string{"her own", server.Password(secret, alice)} {
		if strings.Contains(log.String(), secret) {
			t.Errorf("the log holds a password:\n%s", log.String())
		}
	}
}

func TestTakeoversAtOnce(t *testing.T) {
	p := prosodytest.Start(t, prosody.Options{})
	l, _ := startLink(t, p)
	accounts := &counted{Accounts: l}
	s := newServer(t, p, func(c *server.Config) { c.Accounts, c.Takeover = accounts, true })
	if err := p.Register(t.Context(), "alice", "her own"); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			conn, err := s.Open(t.Context(), alice)
			if err != nil {
				t.Error(err)
				return
			}
			conn.Close()
		})
	}
	wg.Wait()
	accounts.mu.Lock()
	defer accounts.mu.Unlock()
	if accounts.set != 1 {
		t.Errorf("the password was set %d times", accounts.set)
	}
}

func TestLinkDown(t *testing.T) {
	p := prosodytest.Start(t, prosody.Options{})
	l, stop := startLink(t, p)
	s := newServer(t, p, func(c *server.Config) { c.Accounts, c.Takeover = l, true })
	opens(t, s, alice)
	stop()
	opens(t, s, alice)
	bob := jid.MustParse("bob@example.org")
	if err := fails(t, t.Context(), s, bob, "bob@example.org"); !errors.Is(err, link.ErrDown) {
		t.Errorf("error %v, want %v", err, link.ErrDown)
	}
	if stockservertest.HasAccount(t, p, "bob") {
		t.Error("an account was made")
	}
	l, _ = startLink(t, p)
	s = newServer(t, p, func(c *server.Config) { c.Accounts = l })
	opens(t, s, bob)
}

func TestComponentIsNoAdministrator(t *testing.T) {
	p := prosodytest.Start(t, prosody.Options{NotAdmin: true})
	l, _ := startLink(t, p)
	s := newServer(t, p, func(c *server.Config) { c.Accounts = l })
	fails(t, t.Context(), s, alice, `admins = { "xtoken.example.org" }`)
}

func TestRegister(t *testing.T) {
	for _, protected := range []bool{false, true} {
		p := prosodytest.Start(t, prosody.Options{Register: true, TLS: protected})
		mode := func(c *server.Config) {
			if protected {
				c.TLS, c.TLSConfig = server.StartTLS, &tls.Config{RootCAs: p.Roots()}
			}
		}
		c := server.Config{Domain: p.Domain, Addresses: []string{p.C2S}}
		mode(&c)
		r, err := server.NewRegistration(c)
		if err != nil {
			t.Fatal(err)
		}
		s := newServer(t, p, func(c *server.Config) { mode(c); c.Accounts = r })
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() { opens(t, s, alice) })
		}
		wg.Wait()

		if err := p.Register(t.Context(), "bob", "his own"); err != nil {
			t.Fatal(err)
		}
		bob := jid.MustParse("bob@example.org")
		if err := r.Add(t.Context(), bob, "another"); !errors.Is(err, server.ErrAccountExists) {
			t.Errorf("add: %v, want %v", err, server.ErrAccountExists)
		}
		refuses(t, s, bob, sasl.NotAuthorized, "account-exists")
		s = newServer(t, p, func(c *server.Config) { mode(c); c.Accounts, c.Takeover = r, true })
		fails(t, t.Context(), s, bob, "cannot set the password")
	}
}

func TestRegistrationIsNotOffered(t *testing.T) {
	p := prosodytest.Start(t, prosody.Options{})
	r, err := server.NewRegistration(server.Config{Domain: p.Domain, Addresses: []string{p.C2S}})
	if err != nil {
		t.Fatal(err)
	}
	s := newServer(t, p, func(c *server.Config) { c.Accounts = r })
	fails(t, t.Context(), s, alice, "registration_allowlist")
}

func TestExistingAccountsOnly(t *testing.T) {
	p := prosodytest.Start(t, prosody.Options{Register: true})
	log := new(peertest.Log)
	s := newServer(t, p, func(c *server.Config) { c.Takeover, c.Log = true, slog.New(slog.NewTextHandler(log, nil)) })
	refuses(t, s, alice, sasl.NotAuthorized, "no-account")
	if stockservertest.HasAccount(t, p, "alice") {
		t.Error("an account was made")
	}
	if !strings.Contains(log.String(), "xtokend accounts add") {
		t.Errorf("no remedy in the log:\n%s", log.String())
	}
	makeAccount(t, p, alice)
	opens(t, s, alice)
}
