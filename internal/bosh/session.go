package bosh

import (
	"errors"
	"time"
)

// Handle names one HTTP request to whoever drives a session, who chooses it:
// unique within the session.
type Handle uint64

// Why a session has ended; a [Condition] is a fourth reason.
var (
	// ErrTerminated: the client said so, and that is a stream end.
	ErrTerminated = errors.New("bosh: terminated by the client")
	// ErrEnded: our own end has reached the client.
	ErrEnded = errors.New("bosh: ended")
	// ErrInactive: the client has not been heard of for too long, which is no
	// stream end.
	ErrInactive = errors.New("bosh: inactive")
)

// Session is one BOSH session. Every call may bring forth replies, which
// [Session.Replies] hands out, and change what [Session.Deadline] says. It is
// not safe for use by several goroutines at once.
type Session struct {
	config Config
	terms  Terms
	secure bool // begun so
	legacy bool // the client wants HTTP errors
	acks   bool // the client acknowledges

	authenticated bool
	restarted     bool

	window
	keys  keys
	cache cache

	in    queue
	fault error // stands behind what is in the queue
	out   queue

	opening *Opening  // told with the next payload
	ending  *ending   // to be told by the next response
	err     error     // why the session is over, nil until then
	idle    time.Time // since when no request is open; zero: one is
	paused  time.Duration
	report  uint64 // rid whose response the client seems to have missed; zero: none

	replies []Reply
}

// ending is how our side ends a session.
type ending struct{ condition Condition }

// New begins a session by its creation request, which has no SID yet. The sid
// must be unpredictable. The first of its units is the stream's header.
func New(c Config, sid string, h Handle, r Request, now time.Time) *Session {
	s := &Session{
		config: c,
		terms:  grant(c, sid, &r),
		secure: r.Secure,
		legacy: r.Ver == nil,
		acks:   r.Ack != 0,
		window: window{next: r.RID, answered: r.RID - 1},
	}
	x := &exchange{Request: r, handle: h, live: true, creation: true, arrived: now}
	s.keys.begin(r.NewKey)
	s.last = x
	s.next++
	s.held = append(s.held, x)
	s.enqueue(x)
	s.settle(now)
	return s
}

// Err says why the session is over: ErrTerminated, ErrEnded, ErrInactive or a
// [Condition] that the client brought about. It is nil while the session lives;
// then every request is refused.
func (s *Session) Err() error { return s.err }

// Authenticated says that the client has proved who it is.
func (s *Session) Authenticated() { s.authenticated = true }

// Receive takes one request of the client's over a new connection h. Its
// attributes were parsed and its SID is this session's.
func (s *Session) Receive(h Handle, r Request, now time.Time) {
	x := &exchange{Request: r, handle: h, live: true, blank: r.empty(), arrived: now}
	if s.err != nil {
		s.emit(x, Reply{Type: "terminate", Condition: ItemNotFound})
		return
	}
	// Whoever saw the sid pass in clear could go on, so the session ends. Only
	// who knows the sid can bring that about, and he can by a wrong rid as well.
	if s.secure && !r.Secure {
		s.refuse(x, ItemNotFound)
		return
	}
	s.paused, s.idle = 0, time.Time{}
	if first := s.find(r.RID); first != nil {
		s.repeat(first, x)
	} else if y := s.cache.find(r.RID); y != nil {
		s.repeatAnswered(y, x, now)
	} else if c := s.admit(x); c != "" {
		s.refuse(x, c)
	}
	s.settle(now)
}

// Invalid refuses a request over connection h whose body breaks a rule, and
// ends the session.
func (s *Session) Invalid(h Handle, c Condition) {
	s.refuse(&exchange{handle: h, live: true}, c)
}

// Gone says that the connection of h was lost: nothing of the reply to it, if
// there was one, has reached the client. What it would have brought goes into
// the next response, unless the client has had more since; then it has to repeat
// its request (XEP-0124 §14.3). A reply that has ended the session is not kept:
// what it would have brought is lost with it.
func (s *Session) Gone(h Handle, now time.Time) {
	if x := s.ofHandle(h); x != nil {
		x.live, x.lost = false, true
	} else {
		s.cache.lose(h)
		for y := s.cache.newestFilled(); y != nil && y.lost; y = s.cache.newestFilled() {
			s.takeBack(y)
		}
	}
	s.settle(now)
}

// takeBack empties the response y, whose payload is the last that was sent.
func (s *Session) takeBack(y *exchange) {
	s.cache.bytes -= payloadBytes(y)
	s.out.unshift(y.reply.Payload...)
	if y.reply.Opening != nil {
		s.opening = y.reply.Opening
	}
	y.reply.Payload, y.reply.Opening = nil, nil
}

// Expire does what is due by now. It may be called too early.
func (s *Session) Expire(now time.Time) {
	if s.err != nil {
		return
	}
	if !s.idle.IsZero() && !now.Before(s.idleDeadline()) {
		s.over(ErrInactive)
		return
	}
	if d, ok := s.gapDeadline(); ok && !now.Before(d) {
		s.giveUpGap()
	}
	s.settle(now)
}

// settle does all that can be done now.
func (s *Session) settle(now time.Time) {
	for s.err == nil {
		x := s.ready()
		if x == nil || !s.in.fits(x.bytes(), s.config.InBytes) {
			break
		}
		s.advance()
		s.take(x, now)
	}
	s.respond(now)
	if s.err != nil || s.window.live() {
		s.idle = time.Time{}
	} else if s.idle.IsZero() {
		s.idle = now
	}
}

// take processes a request whose turn has come.
func (s *Session) take(x *exchange, now time.Time) {
	switch {
	case !s.keys.accept(x.Key, x.NewKey):
		s.refuse(x, ItemNotFound)
		return
	case x.opensSession() && !s.authenticated:
		// Strophe does so after a refused login, and then waits for an answer
		// that no old session can give. Told that the session is gone, it begins
		// a new one.
		s.refuse(x, ItemNotFound)
		return
	case x.Restart && s.restarted:
		s.refuse(x, BadRequest)
		return
	}
	s.restarted = s.restarted || x.Restart
	s.acknowledge(x, now)
	s.enqueue(x)
	if x.Terminate {
		s.conclude()
		s.over(ErrTerminated)
		return
	}
	if x.Pause > s.terms.MaxPause {
		s.refuse(x, PolicyViolation)
		return
	}
	s.paused = x.Pause // the requests before are answered because this one is held too
}

// enqueue lets the payload of x be read, unless nobody reads any more.
func (s *Session) enqueue(x *exchange) {
	if s.ending == nil && s.fault == nil {
		s.in.push(x.Units...)
		s.fault = x.Fault
	}
	x.Units = nil
}

// Abort ends the session at once, whether the client hears of it or not.
func (s *Session) Abort(c Condition) {
	if s.err != nil {
		return
	}
	s.ending = &ending{condition: c}
	s.conclude()
	s.over(ErrInactive)
}

// refuse ends the session with a terminal binding condition (XEP-0124 §17.2)
// for what is wrong with x; x may be unknown.
func (s *Session) refuse(x *exchange, c Condition) {
	known := false
	for _, y := range s.open() {
		if y == x {
			known = true
			s.emit(y, Reply{Type: "terminate", Condition: c})
		} else {
			s.emit(y, Reply{Type: "terminate", Condition: OtherRequest})
		}
	}
	if !known {
		s.emit(x, Reply{Type: "terminate", Condition: c})
	}
	s.over(c)
}

// over ends the session: no request is open any more.
func (s *Session) over(why error) {
	if s.err != nil {
		return
	}
	s.err = why
	s.window.clear()
	s.out, s.cache = queue{}, cache{}
}
