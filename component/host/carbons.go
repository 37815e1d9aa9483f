package host

import (
	"slices"

	"mellium.im/xmpp/jid"
	"mellium.im/xmpp/stanza"

	"xtokend/component/host/wire"
)

const (
	nsCarbons = "urn:xmpp:carbons:2"
	nsForward = "urn:xmpp:forward:0"
	nsMUCUser = "http://jabber.org/protocol/muc#user"
)

func enableCarbons(t *turn, _ *wire.Stanza, _ *user) ([]byte, error) {
	t.session.carbons = true
	return nil, nil
}

func disableCarbons(t *turn, _ *wire.Stanza, _ *user) ([]byte, error) {
	t.session.carbons = false
	return nil, nil
}

// copy sends copies of a message to the sessions of both users that want them
// and did not send or get it themselves (XEP-0280).
func (t *turn) copy(st *wire.Stanza, u *user, to jid.JID, reached []*session) {
	if !isCopied(st) {
		return
	}
	inner := wire.Qualified(st.Bytes(st.From, to))
	if u != t.session.user {
		t.copyTo(st, t.session.user, "sent", inner, []*session{t.session})
	}
	t.copyTo(st, u, "received", inner, append(reached, t.session))
}

// copyTo wraps a message into one of its own type (XEP-0280 §6).
func (t *turn) copyTo(st *wire.Stanza, u *user, direction string, inner []byte, but []*session) {
	for _, s := range u.sessions {
		if !s.carbons || slices.Contains(but, s) {
			continue
		}
		payload := append([]byte("<"+direction+" xmlns='"+nsCarbons+"'><forwarded xmlns='"+nsForward+"'>"), inner...)
		payload = append(payload, "</forwarded></"+direction+">"...)
		s.send(item{unit: wire.FromMessage(stanza.Message{Type: stanza.MessageType(st.Type), From: u.jid, To: s.jid}, payload)})
	}
}

// isCopied says whether a message is of those that are copied (XEP-0280 §6.1).
func isCopied(st *wire.Stanza) bool {
	if _, ok := st.Child(nsCarbons, "private"); ok {
		return false
	}
	if _, ok := st.Child(nsHints, "no-copy"); ok {
		return false
	}
	if _, ok := st.Child(nsMUCUser, "x"); ok {
		return false
	}
	switch stanza.MessageType(st.Type) {
	case stanza.ChatMessage:
		return true
	case stanza.NormalMessage:
		_, ok := st.Child(wire.NSClient, "body")
		return ok
	}
	return false
}
