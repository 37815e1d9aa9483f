package muc

import (
	"mellium.im/xmpp/stanza"

	"xtokend/component/host/wire"
)

// presence handles a presence to the room or to an occupant.
func (r *room) presence(st *wire.Stanza) {
	x := r.bySender(st)
	switch stanza.PresenceType(st.Type) {
	case stanza.AvailablePresence:
		r.available(x, st)
	case stanza.UnavailablePresence:
		if x != nil { // whatever the nick: it may have been another when the client wrote this
			r.leave(x, st)
		}
	case stanza.ErrorPresence:
		if x != nil {
			r.fault(x, st)
		}
	}
}

// available joins, changes the nick or the status, or tells a client all that it
// has missed (XEP-0045 §17.3).
func (r *room) available(x *session, st *wire.Stanza) {
	joins := isJoin(st)
	if x == nil {
		if !joins {
			r.service.refuse(st, *gone())
		} else if fault := r.refusal(st); fault != nil {
			r.service.refuse(st, *fault)
		} else {
			r.join(st)
		}
		return
	}
	renames := st.To.Resourcepart() != "" && !st.To.Equal(x.occupant.jid)
	fault := r.unfitFor(x, st, renames)
	if fault != nil {
		r.service.refuse(st, *fault)
		return
	}
	if joins { // in the order of a first join (§7.1)
		r.tellOthers(x)
	}
	if renames {
		r.rename(x, st)
	} else {
		r.update(x, st)
	}
	if joins {
		r.sendHistory(x, st)
		r.sendSubject(x)
	}
}

// gone is the error for a client that takes itself for an occupant. It is not
// let in: it would not know of the others (XEP-0045 §7.2.18).
func gone() *stanza.Error { return fail(stanza.ItemNotFound, "You are not in this room.") }

// unfitFor is unfit for who is in the room already.
func (r *room) unfitFor(x *session, st *wire.Stanza, renames bool) *stanza.Error {
	if renames {
		if nick := st.To.Resourcepart(); r.byNick(nick) != nil || r.isTaken(nick, st.From) {
			e := wire.Fail(stanza.Conflict)
			return &e
		}
		return r.unfit(st)
	}
	if len(r.visible(st)) > r.service.limits.PresenceBytes {
		return fail(stanza.PolicyViolation, "The status is too long.")
	}
	return nil
}

// update changes what others see of an occupant.
func (r *room) update(x *session, st *wire.Stanza) {
	r.speak(x, st)
	r.tell(x.occupant, x.occupant.sessions, x.occupant.current())
}

// speak makes x the latest session of its occupant.
func (r *room) speak(x *session, st *wire.Stanza) {
	o := x.occupant
	x.presence = r.visible(st)
	for i, other := range o.sessions {
		if other == x {
			o.sessions = append(append(o.sessions[:i:i], o.sessions[i+1:]...), x)
			return
		}
	}
}

// rename gives the occupant, with all his sessions, another nick (XEP-0045 §7.6).
func (r *room) rename(x *session, st *wire.Stanza) {
	o := x.occupant
	r.tell(o, o.sessions, news{presence: unavailable(), jid: x.jid, nick: st.To.Resourcepart(), codes: []int{statusNewNick}})
	o.setNick(st.To)
	r.update(x, st)
}

// leave takes a session out at its own wish (XEP-0045 §7.14).
func (r *room) leave(x *session, st *wire.Stanza) {
	last := r.visible(st)
	if len(last) > r.service.limits.PresenceBytes {
		last = unavailable()
	}
	r.depart(x, news{presence: last, jid: x.jid})
}

// depart takes a session out. If others of the same occupant stay, only the
// leaving one is told that it has left.
func (r *room) depart(x *session, n news) {
	o := x.occupant
	spoke := o.latest() == x
	r.remove(x)
	if len(o.sessions) == 0 {
		r.tell(o, []*session{x}, n)
		r.closeIfDone()
		return
	}
	left := &occupant{jid: o.jid, user: o.user}
	r.tellSelf(left, []*session{x}, n)
	if spoke {
		r.tell(o, o.sessions, o.current())
	}
}

// fault takes a session out that answers with an error what it was sent, if the
// error means that (XEP-0045 §11.1).
func (r *room) fault(x *session, st *wire.Stanza) {
	if isFatal(st) {
		r.expelSession(x)
	}
}

// isFatal says whether an error tells that its sender cannot be reached. One
// without a condition does.
func isFatal(st *wire.Stanza) bool {
	e, _ := st.Child(wire.NSClient, "error")
	for _, c := range e.Children {
		if c.Name.Space == nsStanzas && c.Name.Local != "text" {
			return fatal[stanza.Condition(c.Name.Local)]
		}
	}
	return true
}

// fatal are the errors that mean that a session is gone (XEP-0045 §18.1.2), and
// those that the room can do nothing about.
var fatal = map[stanza.Condition]bool{
	stanza.Gone: true, stanza.InternalServerError: true, stanza.ItemNotFound: true, stanza.JIDMalformed: true,
	stanza.RecipientUnavailable: true, stanza.Redirect: true, stanza.RemoteServerNotFound: true,
	stanza.RemoteServerTimeout: true, stanza.ServiceUnavailable: true,
}

// expelSession takes out a session that cannot be reached.
func (r *room) expelSession(x *session) {
	r.depart(x, news{presence: unavailable(), jid: x.jid, codes: []int{statusFault}})
}

// expel takes out an occupant with all his sessions.
func (r *room) expel(o *occupant, n news) {
	n.presence, n.jid = unavailable(), o.latest().jid
	r.tell(o, r.removeAll(o), n)
	r.closeIfDone()
}
