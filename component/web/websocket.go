package web

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/coder/websocket"

	"xtokend/component"
	"xtokend/internal/element"
	"xtokend/internal/framing"
	"xtokend/internal/socket"
	"xtokend/internal/xmlsplit"
)

const (
	subprotocol = "xmpp" // RFC 7395 §3.1
	// negotiationElementBytes bounds a message before authentication.
	negotiationElementBytes = 16384
	// messageBufferBytes holds most messages.
	messageBufferBytes = 1024
	// closeTimeout bounds the closing handshake (RFC 6455 §7.1.2).
	closeTimeout = 3 * time.Second
)

// websocket upgrades the request and hands the connection to the front.
func (s *Server) websocket(w http.ResponseWriter, r *http.Request, c component.Client) {
	// Without the subprotocol browsers close, and others do not know the framing.
	if !offers(r.Header, subprotocol) {
		http.Error(w, "this is an XMPP server: ask for the WebSocket subprotocol \"xmpp\" (RFC 7395)", http.StatusBadRequest)
		return
	}
	if s.front.Draining() {
		http.Error(w, "this server is about to stop: please connect again, elsewhere", http.StatusServiceUnavailable)
		return
	}
	beneath := &smallBuffers{ResponseWriter: w}
	ws, err := websocket.Accept(beneath, r, &websocket.AcceptOptions{
		Subprotocols:       []string{subprotocol},
		InsecureSkipVerify: true, // the origin is checked already
		CompressionMode:    websocket.CompressionDisabled,
	})
	if err != nil {
		s.log.Debug("no WebSocket", "address", c.Address.String(), "error", err)
		return
	}
	ws.SetReadLimit(-1) // Read has its own, which is told to the client
	s.front.ServeStream(&wsConn{ws: ws, frames: beneath.conn, Conn: connectionOf(r).raw,
		limit: negotiationElementBytes, header: true}, c)
}

// wsConn is a WebSocket in plain stream form. Reads and writes are on the
// WebSocket; deadlines and addresses are those of the connection beneath it.
type wsConn struct {
	net.Conn
	ws     *websocket.Conn
	frames *frameConn // beneath ws

	// Of the reading side.
	buf           []byte
	unread        []byte // of the unit that was read last
	failed        error  // for the next Read
	limit         int    // of a message
	authenticated bool
	header        bool // <open/> comes next
	ended         bool // <close/> was read

	// Of the writing side.
	scanner xmlsplit.Scanner
	sent    element.Header // ours
}

// Authenticated implements component.Conn.
func (c *wsConn) Authenticated(elementBytes int) {
	c.limit, c.authenticated, c.header = elementBytes, true, true
	c.scanner.Reset()
}

// Read implements component.Conn. After authentication it takes all messages that have come.
func (c *wsConn) Read(p []byte) (n int, err error) {
	if err := c.await(); err != nil {
		return 0, err
	}
	for {
		taken := copy(p[n:], c.unread)
		c.unread = c.unread[taken:]
		if n += taken; n == len(p) || !c.holdsUnit() {
			return n, nil
		}
		c.failed = c.nextUnit()
	}
}

// ReadLent is Read into a buffer that l lends when there is something to read.
func (c *wsConn) ReadLent(l socket.Lender) (int, error) {
	if err := c.await(); err != nil {
		return 0, err
	}
	return c.Read(l.Lend())
}

// await waits until there is something unread.
func (c *wsConn) await() (err error) {
	err, c.failed = c.failed, nil
	for err == nil && len(c.unread) == 0 {
		err = c.nextUnit()
	}
	return err
}

// holdsUnit says whether there is more to read without waiting.
func (c *wsConn) holdsUnit() bool {
	return c.authenticated && c.failed == nil && !c.header && !c.ended && c.frames.holdsMessage()
}

// nextUnit reads until there is something unread, or a message of white space.
func (c *wsConn) nextUnit() error {
	c.buf = giveBack(c.buf)
	if c.ended {
		return io.EOF
	}
	if err := c.readMessage(); err != nil {
		return err
	}
	return c.readUnit()
}

// readMessage reads one message into buf.
func (c *wsConn) readMessage() error {
	kind, r, err := c.ws.Reader(context.Background())
	if err != nil {
		return readError(err)
	}
	if kind != websocket.MessageText { // RFC 7395 §3.2
		return xmlsplit.ErrNotWellFormed
	}
	c.buf = lend()
	for {
		if len(c.buf) == cap(c.buf) {
			grown := make([]byte, len(c.buf), min(2*cap(c.buf), c.limit+1))
			copy(grown, c.buf)
			c.buf = grown
		}
		n, err := r.Read(c.buf[len(c.buf):cap(c.buf)])
		c.buf = c.buf[:len(c.buf)+n]
		switch {
		case len(c.buf) > c.limit:
			return xmlsplit.ErrTooLong
		case err == io.EOF:
			return nil
		case err != nil:
			return readError(err)
		}
	}
}

// readError is io.EOF unless a deadline has passed: a close frame without a
// <close/> before it, as browsers send when a page goes away, says no more than
// a broken connection (RFC 7395 §3.6.1).
func readError(err error) error {
	if ne := net.Error(nil); errors.As(err, &ne) && ne.Timeout() {
		return err
	}
	return io.EOF
}

// readUnit turns the message in buf into a unit. A message of white space alone
// is none.
func (c *wsConn) readUnit() error {
	kind, err := oneUnit(c.buf, xmlsplit.Scanner{
		Relay: c.authenticated, Limits: xmlsplit.Limits{ElementBytes: c.limit}})
	if err != nil || kind == xmlsplit.Space {
		return err
	}
	message := bytes.TrimSpace(c.buf)
	if root := rootName(message); !c.header && root != "open" && root != "close" {
		c.unread = message
		return nil
	}
	e, err := element.Parse(message, element.Header{})
	if err != nil {
		return xmlsplit.ErrNotWellFormed
	}
	switch {
	case e.Name.Space == nsFraming && e.Name.Local == "close":
		c.ended = true
		c.unread = []byte("</stream:stream>")
	case c.header:
		c.header = false
		c.unread = streamHeader(e)
	case e.Name.Space == nsFraming:
		return xmlsplit.ErrNotWellFormed
	default: // a stanza that is called so
		c.unread = message
	}
	return nil
}

// Write implements component.Conn: each unit in a message of its own.
func (c *wsConn) Write(p []byte) (int, error) {
	b := c.frames.batch()
	defer b.giveBack()
	err := c.addUnits(&b, p)
	if flushErr := b.flush(); err == nil {
		err = flushErr
	}
	return b.written, err
}

func (c *wsConn) addUnits(b *batch, p []byte) error {
	c.scanner.Relay = true
	out := lend()
	defer func() { giveBack(out) }()
	for len(p) > 0 {
		n, kind, err := c.scanner.Scan(p)
		if err != nil {
			return err
		}
		unit := p[:n]
		p = p[n:]
		switch kind {
		case xmlsplit.Space:
			b.taken += n
			continue
		case xmlsplit.None:
			return errors.New("web: a write that is not of whole units")
		case xmlsplit.Header:
			if c.sent, err = element.ParseHeader(unit); err != nil {
				return err
			}
			out = appendOpen(out[:0], c.sent)
		case xmlsplit.End:
			out = append(out[:0], closeElement...)
		case xmlsplit.Element:
			out = framing.Qualify(out[:0], unit, c.sent)
		}
		if err := b.add(out, n); err != nil {
			return err
		}
	}
	return nil
}

// NetConn is the connection beneath the WebSocket, as it was accepted.
func (c *wsConn) NetConn() net.Conn { return c.Conn }

// CloseWrite implements component.Conn by the closing handshake.
func (c *wsConn) CloseWrite() error {
	c.Conn.SetReadDeadline(time.Now().Add(closeTimeout))
	return c.ws.Close(websocket.StatusNormalClosure, "")
}

// Close drops the connection.
func (c *wsConn) Close() error { return c.ws.CloseNow() }
