package host

import (
	"encoding/xml"

	"mellium.im/xmpp/jid"
	"mellium.im/xmpp/stanza"
	"mellium.im/xmpp/stream"

	"xtokend/component/host/wire"
	"xtokend/internal/element"
)

// bind takes the stanzas of a stream without a resource: only the request to
// bind one (RFC 6120 §7).
func (t *turn) bind(st *wire.Stanza, fault error) {
	if t.conn.isEnded() {
		return // nobody would end the session
	}
	payload := st.Payload()
	if !st.IsRequest() || payload.Name != (xml.Name{Space: nsBind, Local: "bind"}) {
		t.conn.fail(stream.NotAuthorized)
		return
	}
	if fault != nil || st.Type != string(stanza.SetIQ) {
		t.refuseBinding(st, stanza.BadRequest)
		return
	}
	full, err := t.resource(payload)
	if err != nil {
		t.refuseBinding(st, stanza.BadRequest)
		return
	}
	u := t.conn.user
	if old := u.sessions[full.Resourcepart()]; old != nil {
		conn := old.conn
		t.end(old)
		if conn != nil {
			conn.fail(stream.Conflict) // the newer one wins: RFC 6120 §7.7.2.2
		}
	}
	if len(u.sessions) >= t.limits.Sessions {
		if lost := u.lostFirst(); lost != nil {
			t.end(lost)
		}
	}
	if len(u.sessions) >= t.limits.Sessions {
		t.refuseBinding(st, stanza.ResourceConstraint)
		return
	}
	s := &session{host: t.Host, user: u, jid: full, conn: t.conn, directed: make(map[string]jid.JID), unanswered: make(map[string]*wire.Stanza)}
	u.sessions[full.Resourcepart()] = s
	t.conn.session, t.conn.jid, t.session = s, full, s
	text := element.Escape(full.String())
	bound := "<bind xmlns='" + nsBind + "'><jid>" + text + "</jid></bind>"
	t.conn.say(item{unit: wire.FromIQ(stanza.IQ{ID: st.ID, Type: stanza.ResultIQ}, []byte(bound))})
}

// lostFirst is the session that has been without a connection longest; nil if
// there is none.
func (u *user) lostFirst() *session {
	var first *session
	for _, s := range u.sessions {
		if s.conn == nil && (first == nil || s.lost.Before(first.lost)) {
			first = s
		}
	}
	return first
}

// resource is the full JID that the client asks for, or one of ours.
func (t *turn) resource(bind element.Element) (jid.JID, error) {
	wanted, _ := bind.Child(nsBind, "resource")
	if wanted.Text == "" {
		return t.conn.user.jid.WithResource(newID())
	}
	return t.conn.user.jid.WithResource(wanted.Text)
}

// refuseBinding answers a client that has no address yet.
func (t *turn) refuseBinding(st *wire.Stanza, c stanza.Condition) {
	t.conn.say(item{unit: wire.FromIQ(stanza.IQ{ID: st.ID, Type: stanza.ErrorIQ}, wire.Marshal(wire.Fail(c)))})
}
