package muc

import (
	"cmp"
	"slices"

	"mellium.im/xmpp/jid"
	"mellium.im/xmpp/stanza"

	"xtokend/component/host/wire"
)

// setRole changes the role of an occupant; without one he is kicked (XEP-0045
// §8.2).
func (r *room) setRole(c change) {
	o := c.occupant
	n := o.current()
	n.actor, n.reason = c.actor, c.reason
	if c.role == roleNone {
		n.codes = []int{statusKicked}
		r.expel(o, n)
		return
	}
	r.tellRole(o, c.role, n)
}

// tellRole gives an occupant a role and tells of it. Who has become a moderator is
// shown the JIDs that he could not see before.
func (r *room) tellRole(o *occupant, to role, n news) {
	saw := r.seesJIDs(o)
	o.role = to
	r.tell(o, o.sessions, n)
	if !saw && r.seesJIDs(o) {
		for _, x := range o.sessions {
			r.tellOthers(x)
		}
	}
}

// remembers sets an affiliation without telling of it.
func (r *room) remembers(user jid.JID, a affiliation) {
	if a == affiliationNone {
		delete(r.affiliations, user.String())
		return
	}
	r.affiliations[user.String()] = a
}

// setAffiliation changes an affiliation, and the roles that go with it (XEP-0045
// §9, §10): a higher one gives at least the role that goes with it, and a lower one
// leaves at most that. Who was muted stays so when he is no member any more.
func (r *room) setAffiliation(c change) {
	was := r.affiliation(c.user)
	r.remembers(c.user, c.affiliation)
	ro := r.defaultRole(c.affiliation)
	present := false
	for _, o := range slices.Clone(r.occupants) {
		if !o.user.Equal(c.user) {
			continue
		}
		present = true
		n := o.current()
		n.actor, n.reason = c.actor, c.reason
		switch {
		case ro == roleNone && c.affiliation == affiliationOutcast:
			n.codes = []int{statusBanned}
			r.expel(o, n)
		case ro == roleNone:
			n.codes = []int{statusUnaffiliated}
			r.expel(o, n)
		case c.affiliation < was:
			r.tellRole(o, min(ro, o.role), n)
		case c.affiliation > was:
			r.tellRole(o, max(ro, o.role), n)
		default:
			r.tellRole(o, o.role, n)
		}
	}
	if !present {
		r.tellAffiliation(c)
	}
}

// tellAffiliation tells those who see JIDs of a change for a user who is not in
// the room (XEP-0045 §9.3).
func (r *room) tellAffiliation(c change) {
	x := wire.Marshal(&userX{Items: []item{{Affiliation: c.affiliation.String(), JID: c.user.String(), Reason: c.reason}}})
	for _, o := range r.occupants {
		if r.seesJIDs(o) {
			for _, to := range o.sessions {
				r.service.send(to, wire.FromMessage(stanza.Message{From: r.jid, To: to.jid, Type: stanza.NormalMessage}, x))
			}
		}
	}
}

func sortItems(items []item) {
	slices.SortFunc(items, func(a, b item) int { return cmp.Compare(a.JID, b.JID) })
}
