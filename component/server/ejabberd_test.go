package server_test

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"testing"

	"mellium.im/xmpp/jid"

	"xtokend/component/server"
	"xtokend/internal/ejabberd"
	"xtokend/internal/ejabberdtest"
	"xtokend/internal/stockserver/stockservertest"
	"xtokend/sasl"
)

func TestLoginsToEjabberd(t *testing.T) {
	p := ejabberdtest.Start(t, ejabberd.Options{TLS: true})
	l, _ := startLink(t, p)
	trusted := &tls.Config{RootCAs: p.Roots()}
	accounts := &counted{Accounts: l}
	for i, tt := range []struct {
		name    string
		mode    server.TLSMode
		address string
	}{
		{"plain", server.TLSNone, p.C2S},
		{"STARTTLS", server.StartTLS, p.C2S},
		{"direct TLS", server.DirectTLS, p.DirectTLS},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newServer(t, p, func(c *server.Config) {
				c.Addresses, c.TLS, c.TLSConfig, c.Accounts = []string{tt.address}, tt.mode, trusted, accounts
			})
			user := jid.MustParse(string(rune('a'+i)) + "@example.org")
			opens(t, s, user)
			accounts.was(t, i+1, 0)
			opens(t, s, user)
			accounts.was(t, i+1, 0)
		})
	}
}

// Unlike Prosody, ejabberd lets sessions go on under a password that was changed.
func TestTakeoverOnEjabberdLeavesSessionsAlone(t *testing.T) {
	p := ejabberdtest.Start(t, ejabberd.Options{})
	l, _ := startLink(t, p)
	accounts := &counted{Accounts: l}
	s := newServer(t, p, func(c *server.Config) { c.Accounts = accounts })
	before, err := s.Open(t.Context(), alice)
	if err != nil {
		t.Fatal(err)
	}
	defer before.Close()
	restart(t, before)
	ask(t, before, "<iq type='set' id='bind'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>", "</bind></iq>")

	if err := p.Register(t.Context(), "alice", "her own"); err != nil {
		t.Fatal(err)
	}
	refuses(t, s, alice, sasl.NotAuthorized, "account-exists")
	accounts.was(t, 2, 0)
	taking := newServer(t, p, func(c *server.Config) { c.Accounts, c.Takeover = accounts, true })
	opens(t, taking, alice)
	accounts.was(t, 3, 1)
	ask(t, before, "<iq type='get' id='ping' to='example.org'><ping xmlns='urn:xmpp:ping'/></iq>", "id='ping'")
}

// ask sends a request and reads up to the end of its answer.
func ask(t *testing.T, conn net.Conn, request, end string) {
	t.Helper()
	if _, err := io.WriteString(conn, request); err != nil {
		t.Error(err)
	}
	readUntil(t, conn, end)
}

func TestRegisterOnEjabberd(t *testing.T) {
	p := ejabberdtest.Start(t, ejabberd.Options{
		Modules: map[string]any{"mod_register": map[string]any{
			"ip_access": map[string]any{"allow": map[string]any{"ip": "127.0.0.0/8"}},
		}},
		TopLevel: map[string]any{"registration_timeout": "infinity"},
	})
	r, err := server.NewRegistration(server.Config{Domain: p.Domain, Addresses: []string{p.C2S}})
	if err != nil {
		t.Fatal(err)
	}
	s := newServer(t, p, func(c *server.Config) { c.Accounts = r })
	opens(t, s, alice)
	if !stockservertest.HasAccount(t, p, "alice") {
		t.Error("no account after a login")
	}
	if err := r.Add(t.Context(), alice, "another"); !errors.Is(err, server.ErrAccountExists) {
		t.Errorf("add: %v, want %v", err, server.ErrAccountExists)
	}
	opens(t, s, alice)
}
