package component

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"sync/atomic"
	"time"

	"xtokend/internal/xmlsplit"
)

// transport is the client's side of a session in plain stream form: reading
// yields stream headers, whole top-level elements and stream ends, and writing
// takes the same. The session's goroutine owns it; interrupt alone may be
// called from others.
type transport struct {
	conn      net.Conn // TLS once secured
	raw       net.Conn // what was accepted
	reader    *xmlsplit.Reader
	loopback  bool
	secure    bool
	directTLS *tls.Config // nil: begins in clear

	limits      Limits
	interrupted atomic.Bool
}

func newTransport(conn net.Conn, loopback bool, l Limits) *transport {
	t := &transport{conn: conn, raw: conn, loopback: loopback, limits: l}
	t.newReader()
	return t
}

func (t *transport) newReader() {
	t.reader = xmlsplit.NewReader(t.conn, xmlsplit.Limits{ElementBytes: negotiationElementBytes, Depth: t.limits.ElementDepth})
}

// name is what the log calls the transport.
func (t *transport) name() string {
	switch {
	case t.directTLS != nil:
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

// secureWith does a TLS handshake (RFC 6120 §5.4.3). Whatever was known of the
// stream before is forgotten.
func (t *transport) secureWith(ctx context.Context, config *tls.Config) error {
	conn := tls.Server(t.raw, config)
	if err := conn.HandshakeContext(ctx); err != nil {
		return fmt.Errorf("%w: %w", errHandshake, err)
	}
	t.conn, t.secure = conn, true
	t.newReader()
	return nil
}

// Write writes whole units, within the write timeout.
func (t *transport) Write(p []byte) (int, error) {
	t.extendWrite()
	return t.conn.Write(p)
}

func (t *transport) extendWrite() {
	t.raw.SetWriteDeadline(time.Now().Add(t.limits.WriteTimeout))
	if t.interrupted.Load() {
		t.raw.SetWriteDeadline(time.Now().Add(closeTimeout))
	}
}

// interrupt makes pending and later reads fail at once, and writes soon.
func (t *transport) interrupt() {
	t.interrupted.Store(true)
	t.raw.SetReadDeadline(time.Unix(1, 0))
	t.raw.SetWriteDeadline(time.Now().Add(closeTimeout))
}

// linger closes the writing side and waits, within bounds, until the client has
// closed too: closing with bytes unread would reset the connection, and the
// client might never see our last words.
func (t *transport) linger() {
	t.raw.SetWriteDeadline(time.Now().Add(closeTimeout))
	if c, ok := t.conn.(*tls.Conn); ok {
		c.CloseWrite()
	}
	c, ok := t.raw.(interface{ CloseWrite() error })
	if !ok || c.CloseWrite() != nil {
		return
	}
	t.raw.SetReadDeadline(time.Now().Add(closeTimeout))
	io.CopyN(io.Discard, t.raw, lingerBytes)
}

// setReadDeadline bounds all reads until the next call by ctx's deadline, if it
// has one.
func (t *transport) setReadDeadline(ctx context.Context) {
	deadline, _ := ctx.Deadline()
	t.raw.SetReadDeadline(deadline)
	if t.interrupted.Load() {
		t.interrupt()
	}
}
