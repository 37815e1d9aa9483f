package host

import (
	"mellium.im/xmpp/stanza"

	"xtokend/component/host/wire"
)

// notify tells of an event at a node of u all sessions of the user and of those
// who see the user's presence, if they want to hear of the node and may read it
// (XEP-0163 §4).
func (t *turn) notify(u *user, n *node, event []byte) {
	t.notifySessions(u, n, u, event)
	for _, c := range u.roster {
		if other, _ := t.local(c.jid); other != nil && c.from() && n.admits(u, other) {
			t.notifySessions(u, n, other, event)
		}
	}
}

func (t *turn) notifySessions(u *user, n *node, other *user, event []byte) {
	for _, s := range other.available() {
		if s.caps.wants.has(n.name) {
			t.offerEvent(u, s, event)
		}
	}
}

// offerEvent sends an event, which the session can ask for if it does not get it.
func (t *turn) offerEvent(u *user, s *session, event []byte) {
	if s.user.blocks(u.jid) || !t.hasRoom(s, len(event)) {
		return
	}
	payload := append([]byte("<event xmlns='"+nsPubsubEvent+"'>"), event...)
	payload = append(payload, "</event>"...)
	t.offer(s, wire.FromMessage(stanza.Message{ID: newID(), Type: stanza.HeadlineMessage, From: u.jid, To: s.jid}, payload))
}

// showLast sends a session the last item of each of these nodes of u's that it
// may read (XEP-0163 §4.3.4).
func (t *turn) showLast(s *session, u *user, names interests) {
	for _, name := range names {
		n := u.nodes[name]
		if n == nil || len(n.items) == 0 || n.config.SendLast != sendOnPresence || !n.config.Notify || !n.admits(u, s.user) {
			continue
		}
		if last := n.items[len(n.items)-1]; t.hasRoom(s, len(last.payload)) {
			t.offerEvent(u, s, itemsOf(n, last.element(n.config.NotifyPayload)))
		}
	}
}

// showAllLast sends a session the last items of its user and of all whose presence
// the user sees.
func (t *turn) showAllLast(s *session, names interests) {
	t.showLast(s, s.user, names)
	for _, c := range s.user.roster {
		if other, _ := t.local(c.jid); other != nil && other.isSeenBy(s.user) {
			t.showLast(s, other, names)
		}
	}
}
