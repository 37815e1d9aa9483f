package bosh

import (
	"io"
	"time"
)

// Open says what the client is to be told of its stream: in the creation
// response if that is still to come, else with the first payload.
func (s *Session) Open(o Opening) { s.opening = &o }

// Send takes one element for the client, and says whether there was room for
// it; if not, there may be after any later call. Once the client or our side
// has ended the session, what is sent is dropped; if it ended in another way,
// the error says which.
func (s *Session) Send(unit []byte, now time.Time) (ok bool, err error) {
	switch {
	case s.err == ErrTerminated || s.err == ErrEnded || s.ending != nil:
		return true, nil
	case s.err != nil:
		return false, s.err
	case !s.out.fits(UnitOverhead+len(unit)+s.cache.bytes, s.config.OutBytes):
		return false, nil
	}
	s.out.push(unit)
	s.settle(now)
	return true, nil
}

// End ends the session from our side, with a condition or, if it is empty,
// without; last is an element to go before that, nil for none. The client is
// told by the next response to any request of its own, be it one that waits for
// others, with all that was sent before. What it sends in the meantime is not read any more.
func (s *Session) End(c Condition, last []byte, now time.Time) {
	if s.err != nil || s.ending != nil {
		return
	}
	if last != nil {
		s.out.push(last)
	}
	s.ending = &ending{condition: c}
	s.in, s.fault = queue{}, nil
	s.settle(now)
}

// Read takes the next unit from the client; it is nil if there is none yet.
// Behind the last one it returns the Fault of the request that had one, else
// io.EOF, or the [Condition] that ended the session.
func (s *Session) Read(now time.Time) ([]byte, error) {
	if len(s.in.units) > 0 {
		u := s.in.pop()
		s.settle(now)
		return u, nil
	}
	if s.fault != nil {
		return nil, s.fault
	}
	switch err := s.err.(type) {
	case nil:
		return nil, nil
	case Condition:
		return nil, err
	default:
		return nil, io.EOF
	}
}
