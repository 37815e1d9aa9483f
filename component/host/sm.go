package host

import (
	"crypto/subtle"
	"fmt"
	"strconv"

	"mellium.im/xmpp/stanza"
	"mellium.im/xmpp/stream"

	"xtokend/internal/element"
)

// managed is the stream management of a session (XEP-0198).
type managed struct {
	id        string // what a client resumes with; a secret
	resumable bool
	handled   uint32 // stanzas of the client's, modulo 2^32

	sent    uint32 // stanzas sent, modulo 2^32
	queue   []item // those that are not acknowledged
	queued  int    // bytes in queue
	waiting bool   // an <r/> was sent and not answered
}

// send sends an item and asks for its acknowledgement. Without a connection it
// waits. It is false if more than most bytes would wait.
func (m *managed) send(s *session, it item, most int) bool {
	if m.queued > 0 && m.queued+len(it.unit) > most {
		return false
	}
	m.queue = append(m.queue, it)
	m.queued += len(it.unit)
	m.sent++
	if s.conn != nil {
		m.write(s.conn, it)
	}
	return true
}

func (m *managed) write(c *conn, it item) {
	c.say(item{unit: it.unit, mark: it.mark})
	if !m.waiting {
		m.ask(c)
	}
}

// ask asks the client for its count.
func (m *managed) ask(c *conn) {
	m.waiting = true
	c.say(item{unit: []byte("<r xmlns='" + nsSM + "'/>")})
}

// acknowledge takes the client's count of stanzas. It is false if the client
// counts more than it was sent.
func (m *managed) acknowledge(t *turn, handled uint32) bool {
	n := uint32(len(m.queue)) - (m.sent - handled)
	if n > uint32(len(m.queue)) {
		return false
	}
	for _, it := range m.queue[:n] {
		m.queued -= len(it.unit)
		t.forget(it.message)
	}
	clear(m.queue[:n])
	m.queue = m.queue[n:]
	if len(m.queue) == 0 {
		m.queue = nil
	}
	return true
}

// management takes an element of XEP-0198, or what is no stanza.
func (c *conn) management(e element.Element) {
	if e.Name.Space != nsSM {
		c.fail(stream.UnsupportedStanzaType)
		return
	}
	switch e.Name.Local {
	case "enable":
		c.host.turn(c, func(t *turn) { t.enable(e) })
	case "resume":
		c.host.turn(c, func(t *turn) { t.resume(e) })
	case "r":
		c.host.turn(c, (*turn).acknowledgeClient)
	case "a":
		c.host.turn(c, func(t *turn) { t.acknowledged(e) })
	default:
		c.fail(stream.UnsupportedStanzaType)
	}
}

func (t *turn) enable(e element.Element) {
	s := t.session
	if s == nil || s.managed != nil {
		t.conn.refuseManagement(stanza.UnexpectedRequest)
		return
	}
	m := &managed{}
	answer := "<enabled xmlns='" + nsSM + "'/>"
	if resume := e.AttrValue("resume"); resume == "true" || resume == "1" {
		m.resumable, m.id = true, newID()
		answer = fmt.Sprintf("<enabled xmlns='%s' id='%s' resume='true' max='%d'/>", nsSM, m.id, int(t.limits.ResumeWithin.Seconds()))
	}
	s.managed = m
	t.conn.say(item{unit: []byte(answer)})
}

// acknowledgeClient answers the client's <r/>; the client reads it when all that it
// has said is on disk.
func (t *turn) acknowledgeClient() {
	if t.session != nil && t.session.managed != nil {
		answer := fmt.Appendf(nil, "<a xmlns='%s' h='%d'/>", nsSM, t.session.managed.handled)
		t.conn.say(item{unit: answer, mark: t.journal.Mark()})
	}
}

func (t *turn) acknowledged(e element.Element) {
	if t.session == nil || t.session.managed == nil {
		return
	}
	m := t.session.managed
	h, err := strconv.ParseUint(e.AttrValue("h"), 10, 32)
	if err != nil || !m.acknowledge(t, uint32(h)) {
		t.conn.countedTooHigh(e, m)
		return
	}
	m.waiting = false
	if len(m.queue) > 0 {
		m.ask(t.conn)
	}
	t.refresh(t.session)
}

// resume takes a session over from a connection that is lost, or soon will be. The
// client reads the answer when all that it has said is on disk.
func (t *turn) resume(e element.Element) {
	c := t.conn
	if c.jid.Resourcepart() != "" || c.isEnded() {
		c.refuseManagement(stanza.UnexpectedRequest)
		return
	}
	s := c.user.resumable(e.AttrValue("previd"))
	h, err := strconv.ParseUint(e.AttrValue("h"), 10, 32)
	if s == nil || err != nil {
		c.refuseManagement(stanza.ItemNotFound)
		return
	}
	m := s.managed
	if !m.acknowledge(t, uint32(h)) {
		c.countedTooHigh(e, m)
		return
	}
	if old := s.conn; old != nil {
		s.disconnect()
		old.fail(stream.Conflict)
	}
	s.stopTimer()
	s.conn, c.session, c.jid = c, s, s.jid
	answer := fmt.Appendf(nil, "<resumed xmlns='%s' h='%d' previd='%s'/>", nsSM, m.handled, m.id)
	c.say(item{unit: answer, mark: t.journal.Mark()})
	m.waiting = false
	for _, it := range m.queue {
		m.write(c, it)
	}
}

// countedTooHigh ends the stream of a client that acknowledges what it was not
// sent, or what it has acknowledged already (XEP-0198 §4).
func (c *conn) countedTooHigh(e element.Element, m *managed) {
	c.failWith(stream.UndefinedCondition, fmt.Appendf(nil, "<handled-count-too-high xmlns='%s' h='%s' send-count='%d'/>",
		nsSM, element.Escape(e.AttrValue("h")), m.sent))
}

// resumable returns the user's session of that id.
func (u *user) resumable(id string) *session {
	var found *session
	for _, s := range u.sessions {
		if m := s.managed; m != nil && m.resumable && subtle.ConstantTimeCompare([]byte(m.id), []byte(id)) == 1 {
			found = s
		}
	}
	return found
}

func (c *conn) refuseManagement(condition stanza.Condition) {
	c.say(item{unit: []byte("<failed xmlns='" + nsSM + "'><" + string(condition) + " xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></failed>")})
}
