package muc

import (
	"crypto/subtle"
	"strings"

	"mellium.im/xmpp/jid"
	"mellium.im/xmpp/stanza"

	"xtokend/component/host/wire"
)

// refusal says why the sender of st may not come into the room, and nil if he
// may (XEP-0045 §7.2).
func (r *room) refusal(st *wire.Stanza) *stanza.Error {
	s := r.service
	a := r.affiliation(st.From)
	x, _ := st.Child(nsMUC, "x")
	password, _ := x.Child(nsMUC, "password")
	places := s.limits.Sessions
	if a >= affiliationAdmin {
		places += places / 10 // §7.2.9
	}
	var fault stanza.Error
	switch {
	case a == affiliationOutcast:
		fault = wire.Fail(stanza.Forbidden)
	case r.locked && a != affiliationOwner:
		fault = wire.Fail(stanza.ItemNotFound)
	case r.config.membersOnly && a < affiliationMember:
		fault = wire.Fail(stanza.RegistrationRequired)
	case subtle.ConstantTimeCompare([]byte(password.Text), []byte(r.config.password)) == 0 && r.config.password != "":
		fault = wire.Fail(stanza.NotAuthorized)
	case r.isTaken(st.To.Resourcepart(), st.From):
		fault = wire.Fail(stanza.Conflict)
	case len(r.sessions) >= places:
		fault = *fail(stanza.ServiceUnavailable, "The room is full.")
		fault.Type = stanza.Wait
	case s.joined[st.From.String()] >= s.limits.RoomsPerSession:
		return fail(stanza.ResourceConstraint, "You are in too many rooms.")
	default:
		return r.unfit(st)
	}
	return &fault
}

// unfit says what is wrong with the nick that a presence asks for or with its
// content, and is nil if they are fit.
func (r *room) unfit(st *wire.Stanza) *stanza.Error {
	nick := st.To.Resourcepart()
	switch l := r.service.limits; {
	case strings.TrimSpace(nick) != nick || nick == "":
		return fail(stanza.JIDMalformed, "A nickname is needed, without spaces around it.")
	case len(nick) > l.NickBytes:
		return fail(stanza.PolicyViolation, "The nickname is too long.")
	case len(r.visible(st)) > l.PresenceBytes:
		return fail(stanza.PolicyViolation, "The status is too long.")
	}
	return nil
}

// visible is what others see of a presence, without addresses.
func (r *room) visible(st *wire.Stanza) []byte {
	return st.Without(r.forged).Bytes(jid.JID{}, jid.JID{})
}

// join lets the sender of st in, and tells him and the others in the order of
// XEP-0045 §7.1.
func (r *room) join(st *wire.Stanza, codes ...int) {
	x := &session{jid: st.From, presence: r.visible(st)}
	o := r.byNick(st.To.Resourcepart())
	if o == nil {
		o = &occupant{user: st.From.Bare(), role: r.defaultRole(r.affiliation(st.From))}
		o.setNick(st.To)
	}
	r.add(x, o)
	r.tellOthers(x)
	n := o.current()
	r.tell(o, nil, n)
	if n.self = codes; r.config.nonAnonymous {
		n.self = append(n.self, statusNonAnonymous)
	}
	r.tellSelf(o, o.sessions, n)
	r.sendHistory(x, st)
	r.sendSubject(x)
}
