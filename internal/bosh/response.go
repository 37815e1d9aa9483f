package bosh

import "time"

// reportAfter is how long a response may be under way before the client is told
// that it seems to have missed it (XEP-0124 §9.2).
const reportAfter = 2 * time.Second

// Reply is what the connection of a request gets. A handle gets one at most,
// and none once it is gone.
type Reply struct {
	Handle Handle
	// Type is "terminate" if the session is over, "error" if the request has to
	// be repeated (XEP-0124 §17.3), else empty.
	Type      string
	Condition Condition // may be set beside "terminate"
	// Status is that of HTTP: 200, but for legacy clients (XEP-0124 §17.1).
	Status int

	Ack    uint64        // zero: absent
	Report uint64        // zero: absent
	Time   time.Duration // beside Report

	Terms   *Terms   // of the creation response
	Opening *Opening // nil: absent
	Payload [][]byte // whole elements that can stand alone
}

// Opening is what a client is told of the stream that was opened for it
// (XEP-0206 §4).
type Opening struct {
	From   string
	AuthID string // the stream's id
}

// Replies hands out what was answered since the last call, in order.
func (s *Session) Replies() []Reply {
	r := s.replies
	s.replies = nil
	return r
}

// emit gives a reply to x's connection, if it is there.
func (s *Session) emit(x *exchange, r Reply) {
	if !x.live {
		return
	}
	x.live = false
	r.Handle, r.Status = x.handle, 200
	if s.legacy {
		r.Status = r.Condition.legacyStatus()
	}
	s.replies = append(s.replies, r)
}

// respond answers the requests whose response is due, by rid. Once our side has
// ended the session, one that can be answered is enough: those before it may
// never come.
func (s *Session) respond(now time.Time) {
	for s.ending == nil || s.out.bytes > s.config.ResponseBytes {
		if !s.respondOldest(now) {
			break
		}
	}
	if s.ending != nil && s.window.live() {
		s.conclude()
		s.over(ErrEnded)
	}
}

// respondOldest answers the oldest held request if its response is due.
func (s *Session) respondOldest(now time.Time) bool {
	if len(s.held) == 0 {
		return false
	}
	x := s.held[0]
	switch {
	case !x.live && len(s.held) > 1:
		s.answer(x, nil, now) // the client has gone on without it
	case !x.live:
		return false
	case x.Pause > 0: // has no payload (XEP-0124 §10)
		s.answer(x, nil, now)
	case s.out.bytes > 0:
		s.answer(x, s.out.take(s.config.ResponseBytes), now)
	case s.due(x, now):
		s.answer(x, nil, now)
	default:
		return false
	}
	return true
}

// due says whether x must be answered although there is nothing to send.
func (s *Session) due(x *exchange, now time.Time) bool {
	return len(s.held) > s.terms.Hold ||
		s.report != 0 ||
		!now.Before(x.arrived.Add(s.terms.Wait))
}

// answer gives the oldest held request its response, and keeps that.
func (s *Session) answer(x *exchange, payload [][]byte, now time.Time) {
	s.held = s.held[1:]
	s.answered = x.RID
	r := Reply{}
	if x.creation {
		r.Terms = &s.terms
	}
	s.fill(x, &r, payload)
	// XEP-0124 §9.1: the creation response says that we acknowledge; later the
	// obvious is left out.
	if ack := s.received(); x.creation || ack != x.RID {
		r.Ack = ack
	}
	if y := s.cache.find(s.report); y != nil {
		r.Report, r.Time = s.report, now.Sub(y.sent)
	}
	s.report = 0
	x.reply, x.sent = r, now
	s.cache.add(x)
	s.cache.trim(s.terms.Requests, s.acks, s.config.OutBytes)
	s.emit(x, r)
}

// fill puts payload into r, the response to x, and with it what is to be told of
// the stream.
func (s *Session) fill(x *exchange, r *Reply, payload [][]byte) {
	r.Payload = payload
	if s.opening != nil && (x.creation || len(payload) > 0) {
		r.Opening, s.opening = s.opening, nil
	}
}

// acknowledge takes in which responses the client has received before x
// (XEP-0124 §9.2).
func (s *Session) acknowledge(x *exchange, now time.Time) {
	if !s.acks {
		return
	}
	ack := x.RID - 1 // absent: all
	if x.Ack != 0 {
		ack = x.Ack
	}
	s.cache.dropThrough(ack)
	if y := s.cache.find(ack + 1); y != nil && now.Sub(y.sent) >= reportAfter {
		s.report = y.RID
	}
}

// conclude answers every open request for the last time (XEP-0124 §13): the
// oldest gets what is left, the others nothing.
func (s *Session) conclude() {
	last := Reply{Type: "terminate", Payload: s.out.takeAll()}
	if s.ending != nil {
		last.Condition = s.ending.condition
	}
	last.Opening, s.opening = s.opening, nil
	for _, x := range s.open() {
		if !x.live {
			continue
		}
		s.emit(x, last)
		last = Reply{}
	}
}
