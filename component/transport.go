package component

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/netip"
	"time"

	"xtokend/internal/proxyheader"
	"xtokend/internal/xmlsplit"
)

// transport is the client's side of a session in plain stream form: reading
// yields stream headers, whole top-level elements and stream ends, and writing
// takes the same. The session's goroutine owns it; interrupt alone may be
// called from others.
type transport struct {
	*boundedConn
	reader   *xmlsplit.Reader // nil in the relay
	depth    int              // of elements, at most
	address  netip.Addr       // the client's
	loopback bool
	secure   bool
	proxyTLS bool // secure by a trusted proxy's word
	// One of these at most is set; none: TCP that begins in clear.
	directTLS *tls.Config
	framed    Conn
	framing   string // its name
}

func newTransport(conn net.Conn, loopback bool, l Limits) *transport {
	t := &transport{boundedConn: newBoundedConn(conn, l.WriteTimeout), address: addressOf(conn), loopback: loopback, depth: l.ElementDepth}
	t.newReader()
	return t
}

func newFramedTransport(conn Conn, c Client, l Limits) *transport {
	t := newTransport(conn, c.Loopback, l)
	t.address, t.secure, t.framed, t.framing = c.Address, c.Secure, conn, c.Transport
	return t
}

func (t *transport) newReader() {
	t.reader = xmlsplit.NewReader(t.Conn, xmlsplit.Limits{ElementBytes: negotiationElementBytes, Depth: t.depth})
}

// mayBeProxied reports whether the client's address is to be had from the
// connection alone.
func (t *transport) mayBeProxied() bool {
	_, ok := t.raw.(*proxyheader.Conn)
	return ok && t.framed == nil
}

// name is what the log calls the transport.
func (t *transport) name() string {
	switch {
	case t.framed != nil && t.secure:
		return t.framing + "+tls"
	case t.framed != nil:
		return t.framing
	case t.directTLS != nil || t.proxyTLS:
		return "tcp+tls"
	case t.secure:
		return "tcp+starttls"
	}
	return "tcp"
}

// next reads the next unit, skipping white space.
func (t *transport) next() (xmlsplit.Kind, []byte, error) {
	for {
		kind, unit, err := t.reader.Next()
		if err != nil || kind != xmlsplit.Space {
			return kind, unit, err
		}
	}
}

// restart expects a new stream, which may be relayed (RFC 6120 §6.4.6).
func (t *transport) restart(elementBytes int) {
	t.reader.Reset()
	if t.framed != nil {
		t.framed.Authenticated(elementBytes)
	}
}

// secureWith does a TLS handshake (RFC 6120 §5.4.3). Whatever was known of the
// stream before is forgotten.
func (t *transport) secureWith(ctx context.Context, config *tls.Config) error {
	conn := tls.Server(t.raw, config)
	if err := conn.HandshakeContext(ctx); err != nil {
		return fmt.Errorf("%w: %w", errHandshake, err)
	}
	t.Conn, t.secure = conn, true
	t.newReader()
	return nil
}

// say writes our last words.
func (t *transport) say(b []byte) {
	t.writeTimeout = closeTimeout
	t.raw.SetWriteDeadline(time.Now().Add(closeTimeout))
	t.Conn.Write(b)
}

// linger closes the writing side and waits, for so many bytes at most, until the client has
// closed too: closing with bytes unread would reset the connection, and the
// client might never see our last words.
func (t *transport) linger(most int64) {
	t.raw.SetWriteDeadline(time.Now().Add(closeTimeout))
	if c, ok := t.Conn.(*tls.Conn); ok {
		c.CloseWrite()
	}
	c, ok := t.raw.(interface{ CloseWrite() error })
	if !ok || c.CloseWrite() != nil {
		return
	}
	t.raw.SetReadDeadline(time.Now().Add(closeTimeout))
	io.CopyN(io.Discard, t.raw, most)
}
