package host

import (
	"net"
	"time"

	"xtokend/component/host/journal"
)

// SetReadDeadline bounds reads, a pending one too; the zero time sets no bound.
func (c *conn) SetReadDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.readDeadline = t
	c.changed.Broadcast()
	return nil
}

// SetWriteDeadline bounds writes, a pending one too; the zero time sets no bound.
func (c *conn) SetWriteDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.writeDeadline = t
	if c.writeTimer != nil && !t.IsZero() {
		c.writeTimer.Reset(time.Until(t))
	}
	return nil
}

// SetDeadline is both.
func (c *conn) SetDeadline(t time.Time) error {
	c.SetReadDeadline(t)
	return c.SetWriteDeadline(t)
}

// awaitDisk returns when all before the mark is on disk, and an error if that
// cannot be, or not before the write deadline.
func (c *conn) awaitDisk(m journal.Mark) error {
	if c.host.journal.Done(m) {
		return nil
	}
	c.mu.Lock()
	patience := diskPatience
	if !c.writeDeadline.IsZero() {
		patience = time.Until(c.writeDeadline)
	}
	c.writeTimer = time.AfterFunc(patience, c.breakWrites)
	c.mu.Unlock()
	defer func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.writeTimer.Stop()
		c.writeTimer = nil
	}()
	return c.host.journal.Wait(m, c.broken)
}

// breakWrites makes this and all later writes fail.
func (c *conn) breakWrites() { c.breakOnce.Do(func() { close(c.broken) }) }

// LocalAddr and RemoteAddr are those of a pipe: there is no network.
func (c *conn) LocalAddr() net.Addr { return pipeAddr{} }

// RemoteAddr is that of a pipe.
func (c *conn) RemoteAddr() net.Addr { return pipeAddr{} }

type pipeAddr struct{}

func (pipeAddr) Network() string { return "pipe" }
func (pipeAddr) String() string  { return "host" }
