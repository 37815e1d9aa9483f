package prosody_test

import (
	"crypto/tls"
	"io"
	"net"
	"strings"
	"testing"

	"xtokend/internal/prosody"
	"xtokend/internal/prosodytest"
	"xtokend/internal/stockserver/stockservertest"
)

func TestFeatures(t *testing.T) {
	for _, tt := range []struct {
		name      string
		options   prosody.Options
		want, not string
	}{
		{"stock", prosody.Options{}, "<mechanism>SCRAM-SHA-1</mechanism>", "iq-register"},
		{"SHA-256", prosody.Options{PasswordHash: "SHA-256"}, "<mechanism>SCRAM-SHA-256</mechanism>", "SCRAM-SHA-1<"},
		{"plain storage", prosody.Options{PlainStorage: true}, "<mechanism>SCRAM-SHA-256</mechanism>", "iq-register"},
		{"registration", prosody.Options{Register: true}, "http://jabber.org/features/iq-register", "iq-auth"},
		{"other domain", prosody.Options{Domain: "chat.test", NoComponent: true}, "from='chat.test'", "example.org"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := prosodytest.Start(t, tt.options)
			got := stockservertest.PlainFeatures(t, s, "")
			if !strings.Contains(got, tt.want) {
				t.Errorf("%q lacks %q", got, tt.want)
			}
			if strings.Contains(got, tt.not) {
				t.Errorf("%q has %q", got, tt.not)
			}
		})
	}
}

func TestTLS(t *testing.T) {
	s := prosodytest.Start(t, prosody.Options{TLS: true})
	settings := &tls.Config{RootCAs: s.Roots(), ServerName: s.Domain, NextProtos: []string{"xmpp-client"}}
	t.Run("direct", func(t *testing.T) {
		c, err := tls.Dial("tcp", s.DirectTLS, settings)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if got := stockservertest.Features(t, c, s.Domain); !strings.Contains(got, "<mechanism>") {
			t.Errorf("no mechanisms in %q", got)
		}
	})
	t.Run("STARTTLS", func(t *testing.T) {
		c, err := net.Dial("tcp", s.C2S)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		stockservertest.Features(t, c, s.Domain)
		if _, err := c.Write([]byte("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>")); err != nil {
			t.Fatal(err)
		}
		proceed := make([]byte, len("<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"))
		if _, err := io.ReadFull(c, proceed); err != nil {
			t.Fatal(err)
		}
		if got := stockservertest.Features(t, tls.Client(c, settings), s.Domain); !strings.Contains(got, "<mechanism>") {
			t.Errorf("no mechanisms in %q after %q", got, proceed)
		}
	})
}

func TestRestartKeepsAccountsAndAddresses(t *testing.T) {
	s := prosodytest.Start(t, prosody.Options{})
	if stockservertest.HasAccount(t, s, "anna-lee.b") {
		t.Fatal("an account exists that was never made")
	}
	if err := s.Register(t.Context(), "anna-lee.b", "secret"); err != nil {
		t.Fatal(err)
	}
	if !stockservertest.HasAccount(t, s, "anna-lee.b") {
		t.Error("no account after it was made")
	}
	address := s.C2S
	if err := s.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	<-s.Done()
	if c, err := net.Dial("tcp", address); err == nil {
		c.Close()
		t.Error("the port is still open after Stop")
	}
	for _, before := range []string{"stopped", "running", "killed"} {
		if before == "killed" {
			if err := s.Kill(); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.Restart(t.Context()); err != nil {
			t.Fatalf("restart when %s: %v", before, err)
		}
		if got := stockservertest.PlainFeatures(t, s, ""); s.C2S != address || !strings.Contains(got, "<mechanism>") {
			t.Errorf("restart when %s: %q at %s", before, got, s.C2S)
		}
	}
	if !stockservertest.HasAccount(t, s, "anna-lee.b") {
		t.Error("the account is gone after a restart")
	}
}

func TestStartFailureShowsCause(t *testing.T) {
	_, err := prosody.Start(t.Context(), prosody.Options{Dir: t.TempDir(), GlobalLines: "this is not Lua"})
	if err == nil || !strings.Contains(err.Error(), "prosody.cfg.lua") {
		t.Errorf("error %v does not name the configuration", err)
	}
}
