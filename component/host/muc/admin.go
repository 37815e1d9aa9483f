package muc

import (
	"mellium.im/xmpp/jid"
	"mellium.im/xmpp/stanza"

	"xtokend/component/host/wire"
	"xtokend/internal/element"
)

// admin handles what moderators and admins ask of a room (XEP-0045 §8, §9).
func (r *room) admin(st *wire.Stanza) {
	r.service.answer(st, func(st *wire.Stanza) ([]byte, *stanza.Error) {
		var items []element.Element
		for _, c := range st.Payload().Children {
			if c.Name.Space == nsAdmin && c.Name.Local == "item" {
				items = append(items, c)
			}
		}
		switch {
		case len(items) == 0:
			return nil, fail(stanza.BadRequest, "An item is missing.")
		case st.Type == string(stanza.GetIQ):
			return r.list(st.From, items[0])
		case len(items) > r.service.limits.Items:
			return nil, fail(stanza.PolicyViolation, "There are too many items in one request.")
		}
		return nil, r.change(st, items)
	})
}

// list answers with those of an affiliation or of a role.
func (r *room) list(asker jid.JID, e element.Element) ([]byte, *stanza.Error) {
	a, byAffiliation := affiliations[e.AttrValue("affiliation")]
	ro, byRole := roles[e.AttrValue("role")]
	own := r.affiliation(asker)
	var q adminQuery
	switch {
	case byAffiliation == byRole:
		return nil, fail(stanza.BadRequest, "Either an affiliation or a role is needed.")
	case byAffiliation:
		// Members of a room that hides nobody from them may see who else is one.
		among := r.config.membersOnly && r.config.nonAnonymous && own >= affiliationMember
		if !among && (own < affiliationAdmin || own < a) {
			return nil, fail(stanza.Forbidden, "You may not see this list.")
		}
		for user, b := range r.affiliations {
			if b == a {
				q.Items = append(q.Items, item{Affiliation: a.String(), JID: user})
			}
		}
		sortItems(q.Items)
	default:
		x := r.sessions[asker.String()]
		if x == nil && r.defaultRole(own) < roleModerator || x != nil && x.occupant.role < roleModerator {
			return nil, fail(stanza.Forbidden, "You may not see this list.")
		}
		for _, o := range r.occupants {
			if o.role == ro {
				q.Items = append(q.Items, item{Affiliation: r.affiliation(o.user).String(), Role: ro.String(),
					JID: o.user.String(), Nick: o.nick()})
			}
		}
	}
	return wire.Marshal(&q), nil
}

// change is a change of the affiliation of user or of the role of occupant.
type change struct {
	user          jid.JID // bare; zero for a change of role
	occupant      *occupant
	affiliation   affiliation
	role          role
	actor, reason string // actor is a nick
}

// change makes all changes if each of them is allowed.
func (r *room) change(st *wire.Stanza, items []element.Element) *stanza.Error {
	var list []change
	for _, e := range items {
		c, fault := r.changeOf(e)
		if fault == nil {
			fault = r.mayChange(st.From, c)
		}
		if fault != nil {
			return fault
		}
		list = append(list, c)
	}
	for _, c := range list {
		// What came before may have taken the right away, or the occupant.
		if fault := r.mayChange(st.From, c); fault != nil {
			return fault
		}
		if x := r.bySender(st); x != nil {
			c.actor = x.occupant.nick()
		}
		if c.occupant != nil {
			r.setRole(c)
		} else {
			r.setAffiliation(c)
		}
	}
	r.closeIfDone()
	return nil
}

// changeOf reads an item: a nick and a role, or an address and an affiliation;
// instead of the address the nick of an occupant will do.
func (r *room) changeOf(e element.Element) (change, *stanza.Error) {
	a, byAffiliation := affiliations[e.AttrValue("affiliation")]
	ro, byRole := roles[e.AttrValue("role")]
	reason, _ := e.Child(nsAdmin, "reason")
	c := change{affiliation: a, role: ro, reason: reason.Text}
	if fault := r.service.tooLong(reason.Text); fault != nil {
		return c, fault
	}
	o := r.byNick(e.AttrValue("nick"))
	address := e.AttrValue("jid")
	switch {
	case byAffiliation == byRole:
		return c, fail(stanza.BadRequest, "Either an affiliation or a role is needed.")
	case byRole && o == nil:
		return c, fail(stanza.ItemNotFound, "Nobody of that nickname is in this room.")
	case byRole:
		c.occupant = o
	case address == "" && o != nil:
		c.user = o.user
	default:
		j, err := jid.Parse(address)
		if err != nil || j.Localpart() == "" {
			return c, fail(stanza.JIDMalformed, "This is no address of a user.")
		}
		c.user = j.Bare()
	}
	return c, nil
}

// mayChange says why actor may not make a change, and is nil if he may.
func (r *room) mayChange(actor jid.JID, c change) *stanza.Error {
	if c.occupant != nil {
		return r.maySetRole(actor, c)
	}
	return r.maySetAffiliation(actor, c)
}

// maySetRole follows XEP-0045 §5.1.3: moderators give and take voice and kick, but
// nobody of a higher affiliation; admins make and unmake moderators. Admins and
// owners are moderators whoever likes it, themselves included (§8.4, §9.7): with
// another role they could not make themselves one again.
func (r *room) maySetRole(actor jid.JID, c change) *stanza.Error {
	x, own, other := r.sessions[actor.String()], r.affiliation(actor), r.affiliation(c.occupant.user)
	switch {
	case len(c.occupant.sessions) == 0:
		return fail(stanza.ItemNotFound, "Nobody of that nickname is in this room.")
	case x == nil || x.occupant.role < roleModerator,
		own < other,
		other >= affiliationAdmin && (c.role == roleVisitor || c.role == roleParticipant),
		(c.occupant.role == roleModerator || c.role == roleModerator) && own < affiliationAdmin:
		return fail(stanza.NotAllowed, "You may not change the role of this occupant.")
	}
	return nil
}

// maySetAffiliation follows XEP-0045 §5.2.2: owners change all, but the last one
// stays; admins change those below them to what is below them.
func (r *room) maySetAffiliation(actor jid.JID, c change) *stanza.Error {
	own, was := r.affiliation(actor), r.affiliation(c.user)
	switch {
	case own < affiliationAdmin, own == affiliationAdmin && (was >= affiliationAdmin || c.affiliation >= affiliationAdmin):
		return fail(stanza.NotAllowed, "You may not change the affiliation of this user.")
	case was == affiliationOwner && c.affiliation != affiliationOwner && r.owners() == 1:
		return fail(stanza.Conflict, "A room needs an owner.")
	case was == affiliationNone && c.affiliation != affiliationNone && r.isFull(c.user):
		return fail(stanza.ResourceConstraint, "The room remembers too many users.")
	}
	return nil
}

// isFull says whether the room cannot remember an affiliation of one more user.
func (r *room) isFull(user jid.JID) bool {
	bytes := len(user.String())
	for known := range r.affiliations {
		bytes += len(known)
	}
	return len(r.affiliations) >= r.service.limits.Affiliations || bytes > r.service.limits.AffiliationBytes
}

func (r *room) owners() (n int) {
	for _, a := range r.affiliations {
		if a == affiliationOwner {
			n++
		}
	}
	return n
}
