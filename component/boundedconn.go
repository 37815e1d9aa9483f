package component

import (
	"net"
	"sync/atomic"
	"time"
)

// boundedConn is a connection to a peer that may be slow or dead. One goroutine
// reads and one writes; any may interrupt.
type boundedConn struct {
	net.Conn              // TLS once secured
	raw          net.Conn // what was accepted or dialled; deadlines are set here
	writeTimeout time.Duration
	interrupted  atomic.Bool
}

func newBoundedConn(conn net.Conn, writeTimeout time.Duration) *boundedConn {
	setDeadPeerTimeout(conn)
	return &boundedConn{Conn: conn, raw: conn, writeTimeout: writeTimeout}
}

// Write writes within the write timeout, and as much again for each further
// relayBufferBytes: a slow peer gets as long for a long element as it would for
// its parts. No deadline is left behind: TLS writes
// from its reading side too, and takes a deadline that has passed for the end
// of the connection.
func (c *boundedConn) Write(p []byte) (int, error) {
	parts := 1 + len(p)/(relayBufferBytes+1)
	c.setWriteDeadline(time.Now().Add(time.Duration(parts) * c.writeTimeout))
	n, err := c.Conn.Write(p)
	c.setWriteDeadline(time.Time{})
	return n, err
}

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
