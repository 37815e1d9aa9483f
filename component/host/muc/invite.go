package muc

import (
	"encoding/xml"

	"mellium.im/xmpp/jid"
	"mellium.im/xmpp/stanza"

	"xtokend/component/host/wire"
	"xtokend/internal/element"
)

// conference is how clients that know direct invitations alone (XEP-0249) see a
// mediated one.
type conference struct {
	XMLName  xml.Name `xml:"jabber:x:conference x"`
	JID      string   `xml:"jid,attr"`
	Password string   `xml:"password,attr,omitempty"`
	Reason   string   `xml:"reason,attr,omitempty"`
}

// mediate passes invitations and refusals of them on (XEP-0045 §7.8.2).
func (r *room) mediate(st *wire.Stanza) {
	x, _ := st.Child(nsUser, "x")
	var invites []element.Element
	for _, c := range x.Children {
		if c.Name == (xml.Name{Space: nsUser, Local: "invite"}) {
			invites = append(invites, c)
		}
	}
	decline, declines := x.Child(nsUser, "decline")
	var fault *stanza.Error
	switch {
	case len(invites) > r.service.limits.Items:
		fault = fail(stanza.PolicyViolation, "There are too many invitations in one message.")
	case len(invites) > 0:
		fault = r.invite(st, invites)
	case declines:
		fault = r.decline(st, decline)
	default:
		fault = fail(stanza.BadRequest, "A message to the room must be of type groupchat.")
	}
	if fault != nil {
		r.service.refuse(st, *fault)
	}
}

// invite passes on one invitation or more. An invitation to a room for members
// only makes its receiver a member.
func (r *room) invite(st *wire.Stanza, list []element.Element) *stanza.Error {
	x := r.bySender(st)
	needs := affiliationNone
	if r.config.membersOnly {
		if needs = affiliationAdmin; r.config.membersInvite {
			needs = affiliationMember
		}
	}
	switch {
	case x == nil:
		e := absent()
		return &e
	case x.occupant.role < roleParticipant, r.affiliation(st.From) < needs:
		return fail(stanza.Forbidden, "You may not invite others to this room.")
	}
	for _, e := range list {
		to, err := jid.Parse(e.AttrValue("to"))
		if err != nil || to.Localpart() == "" {
			return fail(stanza.JIDMalformed, "This is no address of a user.")
		}
		if fault := r.inviteOne(st, x.occupant, to.Bare(), e); fault != nil {
			return fault
		}
	}
	return nil
}

// inviteOne invites one user. Who may not see JIDs in the room is not shown the
// inviter's.
func (r *room) inviteOne(st *wire.Stanza, from *occupant, to jid.JID, e element.Element) *stanza.Error {
	reason, _ := e.Child(nsUser, "reason")
	if fault := r.service.tooLong(st.ID, reason.Text); fault != nil {
		return fault
	}
	joins := r.config.membersOnly && r.affiliation(to) == affiliationNone
	if joins && r.isFull(to) {
		return fail(stanza.ResourceConstraint, "The room remembers too many users.")
	}
	inviter := from.user
	if !r.config.nonAnonymous && r.defaultRole(r.affiliation(to)) < roleModerator {
		inviter = from.jid
	}
	x := wire.Marshal(&userX{Invite: &invitation{From: inviter.String(), Reason: reason.Text}, Password: r.config.password})
	direct := wire.Marshal(&conference{JID: r.jid.String(), Password: r.config.password, Reason: reason.Text})
	if !r.service.deliver(to, r.notice(st, to, append(x, direct...))) {
		return fail(stanza.ItemNotFound, "There is no such user.")
	}
	if joins {
		r.setAffiliation(change{user: to, affiliation: affiliationMember, actor: from.nick()})
	}
	return nil
}

// decline tells an inviter that an invitation is not taken up. Who declines is
// not in the room.
func (r *room) decline(st *wire.Stanza, e element.Element) *stanza.Error {
	to, err := jid.Parse(e.AttrValue("to"))
	switch {
	case err != nil:
		return fail(stanza.JIDMalformed, "This is no address of a user.")
	case r.affiliation(st.From) == affiliationOutcast:
		return fail(stanza.Forbidden, "")
	}
	reason, _ := e.Child(nsUser, "reason")
	if fault := r.service.tooLong(st.ID, reason.Text); fault != nil {
		return fault
	}
	x := wire.Marshal(&userX{Decline: &invitation{From: st.From.Bare().String(), Reason: reason.Text}})
	if !to.Bare().Equal(r.jid) {
		if to.Localpart() == "" || !r.service.deliver(to.Bare(), r.notice(st, to.Bare(), x)) {
			return fail(stanza.ItemNotFound, "There is no such user.")
		}
		return nil
	}
	o := r.byNick(to.Resourcepart())
	if o == nil {
		return fail(stanza.ItemNotFound, "Nobody of that nickname is in this room.")
	}
	for _, s := range o.sessions {
		r.service.send(s, r.notice(st, s.jid, x))
	}
	return nil
}

// notice is a message of the room's own on account of st. Nothing else that st
// holds goes with it: it would be taken for the room's word.
func (r *room) notice(st *wire.Stanza, to jid.JID, payload []byte) []byte {
	return wire.FromMessage(stanza.Message{ID: st.ID, From: r.jid, To: to}, payload)
}
