package muc_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"mellium.im/xmpp/jid"

	"xtokend/component/host/muc"
	"xtokend/component/host/wire"
	"xtokend/internal/element"
)

// view is what one session has been told of one room.
type view struct {
	nick  string            // its own, empty if it is not in the room
	items map[string]string // by nick: affiliation and role
	ids   map[string]string // by nick: occupant id
}

// model plays clients that believe what they are told, and checks that this
// can be believed.
type model struct {
	t       testing.TB
	service *muc.Service
	views   map[string]*view // by full JID and room
	gone    map[string]bool  // by full JID
}

var fuzzLimits = muc.Limits{
	Rooms: 2, RoomsPerUser: 2, RoomsPerSession: 2, Sessions: 5, Affiliations: 4, HistoryStanzas: 3, HistoryBytes: 2000,
	PresenceBytes: 200, NickBytes: 8, SubjectBytes: 16, TextBytes: 16, Items: 3, Listed: 1,
}

func newModel(t testing.TB) *model {
	m := &model{t: t, views: make(map[string]*view), gone: make(map[string]bool)}
	m.service = muc.New(muc.Config{Domain: jid.MustParse("rooms.example.org"), Limits: fuzzLimits, Deliver: m.deliver})
	return m
}

func (m *model) view(who string, room jid.JID) *view {
	key := who + " " + room.Bare().String()
	if m.views[key] == nil {
		m.views[key] = &view{items: make(map[string]string), ids: make(map[string]string)}
	}
	return m.views[key]
}

func (m *model) deliver(to jid.JID, unit []byte) bool {
	who := to.String()
	if m.gone[who] {
		delete(m.views, who)
		return false
	}
	e, err := element.Parse(unit, element.Header{ContentNS: wire.NSClient})
	if err != nil || e.AttrValue("to") != who {
		m.t.Fatalf("%s was sent %s: %v", who, unit, err)
	}
	from, err := jid.Parse(e.AttrValue("from"))
	if err != nil || from.Domainpart() != "rooms.example.org" {
		m.t.Fatalf("%s was sent %s", who, unit)
	}
	if strings.Contains(string(unit), "forged") {
		m.t.Fatalf("%s was sent what a client forged: %s", who, unit)
	}
	if e.AttrValue("type") == "error" || to.Resourcepart() == "" {
		return true
	}
	v := m.view(who, from)
	switch {
	case e.Name.Local == "presence":
		m.presence(v, to, from, e, unit)
	case e.Name.Local == "message" && e.AttrValue("type") == "groupchat":
		_, delayed := e.Child("urn:xmpp:delay", "delay")
		if v.nick == "" || from.Resourcepart() != "" && !delayed && v.items[from.Resourcepart()] == "" {
			m.t.Fatalf("%s, who sees %v, was sent %s", who, v.items, unit)
		}
	}
	return true
}

func (m *model) presence(v *view, to, from jid.JID, e element.Element, unit []byte) {
	x, ok := e.Child("http://jabber.org/protocol/muc#user", "x")
	if !ok {
		m.t.Fatalf("%s was sent %s", to, unit)
	}
	it, _ := x.Child("http://jabber.org/protocol/muc#user", "item")
	nick, role, affiliation := from.Resourcepart(), it.AttrValue("role"), it.AttrValue("affiliation")
	codes := make(map[string]bool)
	for _, c := range x.Children {
		if c.Name.Local == "status" {
			codes[c.AttrValue("code")] = true
		}
	}
	self, leaves := codes["110"], e.AttrValue("type") == "unavailable"
	if !slices.Contains([]string{"none", "visitor", "participant", "moderator"}, role) ||
		!slices.Contains([]string{"outcast", "none", "member", "admin", "owner"}, affiliation) ||
		!leaves && (role == "none" || affiliation == "outcast") || leaves && role != "none" != codes["303"] {
		m.t.Fatalf("%s was sent %s", to, unit)
	}
	// Whoever has just lost the right to see JIDs, or gained it, is told in this very presence.
	if j := it.AttrValue("jid"); j != "" && !self && !strings.HasPrefix(j, to.Bare().String()+"/") &&
		v.nick != "" && !strings.HasSuffix(v.items[v.nick], " moderator") {
		m.t.Fatalf("%s, who is %s, was sent %s", to, v.items[v.nick], unit)
	}
	id, ok := e.Child("urn:xmpp:occupant-id:0", "occupant-id")
	if known := v.ids[nick]; !ok || known != "" && known != id.AttrValue("id") {
		m.t.Fatalf("%s was sent %s, and knew %s by %s", to, unit, nick, known)
	}
	switch {
	case leaves && self && !codes["303"]:
		*v = view{items: make(map[string]string), ids: make(map[string]string)}
	case leaves:
		if v.nick != "" && v.items[nick] == "" {
			m.t.Fatalf("%s is told of the leaving of one whom it never saw: %s", to, unit)
		}
		delete(v.items, nick)
		delete(v.ids, nick)
	default:
		v.items[nick], v.ids[nick] = affiliation+" "+role, id.AttrValue("id")
		if self {
			v.nick = nick
		}
	}
}

// alike makes those of the fuzzed nicks the same that people take for each other.
var alike = strings.NewReplacer("A", "a", "ｂ", "b")

// check compares what the sessions in each room see: it is the same for all, and
// nobody can be taken for another.
func (m *model) check() {
	seen := make(map[string]string) // by room
	count := make(map[string]int)
	for _, key := range slices.Sorted(maps.Keys(m.views)) {
		who, room, _ := strings.Cut(key, " ")
		v := m.views[key]
		if v.nick == "" || m.gone[who] {
			continue
		}
		all := fmt.Sprint(v.items, v.ids)
		if other, ok := seen[room]; ok && other != all {
			m.t.Fatalf("%s sees in %s\n%s, another\n%s", who, room, all, other)
		}
		seen[room] = all
		if count[room]++; count[room] > fuzzLimits.Sessions+fuzzLimits.Sessions/10 {
			m.t.Fatalf("%d sessions in %s", count[room], room)
		}
		whose := make(map[string]string)
		for nick, id := range v.ids {
			if other := whose[alike.Replace(nick)]; other != "" && other != id {
				m.t.Fatalf("%s sees in %s %s, who looks like another", who, room, nick)
			}
			whose[alike.Replace(nick)] = id
		}
		if v.items[v.nick] == "" {
			m.t.Fatalf("%s is %q in %s, where there are %v", who, v.nick, room, v.items)
		}
	}
	if len(seen) > fuzzLimits.Rooms {
		m.t.Fatalf("%d rooms", len(seen))
	}
}
