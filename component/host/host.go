// Package host is a small XMPP server inside the program (RFC 6120, RFC 6121),
// for trials, tests and small sites. It has no network of its own: the front
// opens a stream for each user whom it has authenticated, and the host stamps
// that user's address on everything the client says.
//
// A file holds one part: a stream and its bytes (conn, stream, bind, sm), what
// goes where (route, message, offline, carbons), who sees whom (presence,
// roster, subscription), and an extension each.
package host

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"time"

	"mellium.im/xmpp/jid"
	"mellium.im/xmpp/stanza"

	"xtokend/component/host/journal"
	"xtokend/component/host/muc"
	"xtokend/component/host/wire"
	"xtokend/component/upstream"
	"xtokend/sasl"
)

// Config says what a host serves.
type Config struct {
	// Domain is the domain of the users, a prepared domainpart.
	Domain string
	// Rooms is the domain of the room service, a prepared domainpart other than
	// Domain. Without it there are no rooms.
	Rooms string
	// Path is the file that keeps accounts, rosters, messages and what users
	// publish. Without it they are lost when the program ends. Rooms always are.
	Path string
	// Limits bounds what users may take up.
	Limits Limits
	// Log receives what an administrator should know; never a stanza's content.
	// nil means no log.
	Log *slog.Logger
	// Now is the clock for the stamps of messages; nil means time.Now.
	Now func() time.Time
}

// Host is an upstream.Upstream. Use New to make one; its methods may be called
// from any goroutine.
type Host struct {
	domain  jid.JID
	limits  Limits
	log     *slog.Logger
	now     func() time.Time
	journal *journal.Journal
	rooms   *muc.Service // nil: none
	roomsAt jid.JID

	serving sync.Mutex // held while toRooms is emptied; above the rooms' lock

	// mu guards users and all that is reached from them. The locks of
	// connections and of the journal are leaves below it; the rooms' is above.
	mu      sync.Mutex
	users   map[string]*user // by localpart
	toRooms []*wire.Stanza   // that the room service has not been given yet
	conns   map[*conn]struct{}
	known   map[string]interests // of clients, by their verified hash (XEP-0115)
	last    uint64               // sequence number of the newest kept message
	closed  bool
}

// user is an account and all that belongs to it.
type user struct {
	jid      jid.JID             // bare
	sessions map[string]*session // by resource
	roster   map[string]*contact // by bare JID
	requests map[string]*request // to subscribe to the user, by bare JID
	blocked  map[string]struct{} // addresses (XEP-0191)
	kept     keptMessages
	vCard    []byte // nil: none

	nodes     map[string]*node // by name
	nodeBytes int              // of their items
}

var errClosed = errors.New("the host is closed")

// New makes a host and reads what its file holds. Close must be called.
func New(c Config) (*Host, error) {
	domain, err := jid.New("", c.Domain, "")
	if err != nil {
		return nil, fmt.Errorf("%q is not the name of a domain: %w", c.Domain, err)
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	h := &Host{
		domain: domain,
		limits: c.Limits.withDefaults(),
		log:    c.Log,
		now:    c.Now,
		users:  make(map[string]*user),
		conns:  make(map[*conn]struct{}),
		known:  make(map[string]interests),
	}
	if c.Rooms != "" {
		if h.roomsAt, err = jid.New("", c.Rooms, ""); err != nil {
			return nil, fmt.Errorf("%q is not the name of a domain: %w", c.Rooms, err)
		}
		h.rooms = muc.New(muc.Config{Domain: h.roomsAt, Now: c.Now, Deliver: h.deliverFromRoom, Query: h.queryOccupant})
	}
	if h.journal, err = journal.Open(c.Path, journal.Options{Log: c.Log}); err != nil {
		return nil, err
	}
	if err := h.load(); err != nil {
		return nil, errors.Join(err, h.journal.Close())
	}
	return h, nil
}

// Open implements upstream.Upstream. The account is made if user, a bare JID,
// comes for the first time.
func (h *Host) Open(_ context.Context, user jid.JID) (net.Conn, error) {
	if user.Domainpart() != h.domain.String() || user.Localpart() == "" || user.Resourcepart() != "" {
		return nil, &upstream.Refusal{Condition: sasl.NotAuthorized, Reason: "not-a-user", Err: fmt.Errorf("%s is no user of %s", user, h.domain)}
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return nil, errClosed
	}
	u := h.users[user.Localpart()]
	if u == nil {
		u = h.addUser(user)
		h.journal.Put(bucketAccounts, user.Localpart(), nil)
	}
	c := newConn(h, u)
	h.conns[c] = struct{}{}
	return c, nil
}

func (h *Host) addUser(bare jid.JID) *user {
	u := &user{
		jid:      bare,
		sessions: make(map[string]*session),
		roster:   make(map[string]*contact),
		requests: make(map[string]*request),
		blocked:  make(map[string]struct{}),
		nodes:    make(map[string]*node),
	}
	h.users[bare.Localpart()] = u
	return u
}

// Close ends all streams, and returns when all that was acknowledged is in the
// file. The front must have been shut down.
func (h *Host) Close() error {
	h.mu.Lock()
	h.closed = true
	for c := range h.conns {
		c.breakOff()
	}
	for _, u := range h.users {
		for _, s := range u.sessions {
			s.stopTimer()
		}
	}
	h.mu.Unlock()
	return h.journal.Close()
}

// local returns the user whose address it is, nil if nobody has it; ours is
// whether it could be a user's of this host.
func (h *Host) local(address jid.JID) (u *user, ours bool) {
	if address.Domainpart() != h.domain.Domainpart() || address.Localpart() == "" {
		return nil, false
	}
	return h.users[address.Localpart()], true
}

// deliverFromRoom takes a stanza of the room service to a session or, for a bare
// JID, to a user. A session that does not read is ended, and so leaves its rooms.
func (h *Host) deliverFromRoom(to jid.JID, unit []byte) (taken bool) {
	h.turn(nil, func(t *turn) {
		u, _ := t.local(to)
		switch {
		case u == nil:
		case u.blocksSender(unit):
			taken = true // the room must not learn of it
		case to.Resourcepart() == "":
			taken = t.fromRoom(u, unit)
		case u.sessions[to.Resourcepart()] != nil:
			u.sessions[to.Resourcepart()].must(item{unit: unit})
			taken = true
		}
	})
	return taken
}

// queryOccupant answers what one occupant of a room asks about another. It is what
// anybody would be told: more, since the asker is a contact, would tell who the
// occupant is.
func (h *Host) queryOccupant(bare jid.JID, request *wire.Stanza) (payload []byte, err error) {
	err = wire.Fail(stanza.ServiceUnavailable)
	h.turn(nil, func(t *turn) {
		u, _ := t.local(bare)
		if answer := handlers[question{otherAccount, stanza.IQType(request.Type), request.Payload().Name}]; answer != nil {
			payload, err = answer(t, request, u)
		}
	})
	return payload, err
}
