package host

import (
	"time"

	"mellium.im/xmpp/jid"
	"mellium.im/xmpp/stanza"
	"mellium.im/xmpp/stream"

	"xtokend/component/host/journal"
	"xtokend/component/host/wire"
)

// session is a resource of a user, from its binding to its end. With stream
// management it may be without a connection for a while. Guarded by Host.mu.
type session struct {
	host  *Host
	user  *user
	jid   jid.JID // full
	conn  *conn   // nil while it waits to be resumed
	ended bool

	presence   *wire.Stanza // the last one broadcast; nil while unavailable
	priority   int8
	interested bool               // in the roster (RFC 6121 §2.2)
	carbons    bool               // wants copies (XEP-0280)
	blocklist  bool               // is told of changes to what is blocked (XEP-0191)
	directed   map[string]jid.JID // addresses that were sent presence
	caps       caps

	unanswered map[string]*wire.Stanza // requests that others have made of the session, see requestKey

	managed   *managed // nil without stream management
	timer     *time.Timer
	lost      time.Time // when it was left without a connection
	failing   bool      // it is about to be ended
	missed    bool      // there was no room for presence of others
	refreshed int       // how often that was mended
}

// maxRefreshes bounds how often a session that has missed presence is sent all of
// it again.
const maxRefreshes = 10

// item is something for a session to read.
type item struct {
	unit    []byte
	message *message     // nil if it is not kept until the session has it
	mark    journal.Mark // what must be on disk before it is read
}

// receives says whether messages to the bare JID go to the session (RFC 6121
// §8.5.2.1).
func (s *session) receives() bool { return s.presence != nil && s.priority >= 0 && s.reads() }

// reads says whether what is sent to the session can reach its client.
func (s *session) reads() bool {
	return !s.ended && !s.failing && (s.managed != nil || !s.conn.isEnded())
}

// send puts an item where the session reads. It is false if the session has
// ended, or does not read what is there already, or if the item is too long.
func (s *session) send(it item) bool {
	return s.sendWithin(it, s.host.limits.QueueBytes)
}

// show sends presence of others, which must not be able to end the session. What
// there is no room for is made up for, see refresh.
func (s *session) show(unit []byte) {
	if !s.send(item{unit: unit}) {
		s.missed = true
	}
}

// must sends what the session cannot do without. One that does not read at all is
// ended.
func (s *session) must(it item) {
	if s.ended || s.failing || len(it.unit) > s.host.limits.OutputBytes || s.sendWithin(it, s.host.limits.mustBytes()) {
		return
	}
	s.failing = true
	if s.managed != nil {
		s.managed.resumable = false
	}
	if s.conn != nil {
		s.conn.fail(stream.ResourceConstraint) // the front closes it
	} else {
		s.endAfter(0)
	}
}

func (s *session) sendWithin(it item, most int) bool {
	if s.ended || len(it.unit) > s.host.limits.OutputBytes {
		return false
	}
	if s.managed != nil {
		return s.managed.send(s, it, most)
	}
	return s.conn.enqueue(it, most)
}

// waiting is how many bytes wait for the session.
func (s *session) waiting() int {
	switch {
	case s.managed != nil:
		return s.managed.queued
	case s.conn != nil:
		return s.conn.waiting()
	}
	return 0
}

// available are the sessions of a user that have sent presence.
func (u *user) available() []*session {
	return u.sessionsThat(func(s *session) bool { return s.presence != nil })
}

// receivers are those that messages to the bare JID go to.
func (u *user) receivers() []*session { return u.sessionsThat((*session).receives) }

func (u *user) sessionsThat(are func(*session) bool) []*session {
	var list []*session
	for _, s := range u.sessions {
		if are(s) {
			list = append(list, s)
		}
	}
	return list
}

// end ends a session: nobody sees it any more, and what it has not had goes to
// others, or is kept.
func (t *turn) end(s *session) {
	if s.ended {
		return
	}
	s.ended = true
	if s.presence != nil || len(s.directed) > 0 {
		t.leave(s, t.unavailable(s))
	}
	s.stopTimer()
	delete(s.user.sessions, s.jid.Resourcepart())
	if s.conn != nil {
		s.disconnect()
	}
	if s.managed != nil {
		for _, it := range s.managed.queue {
			t.giveUp(it.message)
		}
	}
	for _, request := range s.unanswered {
		t.answer(request, request.Error(wire.Fail(stanza.RecipientUnavailable)))
	}
}

// disconnect takes the connection from a session. What is left in its queue can
// still be read.
func (s *session) disconnect() {
	s.conn.session = nil
	s.conn = nil
}

// dropped is called when the front has closed a connection. What was sent on it
// without stream management, and perhaps not passed on, goes elsewhere.
func (h *Host) dropped(c *conn) {
	h.turn(c, func(t *turn) {
		delete(h.conns, c)
		switch s := t.session; {
		case s == nil:
		case s.managed != nil && s.managed.resumable && !h.closed:
			s.disconnect()
			s.lost = time.Now()
			s.endAfter(h.limits.ResumeWithin)
		default:
			t.end(s)
		}
		unread, passed := c.takeBack()
		for _, m := range passed {
			h.forget(m)
		}
		for _, m := range unread {
			t.giveUp(m)
		}
	})
}

// endAfter ends the session after that time, unless it is resumed before.
func (s *session) endAfter(d time.Duration) {
	s.stopTimer()
	s.timer = time.AfterFunc(d, func() {
		defer s.host.recoverPanic()
		s.host.turn(nil, func(t *turn) {
			if s.conn == nil && !t.closed {
				t.end(s)
			}
		})
	})
}

func (s *session) stopTimer() {
	if s.timer != nil {
		s.timer.Stop()
		s.timer = nil
	}
}
