package muc

import (
	"slices"

	"mellium.im/xmpp/jid"

	"xtokend/component/host/wire"
)

// occupant is who is in a room under one nick: a user, with one session or more
// (XEP-0045 §7.2.8).
type occupant struct {
	jid  jid.JID // the room's with the nick
	key  string  // of the nick, see nickKey
	user jid.JID // bare
	role role
	// sessions are those of the user that are in the room. The last one has sent
	// presence last: others see that presence, and it gets what is for one
	// session alone. Of a client that has come back under the same nick, the one
	// before may be dead for minutes before anybody knows.
	sessions []*session
}

func (o *occupant) nick() string { return o.jid.Resourcepart() }

func (o *occupant) setNick(address jid.JID) { o.jid, o.key = address, nickKey(address.Resourcepart()) }

func (o *occupant) latest() *session { return o.sessions[len(o.sessions)-1] }

// session is a session of a user in a room.
type session struct {
	jid      jid.JID // full
	room     *room
	occupant *occupant
	presence []byte // available, without addresses, fit to be passed on
	lost     bool   // it no longer takes what is sent
}

// present says whether the session is still in the room.
func (x *session) present() bool { return x.room.sessions[x.jid.String()] == x }

// add lets a session into the room as one of o.
func (r *room) add(x *session, o *occupant) {
	if len(o.sessions) == 0 {
		r.occupants = append(r.occupants, o)
	}
	x.room, x.occupant = r, o
	o.sessions = append(o.sessions, x)
	r.sessions[x.jid.String()] = x
	r.service.joined[x.jid.String()]++
}

// remove takes a session out of the room, and its occupant with the last one,
// without telling anybody.
func (r *room) remove(x *session) {
	o, full, joined := x.occupant, x.jid.String(), r.service.joined
	delete(r.sessions, full)
	if joined[full]--; joined[full] == 0 {
		delete(joined, full)
	}
	o.sessions = slices.DeleteFunc(o.sessions, func(s *session) bool { return s == x })
	if len(o.sessions) == 0 {
		o.role = roleNone
		r.occupants = slices.DeleteFunc(r.occupants, func(p *occupant) bool { return p == o })
	}
}

// removeAll takes an occupant with all his sessions out of the room, and returns
// these.
func (r *room) removeAll(o *occupant) []*session {
	gone := slices.Clone(o.sessions)
	for _, x := range gone {
		r.remove(x)
	}
	return gone
}

// seesJIDs says whether an occupant is shown the JIDs of others (XEP-0045 §4.2).
func (r *room) seesJIDs(o *occupant) bool { return r.config.nonAnonymous || o.role == roleModerator }

// news is a presence of an occupant and what the room says with it.
type news struct {
	presence []byte  // without addresses
	jid      jid.JID // the session it is about
	codes    []int   // for everybody
	self     []int   // for the occupant's own sessions; statusSelf is added
	nick     string  // that he will have
	actor    string  // nick of who caused it
	reason   string
	destroy  *venue
}

// x is the room's part of n for whom sees JIDs, or not.
func (r *room) x(o *occupant, n news, jids bool, codes ...int) []byte {
	i := item{Affiliation: r.affiliation(o.user).String(), Role: o.role.String(), Nick: n.nick, Reason: n.reason}
	if jids {
		i.JID = n.jid.String()
	}
	if n.actor != "" {
		i.Actor = &actor{n.actor}
	}
	return wire.Marshal(&userX{Items: []item{i}, Destroy: n.destroy, Statuses: statuses(append(n.codes, codes...)...)})
}

// tell tells everybody in the room of o, and then own, which are sessions of his
// that may have left already. A user is shown his own JIDs, whatever his role and
// nick.
func (r *room) tell(o *occupant, own []*session, n news) {
	id := r.occupantID(o.user)
	open, anonymous := r.x(o, n, true), r.x(o, n, false)
	for _, p := range r.occupants {
		if p == o {
			continue
		}
		x := anonymous
		if r.seesJIDs(p) || p.user.Equal(o.user) {
			x = open
		}
		for _, to := range p.sessions {
			r.service.send(to, wire.Addressed(n.presence, o.jid, to.jid, id, x))
		}
	}
	r.tellSelf(o, own, n)
}

// tellSelf tells sessions of o of himself.
func (r *room) tellSelf(o *occupant, own []*session, n news) {
	id := r.occupantID(o.user)
	x := r.x(o, n, true, append([]int{statusSelf}, n.self...)...)
	for _, to := range own {
		r.service.send(to, wire.Addressed(n.presence, o.jid, to.jid, id, x))
	}
}

// tellOthers tells a session of everybody in the room but of its own occupant.
func (r *room) tellOthers(to *session) {
	for _, p := range r.occupants {
		if p == to.occupant {
			continue
		}
		n := news{presence: p.latest().presence, jid: p.latest().jid}
		x := r.x(p, n, r.seesJIDs(to.occupant) || p.user.Equal(to.occupant.user))
		r.service.send(to, wire.Addressed(n.presence, p.jid, to.jid, r.occupantID(p.user), x))
	}
}

// current is the presence that others see of o, without news.
func (o *occupant) current() news { return news{presence: o.latest().presence, jid: o.latest().jid} }
