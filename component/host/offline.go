package host

import (
	"bytes"
	"encoding/binary"
	"slices"
	"time"

	"mellium.im/xmpp/delay"

	"xtokend/component/host/wire"
)

// message is one that is kept until somebody has it: a session that has
// acknowledged it (XEP-0198), or one without stream management to which it was
// passed on.
type message struct {
	user    *user
	number  uint64 // in order of arrival, over all users
	stamp   time.Time
	unit    []byte
	holders int // sessions that were sent it and may not have it yet
	had     bool
}

// keptMessages are a user's, in order.
type keptMessages struct {
	list  []*message
	bytes int
}

// delayBytes is more than a delay adds to a message: a domain, a time, and names.
const delayBytes = 1023 + 128

// keep makes a message of a user's that is not on disk yet, see write. It is nil
// if the user has too many.
func (t *turn) keep(u *user, unit []byte) *message {
	k := &u.kept
	if len(k.list) >= t.limits.KeptMessages || k.bytes+len(unit) > t.limits.KeptBytes || len(unit)+delayBytes > t.limits.OutputBytes {
		return nil
	}
	t.last++
	m := &message{user: u, number: t.last, stamp: t.now().Truncate(time.Millisecond), unit: unit}
	k.list = append(k.list, m)
	k.bytes += len(unit)
	return m
}

// write puts a kept message on disk. Nobody waits for that but who asks for an
// acknowledgement.
func (t *turn) write(m *message) {
	value := binary.BigEndian.AppendUint64(nil, uint64(m.stamp.UnixMicro()))
	t.journal.Put(bucketMessages, m.key(), append(value, m.unit...))
}

// forget is for a message that somebody has, or that nobody will have.
func (h *Host) forget(m *message) {
	if m == nil || m.had {
		return
	}
	m.had = true
	k := &m.user.kept
	if i := slices.Index(k.list, m); i >= 0 {
		k.list = slices.Delete(k.list, i, i+1)
		k.bytes -= len(m.unit)
	}
	h.journal.Delete(bucketMessages, m.key())
}

// passedOn is called when a session without stream management has been sent
// messages for good.
func (h *Host) passedOn(list []*message) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, m := range list {
		h.forget(m)
	}
}

// giveUp is called for each session that ends without a message it was sent. If
// no other session has it or may still have it, it goes to those that are there,
// or waits.
func (t *turn) giveUp(m *message) {
	if m == nil {
		return
	}
	if m.holders--; m.holders > 0 || m.had {
		return
	}
	for _, s := range m.user.receivers() {
		t.sendOne(s, m)
	}
}

// sendOne sends a session a message that has waited. There is room for all that
// may wait.
func (t *turn) sendOne(s *session, m *message) {
	if s.sendWithin(item{unit: m.delayed(t), message: m}, t.limits.mustBytes()) {
		m.holders++
	}
}

// sendKept sends a session that has become available what waits for the user.
func (t *turn) sendKept(s *session) {
	for _, m := range slices.Clone(s.user.kept.list) {
		if m.holders == 0 {
			t.sendOne(s, m)
		}
	}
}

// delayed is the message with the time at which it came (XEP-0203).
func (m *message) delayed(t *turn) []byte {
	return wire.Append(bytes.Clone(m.unit), wire.Marshal(delay.Delay{From: t.domain, Time: m.stamp}))
}

// key sorts by user, then by number.
func (m *message) key() string {
	return string(binary.BigEndian.AppendUint64([]byte(m.user.jid.Localpart()+"\x00"), m.number))
}
