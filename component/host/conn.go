package host

import (
	"io"
	"net"
	"os"
	"sync"
	"time"

	"mellium.im/xmpp/jid"

	"xtokend/component/host/journal"
	"xtokend/internal/element"
	"xtokend/internal/xmlsplit"
)

// conn is a stream's connection as the front sees it. It needs no goroutine: what
// the front writes is handled before Write returns, and what it reads is what
// others have left in the queue.
type conn struct {
	host *Host
	user *user

	// Of the goroutine that writes.
	scanner  xmlsplit.Scanner
	partial  []byte // of a unit that has not ended
	header   element.Header
	answered bool    // our header was sent
	jid      jid.JID // full once a resource was bound

	session *session // nil without a resource, and when another stream has taken it; guarded by host.mu

	broken    chan struct{} // closed when no write can succeed any more
	breakOnce sync.Once

	mu            sync.Mutex
	changed       *sync.Cond
	poked         chan struct{} // closed when a read that waits for the disk must look again; nil if none waits
	onDisk        journal.Mark  // as far as is known
	lastWords     []byte        // read in place of the queue, if failed
	failed        bool          // what was told cannot be brought to disk
	queue         []item
	queued        int        // bytes in queue
	handed        []*message // taken by the front with the last Read, and perhaps not passed on yet
	offset        int        // bytes of queue[0] that were taken
	ended         bool       // nothing follows the queue
	closed        bool       // by the front
	readDeadline  time.Time
	writeDeadline time.Time
	writeTimer    *time.Timer // while a write waits
}

// diskPatience bounds a write that has no deadline and waits for the disk.
const diskPatience = time.Minute

func newConn(h *Host, u *user) *conn {
	c := &conn{host: h, user: u, jid: u.jid, broken: make(chan struct{})}
	c.scanner.Limits = xmlsplit.Limits{ElementBytes: h.limits.ElementBytes, Depth: h.limits.ElementDepth}
	c.changed = sync.NewCond(&c.mu)
	return c
}

// Write handles whole units of the client's stream; the rest of p is kept until
// it is whole.
func (c *conn) Write(p []byte) (int, error) {
	written := len(p)
	for len(p) > 0 && !c.isEnded() {
		select {
		case <-c.broken:
			return written - len(p), os.ErrDeadlineExceeded
		default:
		}
		n, kind, err := c.scanner.Scan(p)
		if err != nil {
			c.fail(faultOf(err))
			return written, nil
		}
		unit := p[:n]
		p = p[n:]
		if kind == xmlsplit.None {
			c.partial = append(c.partial, unit...)
			break
		}
		if len(c.partial) > 0 {
			unit = append(c.partial, unit...)
			c.partial = nil
		}
		c.handle(kind, unit)
	}
	if c.isClosed() {
		return written - len(p), net.ErrClosed
	}
	return written, nil
}

func (c *conn) isClosed() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.closed
}

func (c *conn) isEnded() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.ended || c.closed
}

// Read takes from the queue. To come for more means that what was taken before
// has been passed on.
func (c *conn) Read(p []byte) (int, error) {
	c.mu.Lock()
	if passed := c.handed; len(passed) > 0 {
		c.handed = nil
		c.mu.Unlock()
		c.host.passedOn(passed)
		c.mu.Lock()
	}
	defer c.mu.Unlock()
	for {
		switch {
		case c.closed:
			return 0, net.ErrClosed
		case !c.readDeadline.IsZero() && !time.Now().Before(c.readDeadline):
			return 0, os.ErrDeadlineExceeded
		case c.failed:
			if len(c.lastWords) == 0 {
				return 0, io.EOF
			}
			n := copy(p, c.lastWords)
			c.lastWords = c.lastWords[n:]
			return n, nil
		case len(c.queue) > 0:
			if n := c.take(p); n > 0 {
				return n, nil
			}
			c.awaitFirst()
			continue
		case c.ended:
			return 0, io.EOF
		}
		c.await()
	}
}

// take moves bytes of the queue to p, as far as is on disk what they tell of.
func (c *conn) take(p []byte) int {
	n := 0
	for len(c.queue) > 0 && n < len(p) {
		it := &c.queue[0]
		if it.mark > c.onDisk {
			if !c.host.journal.Done(it.mark) {
				break
			}
			c.onDisk = it.mark
		}
		k := copy(p[n:], it.unit[c.offset:])
		n += k
		if c.offset += k; c.offset < len(it.unit) {
			break
		}
		if it.message != nil {
			c.handed = append(c.handed, it.message)
		}
		c.queued -= len(it.unit)
		c.offset = 0
		*it = item{}
		c.queue = c.queue[1:]
	}
	if len(c.queue) == 0 {
		c.queue = nil
	}
	return n
}

// await waits for a change, or for the read deadline.
func (c *conn) await() {
	if !c.readDeadline.IsZero() {
		defer time.AfterFunc(time.Until(c.readDeadline), func() {
			c.mu.Lock()
			defer c.mu.Unlock()
			c.changed.Broadcast()
		}).Stop()
	}
	c.changed.Wait()
}

// enqueue adds to what the front reads. It is false if the connection has ended,
// or the queue has no room below most bytes.
func (c *conn) enqueue(it item, most int) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended || c.closed || c.queued > 0 && c.queued+len(it.unit) > most {
		return false
	}
	c.queue = append(c.queue, it)
	c.queued += len(it.unit)
	c.changed.Broadcast()
	return true
}

// say adds what must not be left out. A connection that nobody reads from is
// broken off.
func (c *conn) say(it item) {
	if !c.enqueue(it, c.host.limits.streamBytes()) {
		c.breakOff()
	}
}

// finish says the last words.
func (c *conn) finish(unit []byte) {
	c.say(item{unit: unit})
	c.breakOff()
}

// waiting is how many bytes wait to be read.
func (c *conn) waiting() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.queued
}

// breakOff lets nothing follow the queue.
func (c *conn) breakOff() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ended = true
	c.changed.Broadcast()
}

// takeBack empties the queue of a connection that is closed. The front has not
// passed unread on, or not for certain; passed it has: it does not come for more
// behind the end of the stream.
func (c *conn) takeBack() (unread, passed []*message) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended && !c.failed && len(c.queue) == 0 {
		passed = c.handed
	} else {
		unread = c.handed
	}
	for _, it := range c.queue {
		if it.message != nil {
			unread = append(unread, it.message)
		}
	}
	c.handed, c.queue, c.queued = nil, nil, 0
	return unread, passed
}

// Close ends the connection without an end of the stream, unless there was one.
func (c *conn) Close() error {
	c.mu.Lock()
	was := c.closed
	c.closed = true
	c.poke()
	c.mu.Unlock()
	if !was {
		c.breakWrites()
		c.host.dropped(c)
	}
	return nil
}
