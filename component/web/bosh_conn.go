package web

import (
	"errors"
	"net"
	"os"
	"time"

	"xtokend/internal/bosh"
	"xtokend/internal/element"
	"xtokend/internal/framing"
	"xtokend/internal/xmlsplit"
)

const nsStreamErrors = "urn:ietf:params:xml:ns:xmpp-streams"

// boshConn is a session as the front sees it: a connection in plain stream form.
type boshConn struct {
	*boshSession
	local, remote net.Addr

	unread []byte // of the unit that was read last

	// Of the writing side.
	scanner   xmlsplit.Scanner
	sent      element.Header // ours
	opened    bool           // the client knows of it
	lastError []byte         // a stream error: it goes with the end
	condition bosh.Condition
}

// Read implements component.Conn.
func (c *boshConn) Read(p []byte) (int, error) {
	if len(c.unread) == 0 {
		if err := c.nextUnit(); err != nil {
			return 0, err
		}
	}
	n := copy(p, c.unread)
	c.unread = c.unread[n:]
	return n, nil
}

func (c *boshConn) nextUnit() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	for {
		if c.closed {
			return net.ErrClosed
		}
		if passed(c.readDeadline) {
			return os.ErrDeadlineExceeded
		}
		unit, err := c.machine.Read(c.server.now())
		if err != nil {
			return err
		}
		if unit != nil {
			c.unread = unit
			c.settle()
			return nil
		}
		c.changed.Wait()
	}
}

// Write implements component.Conn. While the client's buffer is full it waits.
func (c *boshConn) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	defer c.settle()
	c.scanner.Relay = true
	for off := 0; off < len(p); {
		n, kind, err := c.scanner.Scan(p[off:])
		if err == nil && kind == xmlsplit.None {
			err = errors.New("web: a write that is not of whole units")
		}
		if err == nil {
			err = c.writeUnit(kind, p[off:off+n])
		}
		if err != nil {
			return off, err
		}
		off += n
	}
	return len(p), nil
}

func (c *boshConn) writeUnit(kind xmlsplit.Kind, unit []byte) error {
	switch kind {
	case xmlsplit.Header:
		h, err := element.ParseHeader(unit)
		if err != nil {
			return err
		}
		if c.sent = h; !c.opened {
			c.opened = true
			c.machine.Open(bosh.Opening{From: h.From, AuthID: h.ID})
		}
	case xmlsplit.Element:
		element := framing.Qualify(nil, unit, c.sent)
		if condition, ok := streamError(element); ok {
			c.lastError, c.condition = element, condition
			return nil
		}
		return c.sendElement(element)
	case xmlsplit.End:
		c.end()
	}
	return nil
}

// sendElement waits until there is room for it.
func (c *boshConn) sendElement(unit []byte) error {
	for {
		if c.closed {
			return net.ErrClosed
		}
		ok, err := c.machine.Send(unit, c.server.now())
		if ok || err != nil {
			return err
		}
		if passed(c.writeDeadline) {
			return os.ErrDeadlineExceeded
		}
		c.settle()
		c.changed.Wait()
	}
}

// end tells the client that the stream has ended, with the stream error that
// was written before, if there was one.
func (c *boshConn) end() {
	last := c.lastError
	if c.condition != bosh.RemoteStreamError {
		last = nil
	}
	c.server.sessions.ended(c.boshSession)
	c.machine.End(c.condition, last, c.server.now())
}

// streamError says whether an element is one, and by which condition it is told
// to the client. The condition that means the same in BOSH is used where clients
// know what to do about it: converse.js gives up on a host that is unknown, and
// comes back after a shutdown. It would not come back if remote-connection-failed
// were one of these.
func streamError(unit []byte) (bosh.Condition, bool) {
	if rootName(unit) != "error" {
		return "", false
	}
	e, err := element.Parse(unit, element.Header{})
	if err != nil || e.Name.Space != nsStream {
		return "", false
	}
	for _, condition := range []bosh.Condition{bosh.HostUnknown, bosh.SystemShutdown} {
		if _, ok := e.Child(nsStreamErrors, string(condition)); ok {
			return condition, true
		}
	}
	return bosh.RemoteStreamError, true
}

// Authenticated implements component.Conn.
func (c *boshConn) Authenticated(elementBytes int) {
	c.mu.Lock()
	c.machine.Authenticated()
	c.elementBytes, c.bodyBytes = elementBytes, 2*elementBytes
	c.mu.Unlock()
	c.scanner.Reset()
	c.server.sessions.authenticated(c.boshSession)
}

// CloseWrite implements component.Conn.
func (c *boshConn) CloseWrite() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.end()
	c.settle()
	return nil
}

// Close lets go of the session. If the client was not told of an end, it is told
// that something went wrong.
func (c *boshConn) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	if c.condition == "" {
		c.condition = bosh.InternalServerError
	}
	c.end()
	c.settle()
	return nil
}

// LocalAddr is where the request that began the session came to.
func (c *boshConn) LocalAddr() net.Addr { return c.local }

// RemoteAddr is where that request came from.
func (c *boshConn) RemoteAddr() net.Addr { return c.remote }

// SetDeadline implements net.Conn.
func (c *boshConn) SetDeadline(t time.Time) error { return c.setDeadlines(&t, &t) }

// SetReadDeadline implements net.Conn.
func (c *boshConn) SetReadDeadline(t time.Time) error { return c.setDeadlines(&t, nil) }

// SetWriteDeadline implements net.Conn.
func (c *boshConn) SetWriteDeadline(t time.Time) error { return c.setDeadlines(nil, &t) }

func (c *boshConn) setDeadlines(read, write *time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if read != nil {
		c.readDeadline = *read
	}
	if write != nil {
		c.writeDeadline = *write
	}
	c.changed.Broadcast()
	c.setTimer()
	return nil
}

// passed says whether a deadline has come; the zero time never does.
func passed(deadline time.Time) bool { return !deadline.IsZero() && time.Until(deadline) <= 0 }
