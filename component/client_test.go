package component_test

import (
	"bytes"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"xtokend/internal/transcript"
)

const (
	header    = transcript.Header
	ourHeader = transcript.FrontHeader

	starttlsRequired = `<stream:features><starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'><required/></starttls></stream:features>`
	mechanisms       = `<mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><mechanism>X-TOKEN</mechanism><mechanism>HMAC</mechanism><mechanism>PLAIN</mechanism></mechanisms>`
	success          = `<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>`
	relayedFeatures  = `<stream:features><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><required/></bind><sm xmlns='urn:xmpp:sm:3'><optional/></sm></stream:features>`
)

// client speaks bytes: nothing between the test and the wire.
type client struct {
	t    *testing.T
	conn net.Conn
	buf  bytes.Buffer // received and not yet expected
}

// dial connects by "tcp", "starttls", "tls", "websocket" or "bosh", up to where a
// stream header is due.
func (sc *scene) dial(t *testing.T, transport string) *client {
	t.Helper()
	if transport == "bosh" {
		return &client{t: t, conn: dialBOSH(t, sc.http.String())}
	}
	if transport == "websocket" {
		conn := dialWebSocket(t, sc.http.String())
		conn.SetDeadline(time.Now().Add(patience))
		t.Cleanup(func() { conn.Close() })
		return &client{t: t, conn: conn}
	}
	address := sc.tcp
	if transport == "tls" {
		address = sc.tls
	}
	conn, err := net.Dial("tcp4", address.String())
	must(t, err)
	conn.SetDeadline(time.Now().Add(patience))
	c := &client{t: t, conn: conn}
	t.Cleanup(func() { conn.Close() })
	switch transport {
	case "starttls":
		c.send(header)
		c.expect(ourHeader + `<stream:features><starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'>…</stream:features>`)
		c.send(`<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>`)
		c.expect(`<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>`)
		c.handshake(sc.clientTLS)
	case "tls":
		c.handshake(sc.clientTLS)
	}
	return c
}

func (c *client) handshake(config *tls.Config) {
	c.t.Helper()
	tc := tls.Client(c.conn, config)
	must(c.t, tc.Handshake())
	c.conn = tc
}

// open sends a header and takes the front's, with its mechanisms.
func (c *client) open() {
	c.t.Helper()
	c.send(header)
	c.expect(ourHeader + `<stream:features>…</stream:features>`)
}

// login authenticates by X-TOKEN and opens the stream that is relayed.
func (c *client) login(sc *scene, user string) {
	c.t.Helper()
	c.open()
	c.authenticate(sc, user)
}

// authenticate does what is left to do on a stream that is open.
func (c *client) authenticate(sc *scene, user string) {
	c.t.Helper()
	c.send(transcript.AuthElement("X-TOKEN", "", user, sc.token(c.t, user, 0)))
	c.expect(success)
	c.send(header)
	c.expect(ourHeader + relayedFeatures)
}

func (c *client) send(s string) {
	c.t.Helper()
	if _, err := io.WriteString(c.conn, s); err != nil {
		c.t.Fatalf("sending: %v", err)
	}
}

// expect reads until what came matches the pattern, in which … stands for
// anything, and takes that away.
func (c *client) expect(pattern string) {
	c.t.Helper()
	re := transcript.Pattern(pattern)
	for {
		if loc := re.FindIndex(c.buf.Bytes()); loc != nil {
			c.buf.Next(loc[1])
			return
		}
		if err := c.more(); err != nil {
			c.t.Fatalf("expected\n%s\nreceived\n%s\nthen %v", pattern, c.buf.String(), err)
		}
	}
}

// expectEOF demands that nothing more comes.
func (c *client) expectEOF() {
	c.t.Helper()
	for {
		err := c.more()
		if c.buf.Len() > 0 {
			c.t.Fatalf("expected the end of the connection, received\n%s", c.buf.String())
		}
		if errors.Is(err, io.EOF) {
			return
		}
		must(c.t, err)
	}
}

func (c *client) more() error {
	b := make([]byte, 4096)
	n, err := c.conn.Read(b)
	c.buf.Write(b[:n])
	if n > 0 {
		return nil
	}
	return err
}

func encode(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }
