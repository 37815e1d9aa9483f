package muc

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"slices"

	"golang.org/x/text/secure/precis"
	"mellium.im/xmpp/jid"
	"mellium.im/xmpp/stanza"

	"xtokend/component/host/wire"
	"xtokend/internal/element"
)

// room is one room.
type room struct {
	service *Service
	jid     jid.JID // bare
	creator string  // bare JID
	config  config
	locked  bool // until its owner has configured it (XEP-0045 §10.1.1)

	affiliations map[string]affiliation // by bare JID; none is left out
	occupants    []*occupant            // in the order in which they came
	sessions     map[string]*session    // by full JID
	history      history
	subject      subject
}

// isJoin says whether a stanza asks to come into a room.
func isJoin(st *wire.Stanza) bool {
	_, x := st.Child(nsMUC, "x")
	return x && st.Name == wire.Presence && st.Type == string(stanza.AvailablePresence)
}

// create makes a room for who joins it first (XEP-0045 §10.1).
func (s *Service) create(st *wire.Stanza) {
	creator := st.From.Bare().String()
	switch {
	case len(s.rooms) >= s.limits.Rooms:
		s.refuse(st, *fail(stanza.ResourceConstraint, "There are too many rooms."))
		return
	case s.created[creator] >= s.limits.RoomsPerUser:
		s.refuse(st, *fail(stanza.NotAllowed, "You have too many rooms."))
		return
	}
	r := &room{
		service:      s,
		jid:          st.To.Bare(),
		creator:      creator,
		config:       defaultConfig(s.limits),
		locked:       true,
		affiliations: map[string]affiliation{creator: affiliationOwner},
		sessions:     make(map[string]*session),
	}
	if fault := r.refusal(st); fault != nil {
		s.refuse(st, *fault)
		return
	}
	s.rooms[r.jid.Localpart()] = r
	s.created[creator]++
	r.join(st, statusCreated)
}

// close forgets a room that nobody is in.
func (r *room) close() {
	s := r.service
	delete(s.rooms, r.jid.Localpart())
	if s.created[r.creator]--; s.created[r.creator] == 0 {
		delete(s.created, r.creator)
	}
}

// closeIfDone closes a room that its last occupant has left. A room that was
// never configured goes too (XEP-0045 §10.1.3).
func (r *room) closeIfDone() {
	if len(r.occupants) == 0 && (r.locked || !r.config.persistent) && r.service.rooms[r.jid.Localpart()] == r {
		r.close()
	}
}

func (r *room) affiliation(user jid.JID) affiliation { return r.affiliations[user.Bare().String()] }

// byNick returns the occupant of exactly that nick, and nil if there is none.
func (r *room) byNick(nick string) *occupant {
	i := slices.IndexFunc(r.occupants, func(o *occupant) bool { return o.nick() == nick })
	if i < 0 {
		return nil
	}
	return r.occupants[i]
}

// isTaken says whether the nick, or one that people would take for it, is that of
// somebody other than user.
func (r *room) isTaken(nick string, user jid.JID) bool {
	key := nickKey(nick)
	return slices.ContainsFunc(r.occupants, func(o *occupant) bool { return o.key == key && !o.user.Equal(user.Bare()) })
}

// nickKey is the same for nicks that differ in letter case, width of letters or
// spaces alone (RFC 8266 §2.4). A few nicks that are fit for a JID have no key by
// those rules, Korean letters that stand alone among them: they are their own.
func nickKey(nick string) string {
	if key, err := precis.Nickname.CompareKey(nick); err == nil {
		return key
	}
	return nick
}

// bySender returns the session that sent st if it is in the room.
func (r *room) bySender(st *wire.Stanza) *session { return r.sessions[st.From.String()] }

// occupantID is the same whenever the user is in this room, and tells nobody who
// he is (XEP-0421).
func (r *room) occupantID(user jid.JID) []byte {
	m := hmac.New(sha256.New, r.service.key)
	m.Write([]byte(r.jid.String() + "\x00" + user.Bare().String()))
	return wire.Marshal(&occupantID{ID: base64.RawURLEncoding.EncodeToString(m.Sum(nil))})
}

// forged says whether a client's child of a message or presence claims what only
// the room may say, or who said it and when.
func (r *room) forged(e element.Element) bool {
	switch e.Name.Space {
	case nsMUC, nsUser, nsOccupantID, nsHats, nsProsodyHats, nsAddress:
		return true
	case nsDelay, nsLegacyDelay:
		return r.isOurs(e.AttrValue("from"))
	case nsStanzaID:
		return e.Name.Local == "stanza-id" && r.isOurs(e.AttrValue("by"))
	}
	return false
}

// isOurs says whether address, as a client wrote it, would be taken for one of
// the service's: it is one, or none, so that the sender's stands for it.
func (r *room) isOurs(address string) bool {
	j, err := jid.Parse(address)
	return err != nil || j.Domainpart() == r.jid.Domainpart()
}
