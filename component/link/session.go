package link

import (
	"context"
	"crypto/tls"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net"
	"runtime/debug"
	"sync"
	"time"

	"mellium.im/xmlstream"
	"mellium.im/xmpp"
	"mellium.im/xmpp/component"
	"mellium.im/xmpp/jid"
	"mellium.im/xmpp/stanza"
	"mellium.im/xmpp/stream"
)

// writeTimeout bounds each write, and thus how long a server that has stopped
// reading keeps us.
const writeTimeout = 10 * time.Second

// session is one connection of the link, from handshake to end.
type session struct {
	domain string
	face   *face
	ctx    context.Context // ends with the session
	conn   net.Conn
	read   *limited // conn; its err belongs to the reader, while there is one
	xmpp   *xmpp.Session
	out    chan any      // stanzas to write
	wrote  chan struct{} // closed when nothing takes from out any more
	done   chan struct{} // closed when the session has ended

	commands sync.WaitGroup // those that run for admins

	mu      sync.Mutex
	pending map[string]chan<- iq // by id; each has room for one answer
}

// serve connects, and returns when the connection has ended. wasUp says whether
// the server had taken the component.
func (l *Link) serve(ctx context.Context) (wasUp bool, err error) {
	s, err := l.connect(ctx)
	if err != nil {
		return false, err
	}
	var cancel context.CancelFunc
	s.ctx, cancel = context.WithCancel(ctx)
	go s.write()
	// What panics here ends this connection, not the program.
	defer func() {
		if p := recover(); p != nil {
			l.log.Error("component link: panic", "panic", p, "stack", string(debug.Stack()))
			wasUp, err = true, errors.New("panic")
		}
		s.conn.Close()
		close(s.done)
		cancel()
		<-s.wrote
		s.commands.Wait()
	}()
	// Serve reads; the end of ctx ends that, and leaves a moment for the
	// stream's closing tag.
	stop := context.AfterFunc(ctx, func() {
		s.conn.SetWriteDeadline(time.Now().Add(time.Second))
		s.conn.SetReadDeadline(time.Unix(1, 0))
	})
	defer stop()
	l.set(s, nil)
	l.log.Info("component link is up", "address", l.address, "name", l.name.String())
	err = s.xmpp.Serve(s)
	return true, l.explain(err, s.read.err)
}

func (l *Link) connect(ctx context.Context) (*session, error) {
	ctx, cancel := context.WithTimeout(ctx, negotiateTimeout)
	defer cancel()
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", l.address)
	if err != nil {
		return nil, err
	}
	if l.tls != nil {
		secure := tls.Client(conn, l.tls)
		if err := secure.HandshakeContext(ctx); err != nil {
			conn.Close()
			return nil, fmt.Errorf("TLS: %w", err)
		}
		conn = secure
	}
	stop := context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })
	// With a context that can end, mellium may set a deadline in the past after
	// the negotiation.
	read := limit(conn)
	x, err := component.NewSession(context.Background(), l.name, l.secret, read)
	if !stop() && err == nil {
		err = ctx.Err()
	}
	if err != nil {
		conn.Close()
		return nil, l.explain(err, read.err)
	}
	return &session{
		domain: l.domain.String(), face: l.face, conn: conn, read: read, xmpp: x,
		out: make(chan any), wrote: make(chan struct{}), done: make(chan struct{}), pending: make(map[string]chan<- iq),
	}, nil
}

// explain says what ended a link, and what the administrator can do about it.
// read is why nothing more could be read, if so: mellium's errors hide that.
func (l *Link) explain(err, read error) error {
	var se stream.Error
	if !errors.As(err, &se) {
		var op *net.OpError
		switch {
		case read == io.EOF, read == nil && err == nil: // without or with </stream:stream>
			return errors.New("the server closed the connection")
		case errors.As(read, &op):
			// The whole error names our port, another one each time.
			return fmt.Errorf("%s: %w", op.Op, op.Err)
		case read != nil:
			return read
		}
		return err
	}
	switch se.Err {
	case stream.Conflict.Err:
		return fmt.Errorf("another component is connected as %s: each node needs a name of its own: %w", l.name, err)
	case stream.NotAuthorized.Err:
		return fmt.Errorf("the server refuses the component secret of %s: %w", l.name, err)
	case stream.HostUnknown.Err, stream.HostGone.Err:
		return fmt.Errorf("the server has no component %s in its settings: %w", l.name, err)
	}
	return fmt.Errorf("stream error: %w", err)
}

// write writes what comes on out until the session ends. A write that fails
// ends it.
func (s *session) write() {
	defer close(s.wrote)
	for {
		select {
		case v := <-s.out:
			s.conn.SetWriteDeadline(time.Now().Add(writeTimeout))
			if err := s.xmpp.Encode(context.Background(), v); err != nil {
				s.conn.Close()
				return
			}
		case <-s.done:
			return
		}
	}
}

// send hands v to the writer.
func (s *session) send(ctx context.Context, v any) error {
	select {
	case s.out <- v:
		return nil
	case <-s.wrote:
		return ErrDown
	case <-ctx.Done():
		return ctx.Err()
	}
}

// request sends an IQ of type set to the domain and returns its answer, a
// result or an error.
func (s *session) request(ctx context.Context, from string, c command) (iq, error) {
	id := newID()
	answer := make(chan iq, 1)
	s.mu.Lock()
	s.pending[id] = answer
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		delete(s.pending, id)
		s.mu.Unlock()
	}()
	if err := s.send(ctx, iq{ID: id, From: from, To: s.domain, Type: stanza.SetIQ, Command: &c}); err != nil {
		return iq{}, err
	}
	select {
	case a := <-answer:
		return a, nil
	case <-s.done:
		return iq{}, ErrDown
	case <-ctx.Done():
		return iq{}, ctx.Err()
	}
}

// reply sends an answer. It fails only where the session ends, which Serve sees.
func (s *session) reply(answer iq) { _ = s.send(context.Background(), answer) }

// HandleXMPP implements xmpp.Handler: it takes one stanza from the server.
func (s *session) HandleXMPP(t xmlstream.TokenReadEncoder, start *xml.StartElement) error {
	if start.Name.Local != "iq" {
		// Neither messages nor presence concern a component that keeps accounts. A
		// request to subscribe stays without an answer.
		return nil
	}
	attr := func(name string) string {
		for _, a := range start.Attr {
			if a.Name.Space == "" && a.Name.Local == name {
				return a.Value
			}
		}
		return ""
	}
	id, from := attr("id"), attr("from")
	switch stanza.IQType(attr("type")) {
	case stanza.ResultIQ, stanza.ErrorIQ:
		return s.answered(t, start, id, from)
	case stanza.GetIQ, stanza.SetIQ:
		asker, err := jid.Parse(from)
		if err != nil || asker.String() != from {
			// There is nobody to be answered, or an address that the server has prepared
			// in its way reads here like another one's, who may be an admin.
			return nil
		}
		to, err := jid.Parse(attr("to"))
		if err != nil {
			return nil
		}
		return s.asked(t, start, question{id: id, from: asker, to: to, set: attr("type") == string(stanza.SetIQ)})
	}
	return nil
}

// answered gives an answer to the request that waits for it, if it is one.
func (s *session) answered(t xmlstream.TokenReadEncoder, start *xml.StartElement, id, from string) error {
	s.mu.Lock()
	waiting, ok := s.pending[id]
	s.mu.Unlock()
	if !ok || from != s.domain {
		return nil
	}
	var a iq
	if err := xml.NewTokenDecoder(xmlstream.MultiReader(xmlstream.Token(*start), t)).Decode(&a); err != nil {
		return err
	}
	select {
	case waiting <- a:
	default: // the same answer a second time
	}
	return nil
}
