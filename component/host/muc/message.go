package muc

import (
	"crypto/rand"

	"mellium.im/xmpp/jid"
	"mellium.im/xmpp/stanza"

	"xtokend/component/host/wire"
)

// message handles a message to the room.
func (r *room) message(st *wire.Stanza) {
	switch stanza.MessageType(st.Type) {
	case stanza.GroupChatMessage:
		r.groupchat(st)
	case stanza.ErrorMessage:
		if x := r.bySender(st); x != nil {
			r.fault(x, st)
		}
	case stanza.NormalMessage:
		r.mediate(st)
	default:
		r.service.refuse(st, wire.Fail(stanza.BadRequest))
	}
}

// groupchat reflects a message to everybody in the room (XEP-0045 §7.4).
func (r *room) groupchat(st *wire.Stanza) {
	x := r.bySender(st)
	switch {
	case x == nil:
		r.service.refuse(st, absent())
		return
	case x.occupant.role < roleParticipant:
		r.service.refuse(st, *fail(stanza.Forbidden, "You may not speak in this room."))
		return
	case len(st.Bytes(jid.JID{}, jid.JID{})) > r.service.limits.MessageBytes:
		r.service.refuse(st, *fail(stanza.PolicyViolation, "The message is too long."))
		return
	}
	subject, sets := subjectOf(st)
	if sets {
		if fault := r.setSubject(x.occupant, subject); fault != nil {
			r.service.refuse(st, *fault)
			return
		}
	}
	id := wire.Marshal(&stanzaID{ID: rand.Text(), By: r.jid.String()})
	unit := st.Without(r.forged).Bytes(jid.JID{}, jid.JID{}, r.occupantID(x.occupant.user), id)
	if !sets { // who comes later is told the subject of then
		r.remember(st, x.occupant, unit)
	}
	r.broadcast(x.occupant.jid, unit)
}

// broadcast sends a message without addresses to everybody in the room.
func (r *room) broadcast(from jid.JID, unit []byte) {
	for _, o := range r.occupants {
		for _, to := range o.sessions {
			r.service.send(to, wire.Addressed(unit, from, to.jid))
		}
	}
}

// privateMessage passes a message on from one occupant to another (XEP-0045
// §7.5).
func (r *room) privateMessage(st *wire.Stanza) {
	x := r.bySender(st)
	to := r.byNick(st.To.Resourcepart())
	switch {
	case x == nil:
		r.service.refuse(st, absent())
	case st.Type == string(stanza.GroupChatMessage):
		r.service.refuse(st, wire.Fail(stanza.BadRequest))
	case st.Type == string(stanza.ErrorMessage) && isFatal(st):
		r.expelSession(x)
	case to == nil:
		r.service.refuse(st, *fail(stanza.ItemNotFound, "Nobody of that nickname is in this room."))
	default:
		clean, mark := st.Without(r.forged), wire.Marshal(&userX{})
		for _, s := range to.sessions {
			r.service.send(s, clean.Bytes(x.occupant.jid, s.jid, r.occupantID(x.occupant.user), mark))
		}
	}
}
