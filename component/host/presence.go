package host

import (
	"strconv"
	"strings"

	"mellium.im/xmpp/jid"
	"mellium.im/xmpp/stanza"

	"xtokend/component/host/wire"
)

// routePresence takes presence of the session's where it belongs (RFC 6121 §3, §4).
func (t *turn) routePresence(st *wire.Stanza) {
	if len(st.Bytes(jid.JID{}, jid.JID{})) > t.limits.PresenceBytes {
		t.reply(st.Error(wire.Fail(stanza.NotAcceptable)))
		return
	}
	switch stanza.PresenceType(st.Type) {
	case stanza.SubscribePresence, stanza.SubscribedPresence, stanza.UnsubscribePresence, stanza.UnsubscribedPresence:
		t.subscription(st)
	case stanza.AvailablePresence, stanza.UnavailablePresence:
		if isZero(st.To) {
			t.broadcast(st)
		} else {
			t.direct(st)
		}
	case stanza.ProbePresence:
		if u, _ := t.local(st.To); u != nil {
			t.probe(u, t.session)
		}
	case stanza.ErrorPresence:
		t.pass(st)
	}
}

// broadcast makes a session available, changes what others see of it, or makes it
// unavailable (RFC 6121 §4.2, §4.4, §4.5).
func (t *turn) broadcast(st *wire.Stanza) {
	s := t.session
	if st.Type == string(stanza.UnavailablePresence) {
		t.leave(s, st)
		return
	}
	priority, ok := priorityOf(st)
	if !ok {
		t.reply(st.Error(wire.Fail(stanza.BadRequest)))
		return
	}
	initial, received := s.presence == nil, s.receives()
	bare := *st
	bare.Children = nil // which take more room than the bytes
	s.presence, s.priority = &bare, priority
	t.toSubscribers(s, st)
	if initial {
		for _, other := range s.user.available() {
			if other != s {
				s.show(other.presence.Bytes(other.jid, s.user.jid))
			}
		}
		for _, c := range s.user.roster {
			if u, _ := t.local(c.jid); u != nil && c.to() {
				t.probe(u, s)
			}
		}
		for _, r := range s.user.requests {
			s.send(item{unit: r.unit})
		}
	}
	if !received && s.receives() {
		t.sendKept(s)
	}
	t.capsSaid(s, st, initial)
}

// leave makes a session unavailable to all that know it (RFC 6121 §4.5.2).
func (t *turn) leave(s *session, st *wire.Stanza) {
	if s.presence != nil {
		t.toSubscribers(s, st)
	}
	s.presence = nil
	for _, to := range s.directed {
		t.sendPresence(st, to)
	}
	clear(s.directed)
}

// toSubscribers sends presence to the available sessions of the user and of all
// who may see it.
func (t *turn) toSubscribers(s *session, st *wire.Stanza) {
	s.user.see(s.jid, st.Bytes(s.jid, s.user.jid))
	for _, u := range t.watchers(s.user) {
		u.see(s.jid, st.Bytes(s.jid, u.jid))
	}
}

// see sends presence to the user's available sessions.
func (u *user) see(from jid.JID, unit []byte) {
	if u.blocks(from) {
		return
	}
	for _, s := range u.available() {
		s.show(unit)
	}
}

// refresh tells a session anew of all whose presence it has missed.
func (t *turn) refresh(s *session) {
	if !s.missed || s.presence == nil || s.refreshed == maxRefreshes || s.waiting() > t.limits.QueueBytes/2 {
		return
	}
	s.missed = false
	s.refreshed++
	for _, c := range s.user.roster {
		u, _ := t.local(c.jid)
		if u == nil || !c.to() {
			continue
		}
		// Of a bare JID it is about all resources (RFC 6121 §4.3.2).
		s.show(subscriptionPresence(stanza.UnavailablePresence, u.jid, s.user.jid))
		t.probe(u, s)
	}
}

// direct sends presence to one address (RFC 6121 §4.6), and remembers to whom to
// say that the session has gone.
func (t *turn) direct(st *wire.Stanza) {
	key := st.To.String()
	if t.isRoom(st.To) {
		key = st.To.Bare().String() // whatever its nick, the session is there once
	}
	switch _, known := t.session.directed[key]; {
	case st.Type == string(stanza.UnavailablePresence):
		delete(t.session.directed, key)
	case known:
		t.session.directed[key] = st.To
	case t.isBroadcastTo(st.To): // who hears of the end anyway
	case len(t.session.directed) >= t.limits.DirectedTo:
		t.reply(st.Error(wire.Fail(stanza.ResourceConstraint)))
		return
	default:
		t.session.directed[key] = st.To
	}
	t.sendPresence(st, st.To)
}

// sendPresence sends presence to a user, a session or a room.
func (t *turn) sendPresence(st *wire.Stanza, to jid.JID) {
	if t.isRoom(to) {
		addressed := *st
		addressed.To = to
		t.toRoom(&addressed)
		return
	}
	u, _ := t.local(to)
	if u == nil || u.blocks(st.From) {
		return
	}
	unit := st.Bytes(st.From, to)
	if to.Resourcepart() == "" {
		u.see(st.From, unit)
	} else if s := u.sessions[to.Resourcepart()]; s != nil {
		s.show(unit)
	}
}

// isBroadcastTo says whether the presence of the session whose turn it is is
// broadcast to address.
func (t *turn) isBroadcastTo(address jid.JID) bool {
	c := t.session.user.roster[address.Bare().String()]
	return t.session.presence != nil && c != nil && c.from()
}

// pass passes a presence error on.
func (t *turn) pass(st *wire.Stanza) {
	if !isZero(st.To) && (t.isRoom(st.To) || st.To.Resourcepart() != "") {
		t.sendPresence(st, st.To)
	}
}

// probe tells a session of the presence of u, if it may know (RFC 6121 §4.3).
func (t *turn) probe(u *user, s *session) {
	if c := u.roster[s.user.jid.String()]; u != s.user && (c == nil || !c.from()) {
		return
	}
	if u.blocks(s.jid) {
		return
	}
	for _, other := range u.available() {
		if !s.user.blocks(other.jid) {
			s.show(other.presence.Bytes(other.jid, s.user.jid))
		}
	}
}

// priorityOf reads the priority (RFC 6121 §4.7.2.3); 0 if there is none.
func priorityOf(st *wire.Stanza) (int8, bool) {
	e, ok := st.Child(wire.NSClient, "priority")
	if !ok {
		return 0, true
	}
	n, err := strconv.ParseInt(strings.TrimSpace(e.Text), 10, 8)
	return int8(n), err == nil
}

// unavailable is what the host says for a session that says nothing.
func (t *turn) unavailable(s *session) *wire.Stanza {
	st, err := wire.Parse([]byte("<presence type='unavailable'/>"), clientHeader, s.jid)
	if err != nil {
		panic(err)
	}
	return st
}
