package component

import (
	"net"
	"sync/atomic"
	"time"

	"xtokend/internal/proxyheader"
	"xtokend/internal/socket"
)

// boundedConn is a connection to a peer that may be slow or dead. One goroutine
// reads and one writes; any may interrupt.
type boundedConn struct {
	net.Conn              // TLS once secured
	raw          net.Conn // what was accepted or dialled; deadlines are set here
	writeTimeout time.Duration
	bounded      bool // each write that waits is bounded where it waits
	interrupted  atomic.Bool
}

func newBoundedConn(conn net.Conn, writeTimeout time.Duration) *boundedConn {
	c := &boundedConn{Conn: conn, raw: conn, writeTimeout: writeTimeout}
	switch beneath := beneath(conn).(type) {
	case *socket.Conn:
		setDeadPeerTimeout(beneath.TCPConn)
		beneath.TellWaits((*writeBound)(c))
		c.bounded = true
	case *net.TCPConn:
		setDeadPeerTimeout(beneath)
	}
	return c
}

// beneath is the socket that conn is on top of, or the last thing on the way to it that can be seen.
func beneath(conn net.Conn) net.Conn {
	for {
		if _, ok := conn.(*socket.Conn); ok {
			return conn
		}
		wrapped, ok := conn.(interface{ NetConn() net.Conn })
		if !ok {
			return conn
		}
		conn = wrapped.NetConn()
	}
}

// lentReader reads into a buffer that is lent when there is something to read: a
// socket, or a framing that can wait so.
type lentReader interface {
	ReadLent(l socket.Lender) (int, error)
}

// lentReader is what c reads from; nil if that cannot wait without a buffer.
func (c *boundedConn) lentReader() lentReader {
	conn := c.Conn
	if proxied, ok := conn.(*proxyheader.Conn); ok && proxied.Past() {
		conn = proxied.NetConn()
	}
	l, _ := conn.(lentReader)
	return l
}

// Write writes within the write timeout, and as much again for each further
// relayBufferBytes: a slow peer gets as long for a long element as it would for
// its parts. No deadline is left behind: TLS writes
// from its reading side too, and takes a deadline that has passed for the end
// of the connection.
func (c *boundedConn) Write(p []byte) (int, error) {
	if c.bounded {
		return c.Conn.Write(p)
	}
	(*writeBound)(c).Begin(len(p))
	n, err := c.Conn.Write(p)
	(*writeBound)(c).End()
	return n, err
}

// writeBound sets the deadline of a write, as a [socket.Wait] only if it has to wait.
type writeBound boundedConn

func (b *writeBound) Begin(size int) {
	parts := 1 + size/(relayBufferBytes+1)
	(*boundedConn)(b).setWriteDeadline(time.Now().Add(time.Duration(parts) * b.writeTimeout))
}

func (b *writeBound) End() { (*boundedConn)(b).setWriteDeadline(time.Time{}) }

func (c *boundedConn) setWriteDeadline(t time.Time) {
	c.raw.SetWriteDeadline(t)
	if c.interrupted.Load() {
		c.raw.SetWriteDeadline(time.Now().Add(closeTimeout))
	}
}

// setReadDeadline bounds all reads until the next call; the zero time sets no
// bound.
func (c *boundedConn) setReadDeadline(t time.Time) {
	c.raw.SetReadDeadline(t)
	if c.interrupted.Load() {
		c.raw.SetReadDeadline(aLongTimeAgo)
	}
}

// interrupt makes pending and later reads fail at once, and writes soon. It may
// be called from any goroutine, and more than once.
func (c *boundedConn) interrupt() {
	c.interrupted.Store(true)
	c.raw.SetReadDeadline(aLongTimeAgo)
	c.raw.SetWriteDeadline(time.Now().Add(closeTimeout))
}

var aLongTimeAgo = time.Unix(1, 0)
