package host

import (
	"errors"

	"mellium.im/xmpp/jid"
	"mellium.im/xmpp/stanza"
	"mellium.im/xmpp/stream"

	"xtokend/component/host/wire"
)

// stanza handles a stanza of the client; fault is what is wrong with it.
func (c *conn) stanza(st *wire.Stanza, fault error) {
	if c.host.journal.Crowded() {
		if err := c.awaitDisk(c.host.journal.Mark()); err != nil {
			c.fail(stream.InternalServerError)
			return
		}
	}
	c.host.turn(c, func(t *turn) {
		if t.session == nil {
			if c.jid.Resourcepart() == "" {
				t.bind(st, fault)
			}
			return // another stream has taken the resource
		}
		if t.session.managed != nil {
			t.session.managed.handled++
		}
		t.route(st, fault)
		t.refresh(t.session)
	})
}

// route takes a stanza to where it belongs (RFC 6120 §10).
func (t *turn) route(st *wire.Stanza, fault error) {
	switch {
	case errors.Is(fault, wire.ErrBadAddress):
		t.reply(st.Error(wire.Fail(stanza.JIDMalformed)))
	case fault != nil:
		t.reply(st.Error(wire.Fail(stanza.BadRequest)))
	case t.session.user.blocks(st.To):
		t.refuseBlocked(st)
	case st.Name == wire.Presence:
		t.routePresence(st)
	case t.isRoom(st.To):
		t.toRoom(st)
	case !isZero(st.To) && st.To.Domainpart() != t.domain.Domainpart():
		t.reply(st.Error(wire.Fail(stanza.RemoteServerNotFound)))
	case st.Name == wire.Message:
		t.routeMessage(st)
	default:
		t.routeIQ(st)
	}
}

// routeIQ answers for the server and for accounts, and passes on what is for a
// session (RFC 6121 §8.5).
func (t *turn) routeIQ(st *wire.Stanza) {
	own := isZero(st.To) || st.To.Equal(t.session.user.jid)
	u, ours := t.local(st.To)
	switch {
	case own:
		t.request(st, ownAccount, t.session.user)
	case !ours:
		t.request(st, theServer, nil)
	case u != nil && u.blocks(st.From):
		t.reply(st.Error(wire.Fail(stanza.ServiceUnavailable)))
	case st.To.Resourcepart() == "":
		t.request(st, otherAccount, u)
	default:
		t.passIQ(st, u)
	}
}

// passIQ passes an IQ on to a session.
func (t *turn) passIQ(st *wire.Stanza, u *user) {
	if !st.IsRequest() {
		delete(t.session.unanswered, requestKey(st.To, st.ID))
	}
	var s *session
	if u != nil {
		s = u.sessions[st.To.Resourcepart()]
	}
	switch {
	case s == nil || !s.reads():
		t.reply(st.Error(wire.Fail(stanza.ServiceUnavailable)))
	case st.IsRequest() && len(s.unanswered) >= t.limits.Unanswered, !s.send(item{unit: st.Bytes(st.From, st.To)}):
		t.reply(st.Error(wire.Fail(stanza.ResourceConstraint)))
	case st.IsRequest():
		s.unanswered[requestKey(st.From, st.ID)] = &wire.Stanza{Name: st.Name, Type: st.Type, ID: st.ID, From: st.From, To: st.To}
	}
}

// requestKey tells requests to one session apart. The session that ends without an
// answer has the host answer.
func requestKey(from jid.JID, id string) string { return from.String() + "\x00" + id }

// answer sends unit, which may be nil, to the session that sent st.
func (t *turn) answer(st *wire.Stanza, unit []byte) {
	if u, _ := t.local(st.From); u != nil && unit != nil {
		if s := u.sessions[st.From.Resourcepart()]; s != nil {
			s.send(item{unit: unit})
		}
	}
}

func isZero(j jid.JID) bool { return j.Equal(jid.JID{}) }
