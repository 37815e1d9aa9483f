package host_test

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"regexp"
	"strings"
	"testing"
	"time"

	"mellium.im/xmpp/jid"

	"xtokend/component/host"
	"xtokend/internal/xmlsplit"
)

const domain = "example.org"

// patience bounds each wait of a test; reaching it is a failure.
const patience = 20 * time.Second

func newHost(t testing.TB, c host.Config) *host.Host {
	t.Helper()
	c.Domain = domain
	c.Log = slog.New(slog.NewTextHandler(t.Output(), nil))
	h, err := host.New(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := h.Close(); err != nil {
			t.Error(err)
		}
	})
	return h
}

// client is a client's end of a stream, as the front would have it.
type client struct {
	t    testing.TB
	name string
	conn net.Conn
	r    *xmlsplit.Reader
}

const header = "<?xml version='1.0'?><stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' to='example.org' version='1.0'>"

// connect opens a stream up to the features.
func connect(t testing.TB, h *host.Host, local string) *client {
	t.Helper()
	c := dial(t, h, local)
	c.send(header)
	c.readHeader()
	if features := c.next(); !strings.Contains(features, "xmpp-bind") {
		t.Fatalf("features: %s", features)
	}
	return c
}

// dial has the host open a stream on which nothing has been said.
func dial(t testing.TB, h *host.Host, local string) *client {
	t.Helper()
	conn, err := h.Open(context.Background(), jid.MustParse(local+"@"+domain))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return &client{t: t, name: local, conn: conn, r: xmlsplit.NewReader(conn, xmlsplit.Limits{})}
}

func (c *client) readHeader() {
	c.t.Helper()
	c.expectUnit(xmlsplit.Header)
}

// login connects and binds the resource of local/resource.
func login(t testing.TB, h *host.Host, address string) *client {
	t.Helper()
	local, resource, _ := strings.Cut(address, "/")
	c := connect(t, h, local)
	c.name = address
	c.send("<iq type='set' id='bind'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>%s</resource></bind></iq>", resource)
	c.expect("<iq type='result' id='bind'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><jid>%s@example.org/%s</jid></bind></iq>", local, resource)
	return c
}

// online logs in and becomes available.
func online(t testing.TB, h *host.Host, address string) *client {
	t.Helper()
	c := login(t, h, address)
	c.send("<presence/>")
	c.expect("<presence from='%s' …/>", c.jid())
	return c
}

func (c *client) jid() string {
	local, resource, _ := strings.Cut(c.name, "/")
	return local + "@" + domain + "/" + resource
}

func (c *client) send(format string, args ...any) {
	c.t.Helper()
	if len(args) > 0 {
		format = fmt.Sprintf(format, args...)
	}
	if _, err := c.conn.Write([]byte(format)); err != nil {
		c.t.Fatalf("%s: %v", c.name, err)
	}
}

func (c *client) expectUnit(want xmlsplit.Kind) string {
	c.t.Helper()
	c.conn.SetReadDeadline(time.Now().Add(patience))
	kind, unit, err := c.r.Next()
	if err != nil || kind != want {
		c.t.Fatalf("%s got %v %q, %v, wants %v", c.name, kind, unit, err, want)
	}
	return string(unit)
}

func (c *client) next() string { c.t.Helper(); return c.expectUnit(xmlsplit.Element) }

// expect reads the next element, which must be this; … stands for anything.
func (c *client) expect(format string, args ...any) string {
	c.t.Helper()
	if len(args) > 0 {
		format = fmt.Sprintf(format, args...)
	}
	got := c.next()
	if !matches(format, got) {
		c.t.Fatalf("%s got\n%s, wants\n%s", c.name, got, format)
	}
	return got
}

func matches(pattern, text string) bool {
	parts := strings.Split(pattern, "…")
	for i := range parts {
		parts[i] = regexp.QuoteMeta(parts[i])
	}
	return regexp.MustCompile(`(?s)^` + strings.Join(parts, ".*") + `$`).MatchString(text)
}

// expectNothing shows that nothing has come: what is answered at once comes next.
func (c *client) expectNothing() {
	c.t.Helper()
	c.send("<iq type='get' id='nothing' to='example.org'><ping xmlns='urn:xmpp:ping'/></iq>")
	c.expect("<iq type='result' id='nothing' from='example.org' to='%s'/>", c.jid())
}

// drop breaks the connection without an end of the stream.
func (c *client) drop() { c.conn.Close() }

func cut(address string) (local, resource string, ok bool) { return strings.Cut(address, "/") }
