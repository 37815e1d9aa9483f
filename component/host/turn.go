package host

import (
	"crypto/rand"
	"runtime/debug"

	"mellium.im/xmpp/jid"
	"mellium.im/xmpp/stream"

	"xtokend/component/host/journal"
	"xtokend/component/host/wire"
)

// turn is the handling of one stanza, or of the end of a session: all of it under
// the host's lock, but for what finish does.
type turn struct {
	*Host
	conn    *conn    // whose turn it is; nil if nobody's
	session *session // bound to conn, nil if none

	durable bool           // what was written must be on disk before anybody hears of it
	told    []told         // what they hear
	toRooms []*wire.Stanza // the room service is called without the lock
}

type told struct {
	session  *session
	unit     []byte
	optional bool // left out if the session does not read what is there already
}

// turn runs f as the turn of c, which may be nil, and then tells what it has to
// tell.
func (h *Host) turn(c *conn, f func(*turn)) {
	t := &turn{Host: h, conn: c}
	mark := t.run(f)
	if t.durable {
		if err := t.awaitDisk(mark); err != nil {
			return
		}
		h.mu.Lock()
		t.tell()
		h.mu.Unlock()
	}
	for _, s := range t.toRooms {
		h.rooms.Handle(s)
	}
}

func (t *turn) run(f func(*turn)) journal.Mark {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.conn != nil {
		t.session = t.conn.session
	}
	f(t)
	if !t.durable {
		t.tell()
	}
	return t.journal.Mark()
}

func (t *turn) awaitDisk(m journal.Mark) error {
	if t.conn == nil {
		return t.journal.Wait(m, nil)
	}
	err := t.conn.awaitDisk(m)
	if err != nil {
		t.conn.fail(stream.InternalServerError) // whose request it was must not take it for done
	}
	return err
}

// tell is called with the lock held.
func (t *turn) tell() {
	for _, d := range t.told {
		if d.optional {
			d.session.send(item{unit: d.unit})
		} else {
			d.session.sendState(d.unit)
		}
	}
}

// recoverPanic is for goroutines that are not the front's, which does it itself.
func (h *Host) recoverPanic() {
	if fault := recover(); fault != nil {
		h.log.Error("internal fault", "fault", fault, "stack", string(debug.Stack()))
	}
}

// put and remove are changes that nobody hears of before they are on disk.
func (t *turn) put(bucket, key string, value []byte) {
	t.durable = true
	t.journal.Put(bucket, key, value)
}

func (t *turn) remove(bucket, key string) {
	t.durable = true
	t.journal.Delete(bucket, key)
}

// say sends unit to a session at the end of the turn.
func (t *turn) say(to *session, unit []byte) {
	if unit != nil {
		t.told = append(t.told, told{session: to, unit: unit})
	}
}

// offer is say for what a session can do without.
func (t *turn) offer(to *session, unit []byte) {
	t.told = append(t.told, told{session: to, unit: unit, optional: true})
}

// reply sends unit, which may be nil, to the session whose turn it is.
func (t *turn) reply(unit []byte) { t.say(t.session, unit) }

// toRoom passes a stanza on to the room service.
func (t *turn) toRoom(s *wire.Stanza) { t.toRooms = append(t.toRooms, s) }

// isRoom says whether address belongs to the room service.
func (h *Host) isRoom(address jid.JID) bool {
	return h.rooms != nil && address.Domainpart() == h.roomsAt.Domainpart()
}

// newID is an identifier that nobody can guess.
func newID() string { return rand.Text() }
