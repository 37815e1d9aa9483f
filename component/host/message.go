package host

import (
	"mellium.im/xmpp/stanza"

	"xtokend/component/host/wire"
)

const (
	nsHints      = "urn:xmpp:hints"
	nsChatStates = "http://jabber.org/protocol/chatstates"
)

// routeMessage delivers a message of the session's (RFC 6121 §8).
func (t *turn) routeMessage(st *wire.Stanza) {
	to := st.To
	if isZero(to) {
		to = t.session.user.jid
	}
	if to.Localpart() == "" { // nobody reads what is sent to the server
		t.reply(st.Error(wire.Fail(stanza.ServiceUnavailable)))
		return
	}
	u, _ := t.local(to)
	if u == nil {
		t.reply(st.Error(wire.Fail(stanza.ServiceUnavailable)))
		return
	}
	unit := st.Bytes(st.From, to)
	reached, fault := t.deliver(u, to.Resourcepart(), st, unit)
	if fault != "" {
		t.reply(st.Error(wire.Fail(fault)))
		return
	}
	t.copy(st, u, to, reached)
}

// deliver takes a message to a user's sessions, or keeps it for the user. reached
// are the sessions that it was sent to; fault is the condition to tell the sender,
// "" if there is none.
func (t *turn) deliver(u *user, resource string, st *wire.Stanza, unit []byte) (reached []*session, fault stanza.Condition) {
	if u.blocks(st.From) {
		return nil, stanza.ServiceUnavailable
	}
	kind := stanza.MessageType(st.Type)
	if resource != "" {
		if s := u.sessions[resource]; s != nil && s.reads() {
			return t.send(u, []*session{s}, st, unit)
		}
		switch kind { // RFC 6121 §8.5.3.2.1
		case stanza.ChatMessage:
		case stanza.HeadlineMessage, stanza.ErrorMessage:
			return nil, ""
		default:
			return nil, stanza.ServiceUnavailable
		}
	}
	switch kind { // RFC 6121 §8.5.2
	case stanza.GroupChatMessage:
		return nil, stanza.ServiceUnavailable
	case stanza.ErrorMessage:
		return nil, ""
	}
	return t.send(u, u.receivers(), st, unit)
}

// send sends a message to sessions of a user. One that is to be kept until a
// session has it is; without sessions it waits for one.
func (t *turn) send(u *user, to []*session, st *wire.Stanza, unit []byte) (reached []*session, fault stanza.Condition) {
	var m *message
	if isKept(st) {
		if m = t.keep(u, unit); m == nil {
			if len(to) > 0 {
				return nil, stanza.ResourceConstraint
			}
			return nil, stanza.ServiceUnavailable // as if nothing were kept: RFC 6121 §8.5.2.2.1
		}
	}
	for _, s := range to {
		if s.send(item{unit: unit, message: m}) {
			reached = append(reached, s)
		}
	}
	if m == nil {
		return reached, ""
	}
	m.holders = len(reached)
	if len(to) > 0 && len(reached) == 0 {
		t.forget(m)
		return nil, stanza.ResourceConstraint
	}
	t.write(m)
	return reached, ""
}

// isKept says whether a message waits for a user who is not there: what carries
// content, unless the sender does not want it to (XEP-0160, XEP-0334).
func isKept(st *wire.Stanza) bool {
	switch stanza.MessageType(st.Type) {
	case stanza.ChatMessage, stanza.NormalMessage:
	default:
		return false
	}
	for _, hint := range []string{"no-store", "no-permanent-store"} {
		if _, ok := st.Child(nsHints, hint); ok {
			return false
		}
	}
	for _, c := range st.Children {
		if c.Name.Space != nsChatStates && c.Name.Space != nsHints && c.Name.Local != "thread" {
			return true
		}
	}
	return false
}

// fromRoom delivers what the room service has for a user: an invitation.
func (t *turn) fromRoom(u *user, unit []byte) bool {
	st, err := wire.Parse(unit, clientHeader, t.roomsAt)
	if err != nil || st.Name != wire.Message {
		return false
	}
	_, fault := t.deliver(u, "", st, unit)
	return fault == ""
}
