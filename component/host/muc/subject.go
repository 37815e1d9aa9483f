package muc

import (
	"encoding/xml"
	"time"

	"mellium.im/xmpp/jid"
	"mellium.im/xmpp/stanza"

	"xtokend/component/host/wire"
)

// subject is what a room is about (XEP-0045 §8.1); its zero value is that of a
// room that never had one.
type subject struct {
	text string
	from jid.JID // occupant
	at   time.Time
}

type subjectElement struct {
	XMLName xml.Name `xml:"subject"`
	Text    string   `xml:",chardata"`
}

// subjectOf returns the subject that a message sets, if it does: one with a body
// or a thread is a message that has a subject of its own (XEP-0045 §8.1).
func subjectOf(st *wire.Stanza) (text string, ok bool) {
	subject, ok := st.Child(wire.NSClient, "subject")
	_, body := st.Child(wire.NSClient, "body")
	_, thread := st.Child(wire.NSClient, "thread")
	return subject.Text, ok && !body && !thread
}

func (r *room) setSubject(o *occupant, text string) *stanza.Error {
	switch {
	case o.role < roleModerator && !r.config.changeSubject:
		return fail(stanza.Forbidden, "You may not change the subject of this room.")
	case len(text) > r.service.limits.SubjectBytes:
		return fail(stanza.PolicyViolation, "The subject is too long.")
	}
	r.subject = subject{text, o.jid, r.service.now()}
	return nil
}

// sendSubject ends what a new occupant is told, also if there is no subject
// (XEP-0045 §7.2.15).
func (r *room) sendSubject(to *session) {
	from := r.subject.from
	payload := wire.Marshal(&subjectElement{Text: r.subject.text})
	if r.subject.at.IsZero() {
		from = r.jid
	} else {
		payload = append(payload, r.delay(r.subject.at)...)
	}
	r.service.send(to, wire.FromMessage(stanza.Message{From: from, To: to.jid, Type: stanza.GroupChatMessage}, payload))
}

// delay says since when the room has had something (XEP-0203).
func (r *room) delay(at time.Time) []byte {
	return wire.Marshal(&delay{From: r.jid.String(), Stamp: at.UTC().Format("2006-01-02T15:04:05Z")})
}
