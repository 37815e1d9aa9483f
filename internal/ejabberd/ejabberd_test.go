package ejabberd_test

import (
	"crypto/tls"
	"io"
	"net"
	"strings"
	"testing"

	"xtokend/internal/ejabberd"
	"xtokend/internal/ejabberdtest"
	"xtokend/internal/stockserver/stockservertest"
)

func TestFeatures(t *testing.T) {
	for _, tt := range []struct {
		name      string
		options   ejabberd.Options
		preamble  string
		want, not string
	}{
		{name: "usual", want: "<mechanism>SCRAM-SHA-1</mechanism>", not: "iq-register"},
		{
			name:    "registration",
			options: ejabberd.Options{Domain: "chat.test", Modules: map[string]any{"mod_register": map[string]any{}}},
			want:    "http://jabber.org/features/iq-register", not: "example.org",
		},
		{
			name:     "PROXY protocol",
			options:  ejabberd.Options{ProxyProtocol: true},
			preamble: "PROXY TCP4 192.0.2.7 127.0.0.1 4000 5222\r\n",
			want:     "<mechanism>SCRAM-SHA-1</mechanism>", not: "starttls",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := ejabberdtest.Start(t, tt.options)
			got := stockservertest.PlainFeatures(t, s, tt.preamble)
			if !strings.Contains(got, tt.want) {
				t.Errorf("%q lacks %q", got, tt.want)
			}
			if strings.Contains(got, tt.not) {
				t.Errorf("%q has %q", got, tt.not)
			}
			if err := s.Stop(t.Context()); err != nil { // so that the log is complete
				t.Fatal(err)
			}
			if tt.options.ProxyProtocol && !strings.Contains(s.Log(), "192.0.2.7") {
				t.Error("the client's address is not in the server's log")
			}
		})
	}
}

func TestTLS(t *testing.T) {
	s := ejabberdtest.Start(t, ejabberd.Options{TLS: true})
	settings := &tls.Config{RootCAs: s.Roots(), ServerName: s.Domain}
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
	s := ejabberdtest.Start(t, ejabberd.Options{})
	has := func() bool {
		t.Helper()
		return stockservertest.HasAccount(t, s, "anna-lee.b")
	}
	if has() {
		t.Fatal("an account exists that was never made")
	}
	for _, password := range []string{"secret", "another"} {
		if err := s.Register(t.Context(), "anna-lee.b", password); err != nil {
			t.Fatal(err)
		}
	}
	if !has() {
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
	for _, before := range []string{"stopped", "killed"} {
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
	if !has() {
		t.Error("the account is gone after a restart")
	}
}

func TestStartFailureShowsCause(t *testing.T) {
	_, err := ejabberd.Start(t.Context(), ejabberd.Options{Dir: t.TempDir(), TopLevel: map[string]any{"no_such_setting": 1}})
	if err == nil || !strings.Contains(err.Error(), "no_such_setting") {
		t.Errorf("error %v does not name the setting", err)
	}
}
