package muc

import (
	"strconv"
	"time"

	"mellium.im/xmpp/jid"

	"xtokend/component/host/wire"
)

// history is the last messages of a room, the oldest first.
type history struct {
	messages []past
	bytes    int // of them
}

type past struct {
	unit []byte // without to
	at   time.Time
}

// remember keeps a message that occupants who come later should see: one with a
// body, or what may be one, and unless its sender asks otherwise (XEP-0334).
func (r *room) remember(st *wire.Stanza, from *occupant, unit []byte) {
	_, never := st.Child(nsHints, "no-store")
	_, notLong := st.Child(nsHints, "no-permanent-store")
	_, store := st.Child(nsHints, "store")
	_, body := st.Child(wire.NSClient, "body")
	_, encrypted := st.Child(nsEncryption, "encryption")
	if never || notLong || !(store || body || encrypted) {
		return
	}
	at := r.service.now()
	h := &r.history
	h.messages = append(h.messages, past{wire.Addressed(unit, from.jid, jid.JID{}, r.delay(at)), at})
	h.bytes += len(h.messages[len(h.messages)-1].unit)
	r.trimHistory()
}

// trimHistory forgets the oldest messages until no bound is exceeded.
func (r *room) trimHistory() {
	h := &r.history
	for len(h.messages) > r.config.historyLength || h.bytes > r.service.limits.HistoryBytes {
		h.bytes -= len(h.messages[0].unit)
		h.messages[0] = past{}
		h.messages = h.messages[1:]
	}
}

// sendHistory sends as much of the last messages as the joining client wants
// (XEP-0045 §7.2.14).
func (r *room) sendHistory(to *session, join *wire.Stanza) {
	x, _ := join.Child(nsMUC, "x")
	wants, _ := x.Child(nsMUC, "history")
	number := func(name string, unlimited int) int {
		n, err := strconv.ParseUint(wants.AttrValue(name), 10, 31)
		if err != nil {
			return unlimited
		}
		return int(n)
	}
	all := r.history.messages
	stanzas := number("maxstanzas", len(all))
	chars := number("maxchars", 1<<31-1)
	since, err := time.Parse(time.RFC3339, wants.AttrValue("since"))
	if err != nil {
		since = time.Time{}
	}
	if seconds := number("seconds", -1); seconds >= 0 {
		if at := r.service.now().Add(-time.Duration(seconds) * time.Second); at.After(since) {
			since = at
		}
	}
	first := len(all)
	for i := len(all) - 1; i >= 0 && len(all)-i <= stanzas; i-- {
		// The characters are those of the whole stanza; bytes are at least as many.
		if chars -= len(all[i].unit) + len(to.jid.String()); chars < 0 || all[i].at.Before(since) {
			break
		}
		first = i
	}
	for _, m := range all[first:] {
		r.service.send(to, wire.Addressed(m.unit, jid.JID{}, to.jid))
	}
}
