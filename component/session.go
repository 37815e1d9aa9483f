package component

import (
	"container/list"
	"context"
	"net/netip"
	"runtime/debug"
	"sync/atomic"
	"time"

	"mellium.im/xmpp/jid"
	"mellium.im/xmpp/stream"

	"xtokend/internal/element"
	"xtokend/internal/xmlsplit"
)

// session is one client connection, from accept to close. Its goroutine owns
// the transport and the upstream connection and closes both; other goroutines
// may only call stop.
type session struct {
	front     *Front
	transport *transport
	settings  *settings             // of the last stream that began, or attempt to log in
	cancel    context.CancelFunc    // the negotiation
	cause     atomic.Pointer[error] // of stop
	relaying  atomic.Bool
	began     time.Time
	verdict   admission
	limit     string // that the verdict is for

	// The registry's, under its lock. The address is a trusted proxy's until
	// identify has found out whose it is.
	address        netip.Addr
	waiting        *waiting
	counted        bool
	addressCounted bool
	prefix         netip.Prefix  // that it counts for, if it does
	named          *list.Element // once it has claimed to be somebody
	claimed        string        // bare JID that the current attempt names, "" if none
	authenticated  bool
	transportName  string // once authenticated

	// Of the current stream.
	header   *element.Header // the client's; nil in the relay
	answered bool            // our header was sent
	domain   *Domain

	// Of the authentication.
	failures  int // counted ones, on this stream
	elements  int // received before authentication
	attempted bool
	mechanism string
	user      jid.JID

	upstream *boundedConn
	toClient []byte                                      // read from the upstream behind its features
	relayed  struct{ fromClient, toClient atomic.Int64 } // bytes
}

// serve is the life of a session, and calls done at its end. Whatever ends it is told
// to the client as far as that is due, and written to the log once, in end. The relay
// has a goroutine of its own: the stack that a login needs does not stay with it.
func (s *session) serve(ctx context.Context, done func()) {
	relaying := false
	defer func() {
		if !relaying {
			done()
		}
	}()
	defer s.recoverLoss()
	defer s.cancel()
	growStack(0)
	if err := s.negotiate(ctx); err != nil {
		s.end(err)
		return
	}
	r := s.newRelay()
	relaying = true
	s.front.sessions.Go(func() {
		defer done()
		defer s.recoverLoss()
		err := s.pass(r)
		growStack(0)
		s.end(err)
	})
}

func (s *session) end(err error) {
	if cause := s.stopped(); cause != nil && !isFinal(err) {
		err = cause
	}
	s.close(err)
}

// stop ends the session from another goroutine. The context is for the negotiation; a
// relay is told by its connections, since a context that is watched would cost an idle
// session 900 bytes.
func (s *session) stop(cause error) {
	s.cause.CompareAndSwap(nil, &cause)
	s.cancel()
	s.interruptRelay()
}

// stopped says why the session was to end, by stop or with the front; nil if it was not.
func (s *session) stopped() error {
	if cause := s.cause.Load(); cause != nil {
		return *cause
	}
	return context.Cause(s.front.ctx)
}

func (s *session) interruptRelay() {
	if s.relaying.Load() {
		go s.interrupt()
	}
}

// negotiate leads from the first byte to a stream at the upstream.
func (s *session) negotiate(ctx context.Context) error {
	timeout := s.settings.limits.NegotiationTimeout
	if s.verdict == refused {
		timeout = min(timeout, closeTimeout)
	}
	defer context.AfterFunc(ctx, s.transport.interrupt)()
	ctx, done := context.WithTimeout(ctx, timeout)
	defer done()
	deadline, _ := ctx.Deadline()
	s.transport.setReadDeadline(deadline)

	if err := s.identify(); err != nil {
		return err
	}
	if s.transport.directTLS != nil {
		if err := s.transport.secureWith(ctx, s.transport.directTLS); err != nil {
			return err
		}
	}
	if err := s.openStream(); err != nil {
		return err
	}
	if s.verdict == refused {
		return fail(stream.ResourceConstraint, "too many connections; please try again later")
	}
	if err := s.authenticate(ctx); err != nil {
		return err
	}
	s.front.streams.authenticated(s)
	s.transport.restart(s.settings.limits.ElementBytes)
	if err := s.openStream(); err != nil {
		return err
	}
	return s.joinUpstream(ctx)
}

// close ends the stream as err demands, and both connections.
func (s *session) close(err error) {
	if s.upstream != nil {
		s.upstream.Close()
	}
	se := asStreamError(err)
	if se != nil {
		s.endStream(se)
	}
	// Whoever was displaced must make room at once.
	if se != nil && err != errDisplaced || isClosed(err) {
		most := int64(lingerBytes)
		if s.upstream == nil {
			most = strangerLingerBytes
		}
		s.transport.linger(most)
	}
	s.transport.Close()
	limit := s.metLimit(err, se)
	if limit != "" {
		s.front.reached.Add(limit)
	}
	s.logEnd(err, se, limit)
}

// endStream sends a stream error, behind a header of ours if there was none yet
// (RFC 6120 §4.9.1.2).
func (s *session) endStream(e *streamError) {
	var b []byte
	if !s.answered {
		b = s.appendHeader(b, element.Header{})
	}
	s.transport.say(appendStreamError(b, e))
}

// nextElement reads the next element of the negotiation.
func (s *session) nextElement() (element.Element, error) {
	if s.elements++; s.elements > negotiationElements {
		return element.Element{}, fail(stream.PolicyViolation, "too many elements before authentication")
	}
	kind, unit, err := s.transport.next()
	switch {
	case err != nil:
		return element.Element{}, err
	case kind == xmlsplit.End:
		s.transport.say([]byte("</stream:stream>"))
		return element.Element{}, errClosedByClient
	case kind != xmlsplit.Element:
		return element.Element{}, fail(stream.NotWellFormed, "")
	}
	return element.Parse(unit, *s.header)
}

// recoverLoss is recoverPanic for the session's own goroutine, which writes the
// closing line.
func (s *session) recoverLoss() {
	if v := recover(); v != nil {
		s.lost(v)
		s.logEnd(errPanicked, nil, "")
	}
}

// recoverPanic ends one session that met a fault in the program, and no other.
// It must be deferred directly, in each goroutine of a session.
func (s *session) recoverPanic() {
	if v := recover(); v != nil {
		s.lost(v)
	}
}

// lost reports a panic and closes both connections.
func (s *session) lost(v any) {
	s.front.panics.Add(1)
	s.front.log.Error("a fault in the program ended a session; please report it", "panic", v, "stack", string(debug.Stack()))
	s.transport.Close()
	if s.upstream != nil {
		s.upstream.Close()
	}
}
