package host

import (
	"crypto/rand"
	"runtime/debug"

	"mellium.im/xmpp/jid"

	"xtokend/component/host/wire"
)

// turn is the handling of one stanza, or of the end of a session: all of it under
// the host's lock. What it tells is in the sessions' queues when it ends, in the
// order of the turns, and is read when all that was written before is on disk.
type turn struct {
	*Host
	conn    *conn    // whose turn it is; nil if nobody's
	session *session // bound to conn, nil if none

	told    []told
	offered map[*session]int // bytes of told that are optional
	forRoom bool             // something waits for the room service
}

type told struct {
	session  *session
	unit     []byte
	optional bool // left out if the session does not read what is there already
}

// turn runs f as the turn of c, which may be nil.
func (h *Host) turn(c *conn, f func(*turn)) {
	t := &turn{Host: h, conn: c}
	t.run(f)
	if t.forRoom {
		h.serveRooms()
	}
}

func (t *turn) run(f func(*turn)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.conn != nil {
		t.session = t.conn.session
	}
	f(t)
	mark := t.journal.Mark()
	for _, d := range t.told {
		if it := (item{unit: d.unit, mark: mark}); d.optional {
			d.session.send(it)
		} else {
			d.session.must(it)
		}
	}
}

// serveRooms passes what waits on to the room service, which is called without
// the host's lock, in the order of the turns: a session's last presence must not
// come behind the first of the next one of that name.
func (h *Host) serveRooms() {
	h.serving.Lock()
	defer h.serving.Unlock()
	for {
		h.mu.Lock()
		if len(h.toRooms) == 0 {
			h.mu.Unlock()
			return
		}
		next := h.toRooms[0]
		h.toRooms = h.toRooms[1:]
		h.mu.Unlock()
		h.rooms.Handle(next)
	}
}

// recoverPanic is for goroutines that are not the front's, which does it itself.
func (h *Host) recoverPanic() {
	if fault := recover(); fault != nil {
		h.log.Error("internal fault", "fault", fault, "stack", string(debug.Stack()))
	}
}

// put and remove write a change behind; what the turn tells is read when it is on
// disk.
func (t *turn) put(bucket, key string, value []byte) { t.journal.Put(bucket, key, value) }
func (t *turn) remove(bucket, key string)            { t.journal.Delete(bucket, key) }

// say sends unit to a session at the end of the turn.
func (t *turn) say(to *session, unit []byte) {
	if unit != nil {
		t.told = append(t.told, told{session: to, unit: unit})
	}
}

// offer is say for what a session can do without.
func (t *turn) offer(to *session, unit []byte) {
	if !t.hasRoom(to, len(unit)) {
		return
	}
	if t.offered == nil {
		t.offered = make(map[*session]int)
	}
	t.offered[to] += len(unit)
	t.told = append(t.told, told{session: to, unit: unit, optional: true})
}

// hasRoom says whether so many bytes more can be offered to a session, before they
// are made.
func (t *turn) hasRoom(s *session, bytes int) bool {
	return s.waiting()+t.offered[s]+bytes <= t.limits.QueueBytes
}

// reply sends unit, which may be nil, to the session whose turn it is.
func (t *turn) reply(unit []byte) { t.say(t.session, unit) }

// toRoom passes a stanza on to the room service.
func (t *turn) toRoom(s *wire.Stanza) {
	t.toRooms = append(t.toRooms, s)
	t.forRoom = true
}

// isRoom says whether address belongs to the room service.
func (h *Host) isRoom(address jid.JID) bool {
	return h.rooms != nil && address.Domainpart() == h.roomsAt.Domainpart()
}

// newID is an identifier that nobody can guess.
func newID() string { return rand.Text() }
