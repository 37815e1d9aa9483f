package host

import (
	"errors"
	"net"
	"time"

	"mellium.im/xmpp/stream"

	"xtokend/component/host/journal"
)

// SetReadDeadline bounds reads, a pending one too; the zero time sets no bound.
func (c *conn) SetReadDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.readDeadline = t
	c.poke()
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

// poke has a read look again whether it may go on. Its caller has the lock.
func (c *conn) poke() {
	c.changed.Broadcast()
	if c.poked != nil {
		close(c.poked)
		c.poked = nil
	}
}

// awaitFirst waits until what the first of the queue tells of is on disk, or for a
// poke. Its caller has the lock. If it cannot be brought there, nobody may hear of
// it, and the stream ends.
func (c *conn) awaitFirst() {
	mark, poked := c.queue[0].mark, make(chan struct{})
	c.poked = poked
	if !c.readDeadline.IsZero() {
		defer time.AfterFunc(time.Until(c.readDeadline), func() {
			c.mu.Lock()
			defer c.mu.Unlock()
			c.poke()
		}).Stop()
	}
	c.mu.Unlock()
	err := c.host.journal.Wait(mark, poked)
	c.mu.Lock()
	if c.poked == poked {
		c.poked = nil
	}
	if err != nil && !errors.Is(err, journal.ErrExpired) {
		c.failed, c.ended = true, true
		c.lastWords = streamErrorOf(stream.InternalServerError, nil)
	}
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
