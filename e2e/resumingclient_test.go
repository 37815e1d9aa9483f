package e2e

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"sync"
	"syscall"
)

const nsSM = "urn:xmpp:sm:3"

// resumingClient is a client with stream management (XEP-0198) that connects
// anew, with a new token, and resumes its session whenever its connection is
// lost. It keeps what it sends until the server has acknowledged it.
//
// @xmpp/client 0.14 cannot take its place: in ten of ten such conversations over
// WebSocket it sent a message twice, and in three of three over TCP it did not
// come back from a cut. Its wait for the answer to <resume/> does not end with
// the connection that <resume/> was sent on. After a cut at that point the next
// <resumed/> ends both waits, and each sends again all that is unacknowledged.
// The same wait for <success/> restarts the next stream twice.
type resumingClient struct {
	user    string
	connect func() (*stream, error) // authenticated, its features not yet read
	// receive takes each message in the order of its arrival.
	receive func(body string)

	mu      sync.Mutex
	changed *sync.Cond
	jid     string   // full; empty before the session
	id      string   // of the session
	queue   []string // stanzas that the server has not acknowledged
	acked   uint32   // those that it has: the server's h
	sent    int      // stanzas of queue that this connection has carried
	ever    int      // stanzas of queue that any connection has carried
	handled uint32   // stanzas received: our h
	ackDue  bool     // the server has asked for our h
	online  bool     // on this connection
}

func newResumingClient(user string, connect func() (*stream, error), receive func(body string)) *resumingClient {
	c := &resumingClient{user: user, connect: connect, receive: receive}
	c.changed = sync.NewCond(&c.mu)
	return c
}

// lost says that a connection ended, which is no fault.
type lost struct{ error }

// run keeps the client online until ctx ends, and returns nil, or what is wrong
// beyond a lost connection. It calls started whenever the session is there, and
// can be resumed.
func (c *resumingClient) run(ctx context.Context, started func()) error {
	for {
		err := c.session(ctx, started)
		switch {
		case ctx.Err() != nil:
			return nil
		case !errors.As(err, &lost{}):
			return fmt.Errorf("%s: %w", c.user, err)
		}
	}
}

// session connects, starts or resumes the session, and serves it until the
// connection ends.
func (c *resumingClient) session(ctx context.Context, started func()) error {
	s, err := c.connect()
	if err != nil {
		return orLost(err)
	}
	defer s.close()
	defer context.AfterFunc(ctx, s.close)()
	if _, err := s.open(); err != nil {
		return orLost(err)
	}
	begin := c.resume
	if c.id == "" {
		begin = c.start
	}
	if err := begin(s); err != nil {
		return err
	}
	started()

	var writing sync.WaitGroup
	writing.Go(func() { c.write(s) })
	err = c.read(s)
	c.mu.Lock()
	c.online = false
	c.changed.Broadcast()
	c.mu.Unlock()
	s.close()
	writing.Wait()
	return err
}

// orLost keeps what the server says or does wrong apart from the network's end,
// which may come within an element.
func orLost(err error) error {
	for _, end := range []error{syscall.ECONNRESET, syscall.EPIPE, io.ErrUnexpectedEOF, net.ErrClosed, context.Canceled} {
		if errors.Is(err, end) {
			return lost{err}
		}
	}
	return err
}

func (c *resumingClient) start(s *stream) error {
	jid, err := s.bindResource()
	if err != nil {
		return orLost(err)
	}
	if err := s.write("<enable xmlns='%s' resume='true'/>", nsSM); err != nil {
		return orLost(err)
	}
	answer, err := s.read()
	if err != nil {
		return orLost(err)
	}
	if !answer.is(nsSM, "enabled") || answer.attribute("id") == "" {
		return fmt.Errorf("<enable/> was answered by %v", answer)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.jid, c.id, c.online = jid, answer.attribute("id"), true
	return nil
}

func (c *resumingClient) resume(s *stream) error {
	if err := s.write("<resume xmlns='%s' previd='%s' h='%d'/>", nsSM, c.id, c.handled); err != nil {
		return orLost(err)
	}
	answer, err := s.read()
	if err != nil {
		return orLost(err)
	}
	if !answer.is(nsSM, "resumed") {
		return fmt.Errorf("<resume/> was answered by %v", answer)
	}
	if err := c.acknowledged(answer); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sent, c.ackDue, c.online = 0, false, true
	return nil
}

// acknowledged forgets what the h of e covers.
func (c *resumingClient) acknowledged(e element) error {
	h, err := strconv.ParseUint(e.attribute("h"), 10, 32)
	if err != nil {
		return fmt.Errorf("<%s/>: %w", e.XMLName.Local, err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	n := int(uint32(h) - c.acked)
	if n > c.ever {
		return fmt.Errorf("<%s/> acknowledges %d stanzas, of which only %d were sent", e.XMLName.Local, h, c.acked+uint32(c.ever))
	}
	c.queue = slices.Delete(c.queue, 0, n)
	c.acked = uint32(h)
	c.sent, c.ever = max(c.sent-n, 0), c.ever-n
	return nil
}

func (c *resumingClient) read(s *stream) error {
	for {
		e, err := s.read()
		if err != nil {
			return orLost(err)
		}
		switch {
		case e.is(nsSM, "r"):
			c.mu.Lock()
			c.ackDue = true
			c.changed.Broadcast()
			c.mu.Unlock()
		case e.is(nsSM, "a"):
			if err := c.acknowledged(e); err != nil {
				return err
			}
		case e.is("jabber:client", "message"):
			if e.attribute("type") == "error" {
				return fmt.Errorf("a message came back: %v", e)
			}
			body, _ := e.child("body")
			c.count()
			c.receive(body.Text)
		case e.is("jabber:client", "presence"), e.is("jabber:client", "iq"):
			c.count()
		default:
			return fmt.Errorf("unexpected: %v", e)
		}
	}
}

func (c *resumingClient) isOnline() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.online
}

func (c *resumingClient) count() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.handled++
}

// send queues a chat message; it never waits.
func (c *resumingClient) send(to, body string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.queue = append(c.queue, fmt.Sprintf("<message xmlns='jabber:client' type='chat' to='%s'><body>%s</body></message>", to, body))
	c.changed.Broadcast()
}

// write sends what is queued, with a request to acknowledge it, and the answers
// to the server's requests, until the session goes offline.
func (c *resumingClient) write(s *stream) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for {
		elements := slices.Clone(c.queue[c.sent:])
		if len(elements) > 0 {
			elements = append(elements, "<r xmlns='"+nsSM+"'/>")
			c.sent = len(c.queue)
			c.ever = max(c.ever, c.sent)
		}
		if c.ackDue {
			elements = append(elements, fmt.Sprintf("<a xmlns='%s' h='%d'/>", nsSM, c.handled))
			c.ackDue = false
		}
		if len(elements) == 0 {
			if !c.online {
				return
			}
			c.changed.Wait()
			continue
		}
		if !c.online {
			return
		}
		c.mu.Unlock()
		for _, e := range elements {
			if s.write("%s", e) != nil {
				break // the reader learns of it too
			}
		}
		c.mu.Lock()
	}
}
