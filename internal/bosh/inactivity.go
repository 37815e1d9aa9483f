package bosh

import "time"

// idleDeadline is when a client without an open request counts as gone
// (XEP-0124 §10); a pause puts it off until the next request.
func (s *Session) idleDeadline() time.Time {
	if s.paused > 0 {
		return s.idle.Add(s.paused)
	}
	return s.idle.Add(s.terms.Inactivity)
}

// Deadline is when [Session.Expire] must be called, unless another call comes
// first; zero: never.
func (s *Session) Deadline() time.Time {
	var next time.Time
	consider := func(t time.Time) {
		if next.IsZero() || t.Before(next) {
			next = t
		}
	}
	if s.err != nil {
		return next
	}
	if !s.idle.IsZero() {
		consider(s.idleDeadline())
	}
	if len(s.held) > 0 && s.held[0].live {
		consider(s.held[0].arrived.Add(s.terms.Wait))
	}
	if t, ok := s.gapDeadline(); ok {
		consider(t)
	}
	return next
}
