package link_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"xtokend/component/link"
	"xtokend/component/server"
	"xtokend/internal/peertest"
)

func TestNewRefusesSettings(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(*link.Config)
		want   string // empty: taken
	}{
		{"nothing changed", func(*link.Config) {}, ""},
		{"elsewhere with TLS", func(c *link.Config) { c.Address = "10.0.0.1:5347"; c.TLS = &tls.Config{} }, ""},
		{"elsewhere without TLS", func(c *link.Config) { c.Address = "10.0.0.1:5347" }, "needs TLS"},
		{"no port", func(c *link.Config) { c.Address = "127.0.0.1" }, "missing port"},
		{"no name", func(c *link.Config) { c.Name = "" }, "name"},
		{"name that would end an attribute", func(c *link.Config) { c.Name = "a'b" }, "name"},
		{"no domain", func(c *link.Config) { c.Domain = "" }, "domain"},
		{"no secret", func(c *link.Config) { c.Secret = nil }, "secret"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := link.Config{Address: "127.0.0.1:5347", Name: "xtoken.example.org", Secret: []byte("s"), Domain: "example.org"}
			tt.change(&c)
			_, err := link.New(c)
			if tt.want == "" && err != nil {
				t.Error(err)
			}
			if tt.want != "" {
				says(t, err, tt.want)
			}
		})
	}
}

func TestDownBeforeRun(t *testing.T) {
	l, err := link.New(link.Config{Address: "127.0.0.1:1", Name: "xtoken.example.org", Secret: []byte("s"), Domain: "example.org"})
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Add(t.Context(), alice, "one"); !errors.Is(err, link.ErrDown) {
		t.Errorf("add: %v", err)
	}
}

const (
	fromDomain = " from='example.org'"
	completed  = "<command xmlns='http://jabber.org/protocol/commands' status='completed' node='x' sessionid='y'>%s</command>"
	stanzaNS   = "xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'"
)

// failure is a stanza error.
func failure(condition string) string {
	return "<error type='cancel'><" + condition + " " + stanzaNS + "/><text " + stanzaNS + ">because</text></error>"
}

func TestAnswers(t *testing.T) {
	add := func(l *running) error { return l.Add(context.Background(), alice, "one") }
	set := func(l *running) error { return l.SetPassword(context.Background(), alice, "one") }
	remove := func(l *running) error { return l.Remove(context.Background(), alice) }
	list := func(l *running) error { _, err := l.List(context.Background()); return err }
	for _, tt := range []struct {
		name       string
		do         func(*running) error
		kind, body string
		want       error  // if not nil
		says       string // if not empty
	}{
		{"add, no note", add, "result", fmt.Sprintf(completed, ""), nil, ""},
		{"add, a warning", add, "result", fmt.Sprintf(completed, "<note type='warn'>careful</note>"), nil, ""},
		{"add, existing", add, "error", failure("conflict"), server.ErrAccountExists, ""},
		{"add, forbidden", add, "error", failure("forbidden"), nil, "admins"},
		{"add, other error", add, "error", failure("resource-constraint"), nil, `resource-constraint "because"`},
		{"add, error without condition", add, "error", "<error type='wait'/>", nil, "undefined-condition"},
		{"add, error that is empty", add, "error", "", nil, "says nothing"},
		{"add, unknown command", add, "error", failure("item-not-found"), nil, "mod_configure"},
		{"add, other note", add, "result", fmt.Sprintf(completed, "<note type='error'>Failed to write data to disk</note>"), nil, "Failed to write"},
		{"add, second stage", add, "result", strings.Replace(completed, "completed", "executing", 1), nil, "one stage"},
		{"add, empty result", add, "result", "", nil, "one stage"},
		{"add, command of another namespace", add, "result", "<command xmlns='x' status='completed'/>", nil, "one stage"},
		{"set, nobody", set, "error", failure("item-not-found"), link.ErrNoAccount, ""},
		{"remove, nobody", remove, "error", failure("item-not-found"), link.ErrNoAccount, ""},
		{"remove, conflict", remove, "error", failure("conflict"), nil, "conflict"},
		{"list, unknown command", list, "error", failure("service-unavailable"), link.ErrListUnsupported, ""},
		{"list, no form", list, "result", fmt.Sprintf(completed, ""), nil, "no form"},
		{"list, not a JID", list, "result", fmt.Sprintf(completed, "<x xmlns='jabber:x:data' type='form'><field var='registereduserjids'><value>@</value></field></x>"), nil, `"@"`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			address := peertest.Serve(t, func(p *peertest.Peer) {
				accept(p)
				answer(p, tt.kind, fromDomain, request(p), tt.body)
				p.Rest()
			})
			l := run(t, address, "s", nil)
			l.up(t)
			err := tt.do(l)
			switch {
			case tt.says != "":
				says(t, err, tt.says)
			case !errors.Is(err, tt.want):
				t.Errorf("error %v, want %v", err, tt.want)
			}
			l.stop()
		})
	}
}

func TestList(t *testing.T) {
	const form = "<x xmlns='jabber:x:data' type='form'><field var='FORM_TYPE' type='hidden'><value>http://jabber.org/protocol/admin</value></field>" +
		"<field var='registereduserjids' type='jid-multi'><value>alice@example.org</value><value>bob@example.org</value></field></x>"
	address := peertest.Serve(t, func(p *peertest.Peer) {
		accept(p)
		answer(p, "result", fromDomain, request(p), fmt.Sprintf(completed, form))
		p.Rest()
	})
	l := run(t, address, "s", nil)
	l.up(t)
	users, err := l.List(t.Context())
	if err != nil || len(users) != 2 || users[0].String() != "alice@example.org" || users[1].String() != "bob@example.org" {
		t.Errorf("list: %v, %v", users, err)
	}
	l.stop()
}

// A user of the server can send results and errors to the component, but
// knows no id and cannot take the domain's name.
func TestForgedAnswers(t *testing.T) {
	address := peertest.Serve(t, func(p *peertest.Peer) {
		accept(p)
		id := request(p)
		success := fmt.Sprintf(completed, "")
		for _, from := range []string{
			" from='mallory@example.org/x'", " from='mallory@example.org'", " from='example.org/x'", " from='xtoken.example.org'",
			" from='example.com'", " from=''", "", " from='EXAMPLE.ORG '", " xmlns:f='x' f:from='example.org'",
		} {
			answer(p, "result", from, id, success)
			answer(p, "error", from, id, failure("forbidden"))
		}
		answer(p, "result", fromDomain, "", success)
		answer(p, "result", fromDomain, id+"x", success)
		answer(p, "result", fromDomain, id[1:], success)
		p.Send("<message type='result' id='" + id + "'" + fromDomain + "><body/></message>")
		answer(p, "result", fromDomain, id, fmt.Sprintf(completed, "<note type='error'>Account already exists</note>"))
		answer(p, "result", fromDomain, id, success) // too late
		answer(p, "result", fromDomain, request(p), fmt.Sprintf(completed, "<note type='error'>User does not exist</note>"))
		p.Rest()
	})
	l := run(t, address, "s", nil)
	l.up(t)
	if err := l.Add(t.Context(), alice, "one"); !errors.Is(err, server.ErrAccountExists) {
		t.Errorf("add: %v", err)
	}
	if err := l.SetPassword(t.Context(), alice, "one"); !errors.Is(err, link.ErrNoAccount) {
		t.Errorf("set: %v", err)
	}
	l.stop()
}

func TestBreakFailsWhatWaits(t *testing.T) {
	address := peertest.Serve(t, func(p *peertest.Peer) {
		accept(p)
		request(p)
		request(p)
	})
	l := run(t, address, "s", nil)
	l.up(t)
	failed := make(chan error)
	for range 2 {
		go func() { failed <- l.Add(context.Background(), alice, "one") }()
	}
	for range 2 {
		if err := <-failed; !errors.Is(err, link.ErrDown) {
			t.Errorf("error %v, want %v", err, link.ErrDown)
		}
	}
	says(t, l.trouble(t), "closed the connection")
}

func TestBadServers(t *testing.T) {
	up := func(after string) func(*peertest.Peer) {
		return func(p *peertest.Peer) { accept(p); p.Send(after); p.Rest() }
	}
	opening := func(text string) func(*peertest.Peer) {
		return func(p *peertest.Peer) { p.Expect(`<stream:stream [^>]*>`); p.Send(text); p.Rest() }
	}
	const element = 4 << 20 // the limit
	for _, tt := range []struct {
		name string
		play func(*peertest.Peer)
		want string
	}{
		{"rubbish", opening("HTTP/1.1 400 Bad Request\r\n\r\n"), ""},
		{"no component stream", opening("<html xmlns='x'>"), ""},
		{"DTD", opening("<!DOCTYPE a [<!ENTITY b 'c'>]>" + header), "restricted"},
		{"no end", opening("<stream:stream a='" + strings.Repeat("a", element) + "'"), "long"},
		{"no handshake", opening(header + "<iq/>"), ""},
		{"stream error", up("<stream:error><system-shutdown xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error></stream:stream>"), "system-shutdown"},
		{"end of stream", up("</stream:stream>"), "closed the connection"},
		{"another stream", up(header), ""},
		{"giant element", up("<message>" + strings.Repeat("a", element)), "long"},
		{"giant attribute", up("<message a='" + strings.Repeat("a", element)), "long"},
		{"deep element", up(strings.Repeat("<a>", element/3+1)), "long"},
		{"comment", up("<!-- -->"), "restricted"},
		{"text", up("text"), ""},
		{"broken XML", up("<iq></message>"), ""},
		{"bad UTF-8", up("<iq a='\xff'/>"), ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			address := peertest.Serve(t, tt.play, func(p *peertest.Peer) {
				accept(p)
				answer(p, "result", fromDomain, request(p), fmt.Sprintf(completed, ""))
				p.Rest()
			})
			l := run(t, address, "s", nil)
			says(t, l.trouble(t), tt.want)
			l.again <- time.Time{}
			l.up(t)
			if err := l.Add(t.Context(), alice, "one"); err != nil {
				t.Errorf("add on the next connection: %v", err)
			}
			l.stop()
		})
	}
}

func TestLargestElementPasses(t *testing.T) {
	address := peertest.Serve(t, func(p *peertest.Peer) {
		accept(p)
		const frame = "<message></message>"
		p.Send("<message>" + strings.Repeat("a", 4<<20-len(frame)) + "</message>" + strings.Repeat("<a>", 100_000) + strings.Repeat("</a>", 100_000))
		answer(p, "result", fromDomain, request(p), fmt.Sprintf(completed, ""))
		p.Rest()
	})
	l := run(t, address, "s", nil)
	l.up(t)
	if err := l.Add(t.Context(), alice, "one"); err != nil {
		t.Error(err)
	}
	l.stop()
}

func TestBackoffGrowsAndStartsAnew(t *testing.T) {
	refuse := func(p *peertest.Peer) { p.Expect(`<stream:stream [^>]*>`) }
	address := peertest.Serve(t, refuse, refuse, refuse, refuse, refuse, refuse, refuse,
		func(p *peertest.Peer) { accept(p) }, refuse)
	l := run(t, address, "s", nil)
	for i, most := range []time.Duration{500, 1000, 2000, 4000, 8000, 10000, 10000, 500, 1000} {
		most *= time.Millisecond
		if wait := <-l.waits; wait < most/2 || wait > most {
			t.Errorf("wait %d is %v, want %v to %v", i, wait, most/2, most)
		}
		if i < 8 {
			l.again <- time.Time{}
		}
	}
	// Told once for the outage of seven attempts, once for the break after it,
	// and once for what followed.
	if n := strings.Count(l.log.String(), "component link is down"); n > 3 {
		t.Errorf("told %d times:\n%s", n, l.log.String())
	}
}

// panicOnce is a log whose first line panics.
type panicOnce struct {
	slog.Handler
	once *sync.Once
}

func (p panicOnce) Handle(ctx context.Context, r slog.Record) error {
	p.once.Do(func() { panic("a fault of ours") })
	return p.Handler.Handle(ctx, r)
}

func TestPanicEndsConnectionOnly(t *testing.T) {
	play := func(p *peertest.Peer) { accept(p); p.Rest() }
	address := peertest.Serve(t, play, play)
	log := new(peertest.Log)
	l := run(t, address, "s", func(c *link.Config) {
		c.Log = slog.New(panicOnce{slog.NewTextHandler(log, nil), new(sync.Once)})
	})
	says(t, l.trouble(t), "panic")
	says(t, errors.New(log.String()), "a fault of ours")
	l.again <- time.Time{}
	l.up(t)
	l.stop()
}

func TestEndOfRunClosesStream(t *testing.T) {
	got := make(chan string, 1)
	address := peertest.Serve(t, func(p *peertest.Peer) {
		accept(p)
		got <- p.Rest()
	})
	l := run(t, address, "s", nil)
	l.up(t)
	l.stop()
	if text := <-got; text != "</stream:stream>" {
		t.Errorf("the link ended with %q", text)
	}
	if l.Up() {
		t.Error("the link is up after the end of Run")
	}
}

func TestEndOfRunInterruptsHandshake(t *testing.T) {
	begun := make(chan struct{})
	address := peertest.Serve(t, func(p *peertest.Peer) {
		p.Expect(`<stream:stream [^>]*>`)
		close(begun)
		p.Rest()
	})
	l := run(t, address, "s", nil)
	<-begun
	l.stop()
}

func TestDirectTLS(t *testing.T) {
	https := httptest.NewTLSServer(nil) // for its certificate
	defer https.Close()
	roots := x509.NewCertPool()
	roots.AddCert(https.Certificate())
	for _, tt := range []struct {
		name   string
		config *tls.Config
		want   string // empty: up
	}{
		{"known authority", &tls.Config{RootCAs: roots, ServerName: "example.com"}, ""},
		{"the domain is not in the certificate", &tls.Config{RootCAs: roots}, "example.org"},
		{"unknown authority", &tls.Config{ServerName: "example.com"}, "authority"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			plain, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			play := func(p *peertest.Peer) {
				accept(p)
				answer(p, "result", fromDomain, request(p), fmt.Sprintf(completed, ""))
				p.Rest()
			}
			if tt.want != "" {
				play = func(p *peertest.Peer) { p.Rest() }
			}
			peertest.ServeOn(t, tls.NewListener(plain, https.TLS), play)
			l := run(t, plain.Addr().String(), "s", func(c *link.Config) { c.TLS = tt.config })
			if tt.want != "" {
				says(t, l.trouble(t), tt.want)
				return
			}
			l.up(t)
			if err := l.Add(t.Context(), alice, "one"); err != nil {
				t.Error(err)
			}
			l.stop()
		})
	}
}
