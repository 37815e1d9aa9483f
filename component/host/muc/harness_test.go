package muc_test

import (
	"encoding/xml"
	"fmt"
	"sort"
	"strings"
	"sync"
	"testing"
	"time"

	"mellium.im/xmpp/jid"
	"mellium.im/xmpp/stanza"

	"xtokend/component/host/muc"
	"xtokend/component/host/wire"
	"xtokend/internal/element"
)

// epoch is when all tests begin.
var epoch = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// rig is a room service and the users of a host.
type rig struct {
	t       testing.TB
	service *muc.Service

	mu   sync.Mutex
	now  time.Time
	got  map[string][]string // by full JID, or by bare JID what was for a user
	gone map[string]bool     // who takes nothing
}

func newRig(t testing.TB, l muc.Limits) *rig {
	r := &rig{t: t, now: epoch, got: make(map[string][]string), gone: map[string]bool{"nobody@example.org": true}}
	r.service = muc.New(muc.Config{
		Domain:  jid.MustParse("rooms.example.org"),
		Limits:  l,
		Now:     func() time.Time { return r.now },
		Deliver: r.deliver,
		Query:   r.query,
	})
	return r
}

func (r *rig) deliver(to jid.JID, unit []byte) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	e, err := element.Parse(unit, element.Header{ContentNS: wire.NSClient})
	if err != nil {
		r.t.Errorf("%s was sent %s: %v", to, unit, err)
	}
	if e.AttrValue("to") != to.String() {
		r.t.Errorf("%s was sent %s", to, unit)
	}
	if r.gone[to.String()] {
		return false
	}
	r.got[to.String()] = append(r.got[to.String()], summary(e))
	return true
}

// query knows the vCard of everybody, and nothing else.
func (r *rig) query(user jid.JID, st *wire.Stanza) ([]byte, error) {
	if st.Payload().Name.Space != "vcard-temp" {
		return nil, wire.Fail(stanza.ItemNotFound)
	}
	return []byte("<vCard xmlns='vcard-temp'><NICKNAME>" + user.Localpart() + "</NICKNAME></vCard>"), nil
}

// say has a session send a stanza.
func (r *rig) say(from, unit string) {
	r.t.Helper()
	st, err := wire.Parse([]byte(unit), element.Header{ContentNS: wire.NSClient}, jid.MustParse(from))
	if err != nil {
		r.t.Fatalf("%s: %v", unit, err)
	}
	r.service.Handle(st)
}

// take returns what has come for whom since, as lines, and forgets it.
func (r *rig) take() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var who, lines []string
	for to := range r.got {
		who = append(who, to)
	}
	sort.Strings(who)
	for _, to := range who {
		for _, s := range r.got[to] {
			lines = append(lines, strings.Replace(to, "@example.org", "", 1)+"< "+s)
		}
	}
	clear(r.got)
	return lines
}

// short leaves out of addresses what is the same everywhere.
var short = strings.NewReplacer("@rooms.example.org", "", "@example.org", "")

// summary writes a stanza in one line, all that a client acts on.
func summary(e element.Element) string {
	var b strings.Builder
	b.WriteString(e.Name.Local)
	word := func(format string, args ...any) { fmt.Fprintf(&b, " "+format, args...) }
	if from := e.AttrValue("from"); from != "" {
		word("%s", short.Replace(from))
	}
	if kind := e.AttrValue("type"); kind != "" {
		word("%s", kind)
	}
	if id := e.AttrValue("id"); id != "" {
		word("id=%s", id)
	}
	for _, c := range e.Children {
		switch {
		case c.Name == (xml.Name{Space: "http://jabber.org/protocol/muc#user", Local: "x"}):
			summarizeX(word, c)
		case c.Name.Local == "error":
			for _, condition := range c.Children {
				if condition.Name.Local != "text" {
					word("%s/%s", c.AttrValue("type"), condition.Name.Local)
				}
			}
		case c.Name.Local == "delay":
			word("at=%s", strings.TrimPrefix(c.AttrValue("stamp"), "2026-03-01T"))
		case c.Name.Local == "occupant-id", c.Name.Local == "stanza-id":
			// random; TestOccupantID and TestStanzaID look at them
		default:
			word("%s", tree(c))
		}
	}
	return b.String()
}

func summarizeX(word func(string, ...any), x element.Element) {
	if len(x.Children) == 0 {
		word("x")
	}
	for _, c := range x.Children {
		switch c.Name.Local {
		case "status":
			word("%s", c.AttrValue("code"))
		case "item":
			word("%s", c.AttrValue("affiliation"))
			if role := c.AttrValue("role"); role != "" {
				word("%s", role)
			}
			for _, name := range []string{"jid", "nick"} {
				if v := c.AttrValue(name); v != "" {
					word("%s=%s", name, short.Replace(v))
				}
			}
			for _, d := range c.Children {
				word("%s=%s%s", d.Name.Local, d.AttrValue("nick"), d.Text)
			}
		default:
			word("%s", tree(c))
		}
	}
}

// tree writes an element as name(attributes content).
func tree(e element.Element) string {
	var parts []string
	for _, a := range e.Attr {
		parts = append(parts, a.Name.Local+"="+short.Replace(a.Value))
	}
	if t := strings.TrimSpace(e.Text); t != "" {
		parts = append(parts, short.Replace(t))
	}
	for _, c := range e.Children {
		parts = append(parts, tree(c))
	}
	return e.Name.Local + "(" + strings.Join(parts, " ") + ")"
}
