package server_test

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"mellium.im/xmpp/jid"

	"xtokend/component/server"
	"xtokend/internal/prosody"
	"xtokend/internal/prosodytest"
	"xtokend/sasl"
)

// The expected values are openssl's: printf 'xtokend account 1\0%s' JID |
// openssl dgst -sha256 -mac HMAC -macopt key:SECRET -binary | basenc --base64url
func TestPassword(t *testing.T) {
	for _, tt := range []struct{ user, want string }{
		{"alice@example.org", "bkqa8WHa1d6176LUZhKV9Z8N2yxcKFsKmh9gScEFjDc="},
		{"alice@example.org/phone", "bkqa8WHa1d6176LUZhKV9Z8N2yxcKFsKmh9gScEFjDc="},
		{"ünal@example.org", "RqW7tz7syATh9f2LS1VTUDXbM9Z6purcvX3qsxL16ec="},
	} {
		if got := server.Password(secret, jid.MustParse(tt.user)); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.user, got, tt.want)
		}
	}
}

func TestNewRefusesSettings(t *testing.T) {
	good := server.Config{Domain: "example.org", Addresses: []string{"127.0.0.1:5322"}, AccountSecret: secret}
	for _, tt := range []struct {
		name   string
		change func(*server.Config)
		want   string // empty: taken
	}{
		{"nothing changed", func(*server.Config) {}, ""},
		{"IPv6 loopback", func(c *server.Config) { c.Addresses = []string{"[::1]:5322"} }, ""},
		{"name of loopback", func(c *server.Config) { c.Addresses = []string{"localhost:5322"} }, ""},
		{"private network with TLS", func(c *server.Config) { c.Addresses = []string{"10.0.0.1:5322"}; c.TLS = server.StartTLS }, ""},
		{"private network without TLS", func(c *server.Config) { c.Addresses = []string{"10.0.0.1:5322"} }, "needs TLS"},
		{"one address of two without TLS", func(c *server.Config) { c.Addresses = append(c.Addresses, "[2001:db8::1]:5322") }, "needs TLS"},
		{"no domain", func(c *server.Config) { c.Domain = "" }, "domain"},
		{"no address", func(c *server.Config) { c.Addresses = nil }, "no address"},
		{"address without port", func(c *server.Config) { c.Addresses = []string{"127.0.0.1"} }, "missing port"},
		{"short secret", func(c *server.Config) { c.AccountSecret = secret[:15] }, "16 bytes"},
		{"shortest secret", func(c *server.Config) { c.AccountSecret = secret[:16] }, ""},
		{"unknown mode", func(c *server.Config) { c.TLS = 3 }, "TLS mode"},
		{"protected localpart", func(c *server.Config) { c.Protected = []string{"Admin"} }, ""},
		{"protected elsewhere", func(c *server.Config) { c.Protected = []string{"admin@example.com"} }, "example.org"},
		{"protected session", func(c *server.Config) { c.Protected = []string{"admin@example.org/x"} }, "bare JID"},
		{"protected nonsense", func(c *server.Config) { c.Protected = []string{"ad min"} }, "ad min"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := good
			tt.change(&c)
			_, err := server.New(c)
			switch {
			case tt.want == "" && err != nil:
				t.Error(err)
			case tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)):
				t.Errorf("error %v does not say %q", err, tt.want)
			}
		})
	}
}

func TestOpenRefusesOtherJIDs(t *testing.T) {
	s, err := server.New(server.Config{Domain: "example.org", Addresses: []string{"127.0.0.1:1"}, AccountSecret: secret})
	if err != nil {
		t.Fatal(err)
	}
	for _, user := range []string{"example.org", "alice@example.org/phone", "alice@example.com"} {
		fails(t, t.Context(), s, jid.MustParse(user), "no bare JID")
	}
}

func TestStorages(t *testing.T) {
	for _, tt := range []struct {
		name    string
		options prosody.Options
	}{
		{"SCRAM-SHA-1", prosody.Options{}},
		{"SCRAM-SHA-256", prosody.Options{PasswordHash: "SHA-256"}},
		{"a salt for each login", prosody.Options{PlainStorage: true}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := prosodytest.Start(t, tt.options)
			s := newServer(t, p, nil)
			bob := jid.MustParse("bob@example.org")
			makeAccount(t, p, alice)
			makeAccount(t, p, bob)
			for range 3 {
				opens(t, s, alice)
				opens(t, s, bob)
			}
			if n := server.KeptKeys(s); n != 2 {
				t.Errorf("%d sets of keys are kept for 2 users", n)
			}
		})
	}
}

func TestKeptKeysAreBounded(t *testing.T) {
	p := prosodytest.Start(t, prosody.Options{})
	s := newServer(t, p, func(c *server.Config) { c.KeptKeys = 2 })
	users := []jid.JID{alice, jid.MustParse("bob@example.org"), jid.MustParse("carol@example.org")}
	for _, user := range users {
		makeAccount(t, p, user)
	}
	for range 2 {
		for _, user := range users {
			opens(t, s, user)
			if n := server.KeptKeys(s); n > 2 {
				t.Fatalf("%d sets of keys are kept", n)
			}
		}
	}
}

func TestNamesThatNeedEscapes(t *testing.T) {
	p := prosodytest.Start(t, prosody.Options{})
	s := newServer(t, p, nil)
	for _, localpart := range []string{"a=b,c", "ünal", "日本", `o\27neill`} {
		user, err := jid.New(localpart, p.Domain, "")
		if err != nil {
			t.Fatal(err)
		}
		makeAccount(t, p, user)
		opens(t, s, user)
	}
}

func TestPasswordChangedOnServer(t *testing.T) {
	p := prosodytest.Start(t, prosody.Options{})
	s := newServer(t, p, nil)
	makeAccount(t, p, alice)
	opens(t, s, alice)
	if err := p.Register(t.Context(), "alice", "another one"); err != nil {
		t.Fatal(err)
	}
	refuses(t, s, alice, sasl.NotAuthorized, "no-account")
	makeAccount(t, p, alice) // with a new salt
	opens(t, s, alice)
}

func TestTLSModes(t *testing.T) {
	p := prosodytest.Start(t, prosody.Options{TLS: true})
	makeAccount(t, p, alice)
	trusted := &tls.Config{RootCAs: p.Roots()}
	for _, tt := range []struct {
		name    string
		mode    server.TLSMode
		address string
		config  *tls.Config
		want    string // empty: opens
	}{
		{"STARTTLS", server.StartTLS, p.C2S, trusted, ""},
		{"direct", server.DirectTLS, p.DirectTLS, trusted, ""},
		{"STARTTLS, unknown authority", server.StartTLS, p.C2S, nil, "certificate"},
		{"direct, unknown authority", server.DirectTLS, p.DirectTLS, nil, "certificate"},
		{"STARTTLS, other name", server.StartTLS, p.C2S, &tls.Config{RootCAs: p.Roots(), ServerName: "example.com"}, "example.com"},
		{"direct, other name", server.DirectTLS, p.DirectTLS, &tls.Config{RootCAs: p.Roots(), ServerName: "example.com"}, "TLS: "},
		{"direct to the plain port", server.DirectTLS, p.C2S, trusted, "TLS: "},
		{"plain to the direct port", server.TLSNone, p.DirectTLS, nil, "stream header: "},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newServer(t, p, func(c *server.Config) {
				c.Addresses, c.TLS, c.TLSConfig = []string{tt.address}, tt.mode, tt.config
			})
			if tt.want == "" {
				opens(t, s, alice)
				return
			}
			err := fails(t, t.Context(), s, alice, tt.want)
			if err != nil && !strings.Contains(err.Error(), tt.address) {
				t.Errorf("error %q does not name %s", err, tt.address)
			}
		})
	}
}

func TestAddressesAreSpreadAndPassedOver(t *testing.T) {
	p1, p2 := prosodytest.Start(t, prosody.Options{}), prosodytest.Start(t, prosody.Options{})
	makeAccount(t, p1, alice)
	makeAccount(t, p2, alice)
	s := newServer(t, p1, func(c *server.Config) { c.Addresses = []string{p1.C2S, p2.C2S} })
	reached := func() map[string]int {
		t.Helper()
		n := make(map[string]int)
		for range 4 {
			conn, err := s.Open(t.Context(), alice)
			if err != nil {
				t.Fatal(err)
			}
			n[conn.RemoteAddr().String()]++
			conn.Close()
		}
		return n
	}
	if n := reached(); n[p1.C2S] != 2 || n[p2.C2S] != 2 {
		t.Errorf("streams are not spread: %v", n)
	}
	if err := p1.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := reached(); n[p2.C2S] != 4 {
		t.Errorf("the address that is down is not passed over: %v", n)
	}
	if err := p2.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	err := fails(t, t.Context(), s, alice, p1.C2S)
	if !strings.Contains(err.Error(), p2.C2S) {
		t.Errorf("error %q does not name %s", err, p2.C2S)
	}
	if err := p1.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := reached(); n[p1.C2S] != 4 {
		t.Errorf("the address that is back is not used: %v", n)
	}
}

func TestFrozenServerIsBoundedByContext(t *testing.T) {
	p := prosodytest.Start(t, prosody.Options{})
	makeAccount(t, p, alice)
	s := newServer(t, p, nil)
	opens(t, s, alice)
	if err := p.Freeze(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := fails(t, ctx, s, alice, p.C2S); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error %v is not the context's", err)
	}
	if err := p.Thaw(); err != nil {
		t.Fatal(err)
	}
	opens(t, s, alice)
}

func TestContextDoesNotOutliveOpen(t *testing.T) {
	p := prosodytest.Start(t, prosody.Options{})
	makeAccount(t, p, alice)
	s := newServer(t, p, nil)
	ctx, cancel := context.WithCancel(t.Context())
	conn, err := s.Open(ctx, alice)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	cancel()
	if got := restart(t, conn); !strings.Contains(got, "bind") {
		t.Errorf("no binding offered: %q", got)
	}
}

func TestManyAtOnce(t *testing.T) {
	p := prosodytest.Start(t, prosody.Options{})
	makeAccount(t, p, alice)
	s := newServer(t, p, nil)
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() { opens(t, s, alice) })
	}
	wg.Wait()
	if n := server.KeptKeys(s); n != 1 {
		t.Errorf("%d sets of keys are kept for one user", n)
	}
}

func TestServerThatRequiresTLS(t *testing.T) {
	p := prosodytest.Start(t, prosody.Options{TLS: true, HostLines: "c2s_require_encryption = true"})
	s := newServer(t, p, nil)
	fails(t, t.Context(), s, alice, `set tls to "starttls"`)
}

func TestNothingListens(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	l.Close()
	s, err := server.New(server.Config{Domain: "example.org", Addresses: []string{address}, AccountSecret: secret})
	if err != nil {
		t.Fatal(err)
	}
	fails(t, t.Context(), s, alice, address)
}
