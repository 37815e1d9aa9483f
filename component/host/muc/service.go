// Package muc is the room service of the host (XEP-0045): rooms that users
// create, join, talk in and leave. Everything is in memory: a persistent room
// lasts until the program ends.
//
// A file holds one part: what is addressed to whom (service), a room and who is
// in it (room, occupant, affiliation), what goes on in it (join, presence, nick,
// message, subject, history, invite, relay), and how it is run (config, owner,
// admin, destroy).
package muc

import (
	"crypto/rand"
	"sync"
	"time"

	"mellium.im/xmpp/jid"
	"mellium.im/xmpp/stanza"

	"xtokend/component/host/wire"
)

// Config says what a service serves.
type Config struct {
	// Domain is the address of the service; that of a room has a localpart.
	Domain jid.JID
	// Limits bounds what the service keeps.
	Limits Limits
	// Now is the clock for history and subjects; nil means time.Now.
	Now func() time.Time
	// Deliver takes unit, a whole stanza with its addresses, to to: a full JID is
	// a session, a bare JID a user (invitations). It reports false if there is no
	// such session, which is then taken out of its rooms, or if the user does not
	// get it. A session that takes no more is not the service's business: its end
	// comes through Handle. Deliver is called with the service's lock held and must
	// not call back.
	Deliver func(to jid.JID, unit []byte) bool
	// Query answers request, which one occupant made to another, on behalf of the
	// account of the other, user: vCards and what users publish are with the
	// server (XEP-0045 §17.4). It returns the payload of the result or a
	// [stanza.Error], and is called without any lock. nil refuses these requests.
	Query func(user jid.JID, request *wire.Stanza) ([]byte, error)
}

// Service is a room service. Its methods may be called from any goroutine.
type Service struct {
	domain  jid.JID
	limits  Limits
	now     func() time.Time
	deliver func(to jid.JID, unit []byte) bool
	query   func(user jid.JID, request *wire.Stanza) ([]byte, error)
	key     []byte // of the ids of relayed requests and of the ids of occupants

	// mu guards all below and all that is reached from it.
	mu      sync.Mutex
	rooms   map[string]*room // by localpart
	created map[string]int   // rooms, by the bare JID of who created them
	joined  map[string]int   // rooms, by the full JID of who is in them
	lost    []*session       // that did not take a stanza
}

// New makes a service without rooms.
func New(c Config) *Service {
	if c.Now == nil {
		c.Now = time.Now
	}
	key := make([]byte, 32)
	rand.Read(key)
	return &Service{
		domain:  c.Domain,
		limits:  c.Limits.withDefaults(),
		now:     c.Now,
		deliver: c.Deliver,
		query:   c.Query,
		key:     key,
		rooms:   make(map[string]*room),
		created: make(map[string]int),
		joined:  make(map[string]int),
	}
}

// Handle takes any stanza of a local user's session that is addressed to the
// service, a room or an occupant, and answers through Deliver. The end of a
// session is an unavailable presence to each room that it had sent presence to.
func (s *Service) Handle(st *wire.Stanza) {
	if later := s.handle(st); later != nil {
		later()
	}
}

// handle may leave something to do without the lock.
func (s *Service) handle(st *wire.Stanza) (later func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	defer s.removeLost()
	r := s.rooms[st.To.Localpart()]
	switch {
	case st.To.Localpart() == "":
		s.addressed(st)
	case r == nil && isJoin(st):
		s.create(st)
	case r == nil:
		s.refuse(st, wire.Fail(stanza.ItemNotFound))
	case st.Name == wire.Presence:
		r.presence(st)
	case st.Name == wire.Message && st.To.Resourcepart() == "":
		r.message(st)
	case st.Name == wire.Message:
		r.privateMessage(st)
	case st.To.Resourcepart() == "":
		r.request(st)
	default:
		return r.relay(st)
	}
	return nil
}

// addressed handles what is for the service itself.
func (s *Service) addressed(st *wire.Stanza) {
	if st.Name != wire.IQ {
		s.refuse(st, wire.Fail(stanza.ServiceUnavailable))
		return
	}
	s.answer(st, s.discover)
}

// handler answers an IQ request with the payload of its result, which may be
// nil, or with a stanza error.
type handler func(st *wire.Stanza) ([]byte, *stanza.Error)

// answer sends what h says to a request. Answers to requests that nobody made
// are dropped.
func (s *Service) answer(st *wire.Stanza, h handler) {
	if !st.IsRequest() {
		return
	}
	payload, fault := h(st)
	if fault != nil {
		s.refuse(st, *fault)
		return
	}
	s.reply(st, st.Result(payload))
}

// refuse answers with an error, unless the stanza must not be answered: a
// presence that is no attempt to come or to be seen is ignored (XEP-0045 §17.3).
func (s *Service) refuse(st *wire.Stanza, e stanza.Error) {
	if st.Name == wire.Presence && st.Type != string(stanza.AvailablePresence) {
		return
	}
	e.By = st.To.Bare()
	if unit := st.Error(e); unit != nil {
		s.reply(st, unit)
	}
}

func (s *Service) reply(st *wire.Stanza, unit []byte) { s.deliver(st.From, unit) }

// send gives a stanza to a session in a room, and notes if it has gone.
func (s *Service) send(to *session, unit []byte) {
	if !to.lost && !s.deliver(to.jid, unit) {
		to.lost = true
		s.lost = append(s.lost, to)
	}
}

// removeLost takes those out of their rooms who did not take a stanza. Others
// may be found to be lost while they are told.
func (s *Service) removeLost() {
	for len(s.lost) > 0 {
		x := s.lost[0]
		s.lost = s.lost[1:]
		if x.present() {
			x.room.expelSession(x)
		}
	}
}

// fail is a stanza error with a text for people, who see nothing else of some
// errors; it may be empty.
func fail(c stanza.Condition, text string) *stanza.Error {
	e := wire.Fail(c)
	if text != "" {
		e.Text = map[string]string{"en": text}
	}
	return &e
}

// tooLong is the error for a text that a client would have the service write and
// that is longer than may be, nil if none is. Escaped it may be five times as long,
// and in a stanza to everybody.
func (s *Service) tooLong(texts ...string) *stanza.Error {
	for _, text := range texts {
		if len(text) > s.limits.TextBytes {
			return fail(stanza.NotAcceptable, "This text is too long.")
		}
	}
	return nil
}

// absent is the error for whom is not in the room; trying again in other words
// would not help.
func absent() stanza.Error {
	e := *fail(stanza.NotAcceptable, "You are not in this room.")
	e.Type = stanza.Cancel
	return e
}
