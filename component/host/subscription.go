package host

import (
	"mellium.im/xmpp/jid"
	"mellium.im/xmpp/stanza"

	"xtokend/component/host/wire"
)

// request is somebody's wish to see a user's presence, kept until it is answered
// (RFC 6121 §3.1.3).
type request struct {
	from jid.JID // bare
	unit []byte
}

// subscription handles the four types of presence that manage subscriptions, for
// both users at once (RFC 6121 §3 and appendix A).
func (t *turn) subscription(st *wire.Stanza) {
	u, to := t.session.user, st.To.Bare()
	switch {
	case t.isRoom(to):
		t.toRoom(st)
		return
	case to.Domainpart() != t.domain.Domainpart() && !isZero(to):
		t.reply(st.Error(wire.Fail(stanza.RemoteServerNotFound)))
		return
	case to.Localpart() == "", to.Equal(u.jid):
		return // nobody subscribes to the server, or to himself
	}
	other, _ := t.local(to)
	c := u.roster[to.String()]
	switch stanza.PresenceType(st.Type) {
	case stanza.SubscribePresence:
		t.subscribe(st, u, c, other)
	case stanza.UnsubscribePresence:
		if c != nil {
			t.unsubscribe(u, c, other)
		}
	case stanza.SubscribedPresence:
		if other != nil && u.requests[to.String()] != nil {
			t.approve(st, u, c, other)
		}
	case stanza.UnsubscribedPresence:
		t.refuse(u, c, other, to)
	}
}

// subscribe asks other for its presence (RFC 6121 §3.1.2, §3.1.3).
func (t *turn) subscribe(st *wire.Stanza, u *user, c *contact, other *user) {
	if c == nil {
		if c = t.newContact(u, st.To.Bare()); c == nil {
			t.reply(st.Error(wire.Fail(stanza.ResourceConstraint)))
			return
		}
	}
	c.saved.Ask = !c.to()
	t.changed(u, c)
	switch {
	case other == nil:
		t.refused(u, c.jid)
	case other.blocks(u.jid): // as if nobody were there to answer
	case other.isSeenBy(u):
		t.granted(u, other, subscriptionPresence(stanza.SubscribedPresence, c.jid, u.jid))
	case other.requests[u.jid.String()] == nil && len(other.requests) < t.limits.Requests:
		r := &request{from: u.jid, unit: requestOf(st, u.jid, other.jid)}
		other.requests[u.jid.String()] = r
		t.put(bucketRequests, pairKey(other, u.jid), r.unit)
		t.inform(other, u.jid, r.unit)
	}
}

// maxRequestBytes bounds what is kept of a request; a longer one loses what it says.
const maxRequestBytes = 1024

func requestOf(st *wire.Stanza, from, to jid.JID) []byte {
	if unit := st.Bytes(from, to); len(unit) <= maxRequestBytes {
		return unit
	}
	return subscriptionPresence(stanza.SubscribePresence, from, to)
}

// approve lets other see the user, as it has asked to (RFC 6121 §3.1.5, §3.1.6).
func (t *turn) approve(st *wire.Stanza, u *user, c *contact, other *user) {
	if c == nil {
		if c = t.newContact(u, other.jid); c == nil {
			t.reply(st.Error(wire.Fail(stanza.ResourceConstraint)))
			return
		}
	}
	t.settle(u, other.jid)
	c.set(c.to(), true)
	t.changed(u, c)
	t.granted(other, u, st.Bytes(u.jid, other.jid))
}

// granted is the requester's side of an approval.
func (t *turn) granted(u, other *user, unit []byte) {
	c := u.roster[other.jid.String()]
	if c == nil || !c.saved.Ask {
		return
	}
	c.saved.Ask = false
	c.set(true, c.from())
	t.inform(u, other.jid, unit)
	t.changed(u, c)
	for _, s := range other.available() {
		t.inform(u, s.jid, s.presence.Bytes(s.jid, u.jid))
	}
	for _, s := range u.available() {
		t.showLast(s, other, s.caps.wants)
	}
}

// unsubscribe ends the user's subscription to other, or the wish for one (RFC 6121
// §3.3).
func (t *turn) unsubscribe(u *user, c *contact, other *user) {
	if !c.to() && !c.saved.Ask {
		return
	}
	c.saved.Ask = false
	c.set(false, c.from())
	t.changed(u, c)
	if other == nil {
		return
	}
	asked := t.settle(other, u.jid)
	seen := other.isSeenBy(u)
	if !asked && !seen {
		return
	}
	t.inform(other, u.jid, subscriptionPresence(stanza.UnsubscribePresence, u.jid, other.jid))
	if seen {
		oc := other.roster[u.jid.String()]
		oc.set(oc.to(), false)
		t.changed(other, oc)
		if !other.blocks(u.jid) {
			t.vanish(other, u)
		}
	}
}

// refuse ends the subscription of whoever has the address to, or denies one (RFC
// 6121 §3.2, §3.1.4).
func (t *turn) refuse(u *user, c *contact, other *user, to jid.JID) {
	denied := t.settle(u, to)
	seen := c != nil && c.from()
	if seen {
		c.set(c.to(), false)
		t.changed(u, c)
	}
	if other == nil || !denied && !seen {
		return
	}
	t.refused(other, u.jid)
	if seen && !u.blocks(to) {
		t.vanish(u, other)
	}
}

// refused is the requester's side of a refusal.
func (t *turn) refused(u *user, by jid.JID) {
	c := u.roster[by.String()]
	if c == nil || !c.to() && !c.saved.Ask {
		return
	}
	c.saved.Ask = false
	c.set(false, c.from())
	t.inform(u, by, subscriptionPresence(stanza.UnsubscribedPresence, by, u.jid))
	t.changed(u, c)
}

// settle takes away the request of that bare JID, and says whether there was one.
func (t *turn) settle(u *user, from jid.JID) bool {
	if u.requests[from.String()] == nil {
		return false
	}
	delete(u.requests, from.String())
	t.remove(bucketRequests, pairKey(u, from))
	return true
}

// vanish tells other that the user is not available, as it may not know any more.
func (t *turn) vanish(u, other *user) {
	for _, s := range u.available() {
		t.inform(other, s.jid, t.unavailable(s).Bytes(s.jid, other.jid))
	}
}

// inform tells all sessions of a user that are available, unless the user has
// blocked the address that it comes from.
func (t *turn) inform(u *user, from jid.JID, unit []byte) {
	if u.blocks(from) {
		return
	}
	for _, s := range u.available() {
		t.offer(s, unit) // nobody may end another's session by it
	}
}

// isSeenBy says whether other is subscribed to the user's presence.
func (u *user) isSeenBy(other *user) bool {
	c := u.roster[other.jid.String()]
	return c != nil && c.from()
}

func subscriptionPresence(kind stanza.PresenceType, from, to jid.JID) []byte {
	return wire.FromPresence(stanza.Presence{Type: kind, From: from, To: to}, nil)
}
