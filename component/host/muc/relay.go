package muc

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"

	"mellium.im/xmpp/jid"
	"mellium.im/xmpp/stanza"

	"xtokend/component/host/wire"
)

// relay handles an IQ to an occupant (XEP-0045 §17.4).
func (r *room) relay(st *wire.Stanza) (later func()) {
	x, to := r.bySender(st), r.byNick(st.To.Resourcepart())
	_, ping := st.Child(nsPing, "ping")
	fault := r.service.tooLong(st.ID)
	switch {
	case !st.IsRequest():
		if x != nil && to != nil {
			r.relayAnswer(st, x, to)
		}
	case x == nil:
		r.service.refuse(st, absent())
	case to == nil:
		r.service.refuse(st, *fail(stanza.ItemNotFound, "Nobody of that nickname is in this room."))
	case ping && to == x.occupant && st.Type == string(stanza.GetIQ):
		r.service.reply(st, st.Result(nil)) // XEP-0410 §3.3
	case isOfAccount(st):
		return r.service.ask(to.user, st)
	case fault != nil:
		r.service.refuse(st, *fault)
	default:
		r.relayRequest(st, x, to.latest())
	}
	return nil
}

// relayRequest passes a request on under an id that leads the answer back. The
// other must not learn the sender's JID.
func (r *room) relayRequest(st *wire.Stanza, from, to *session) {
	r.service.send(to, st.WithID(r.service.relayID(from.jid, to.jid, st.ID)+st.ID).Bytes(from.occupant.jid, to.jid))
	if to.lost {
		r.service.refuse(st, wire.Fail(stanza.RecipientUnavailable))
	}
}

// relayAnswer passes an answer on to the session that asked, if one of to's has
// asked from.
func (r *room) relayAnswer(st *wire.Stanza, from *session, to *occupant) {
	if len(st.ID) < relayIDBytes {
		return
	}
	mark, id := st.ID[:relayIDBytes], st.ID[relayIDBytes:]
	for _, asker := range to.sessions {
		if hmac.Equal([]byte(mark), []byte(r.service.relayID(asker.jid, from.jid, id))) {
			r.service.send(asker, st.WithID(id).Bytes(from.occupant.jid, asker.jid))
			return
		}
	}
}

const relayIDBytes = 22

// relayID shows that asker has made a request of that id to asked, so that nothing
// need be kept until the answer comes.
func (s *Service) relayID(asker, asked jid.JID, id string) string {
	m := hmac.New(sha256.New, s.key)
	m.Write([]byte(asker.String() + "\x00" + asked.String() + "\x00" + id))
	return base64.RawURLEncoding.EncodeToString(m.Sum(nil))[:relayIDBytes]
}

// isOfAccount says whether a request is about what the server keeps of a user.
func isOfAccount(st *wire.Stanza) bool {
	ns := st.Payload().Name.Space
	return ns == nsVCard || ns == nsVCard4 || ns == nsPubSub
}

// ask has the host answer a request about a user, without the lock.
func (s *Service) ask(user jid.JID, st *wire.Stanza) func() {
	switch {
	case st.Type != string(stanza.GetIQ):
		s.refuse(st, wire.Fail(stanza.Forbidden))
		return nil
	case s.query == nil:
		s.refuse(st, wire.Fail(stanza.ServiceUnavailable))
		return nil
	}
	return func() {
		payload, err := s.query(user, st)
		if err == nil {
			s.deliver(st.From, st.Result(payload))
			return
		}
		var fault stanza.Error
		if !errors.As(err, &fault) {
			fault = wire.Fail(stanza.InternalServerError)
		}
		s.deliver(st.From, st.Error(fault))
	}
}
