package muc_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"mellium.im/xmpp/jid"

	"xtokend/component/host/muc"
	"xtokend/component/host/wire"
	"xtokend/internal/element"
)

// longest is what an element may have, in bytes, to pass the front to a WebSocket
// or BOSH client.
const longest = 1 << 20

// sized is a service that keeps the length of the longest stanza.
type sized struct {
	t       *testing.T
	service *muc.Service
	bytes   int
	last    []byte
}

func (s *sized) say(from jid.JID, unit string) {
	s.t.Helper()
	st, err := wire.Parse([]byte(macros.Replace(unit)), element.Header{ContentNS: wire.NSClient}, from)
	if err != nil {
		s.t.Fatal(err)
	}
	s.service.Handle(st)
}

// TestSizes has users of long addresses say all that may be said, in characters
// that grow when they are written by others.
func TestSizes(t *testing.T) {
	quotes := strings.Repeat(`"`, 1024)
	status := "<status>" + strings.Repeat("s", 4000) + "</status>"
	user := func(i int) jid.JID {
		return jid.MustParse(fmt.Sprintf("%s%d@example.org/%s", strings.Repeat("u", 1000), i, quotes[:1000]))
	}
	nick := func(i int) string { return fmt.Sprint(quotes[:100], i) }
	room := func(i int) string { return fmt.Sprintf("%s%02d@rooms.example.org", strings.Repeat("r", 1000), i) }
	s := &sized{t: t}
	s.service = muc.New(muc.Config{Domain: jid.MustParse("rooms.example.org"), Deliver: func(_ jid.JID, unit []byte) bool {
		s.bytes, s.last = max(s.bytes, len(unit)), unit
		return true
	}})
	field := func(variable, value string) string {
		return "<field var='muc#roomconfig_" + variable + "'><value>" + value + "</value></field>"
	}
	open := func(i, owner int) {
		s.say(user(owner), "<presence to='"+room(i)+"/"+nick(owner)+"'>{x}</presence>")
		s.say(user(owner), "<iq type='set' id='1' to='"+room(i)+"'>{form}"+field("publicroom", "1")+field("roomname", quotes)+
			field("roomdesc", quotes)+field("roomsecret", quotes)+"{/form}</iq>")
	}
	change := func(items string) {
		s.say(user(0), "<iq type='set' id='1' to='"+room(0)+"'><query {admin}>"+items+"</query></iq>")
	}
	ask := func(item string) {
		s.say(user(0), "<iq type='get' id='1' to='"+room(0)+"'><query {admin}>"+item+"</query></iq>")
	}
	for _, step := range []struct {
		name string
		do   func()
		last string // is in the last stanza
		most int    // bytes
	}{
		{"rooms", func() {
			for i := range 100 {
				open(i, i%10)
			}
			s.say(user(0), "<iq type='get' id='1' to='rooms.example.org'><query {items}/></iq>")
		}, "<item jid=\"" + room(0), longest * 3 / 4},
		{"the form", func() { s.say(user(0), "<iq type='get' id='1' to='"+room(0)+"'><query {owner}/></iq>") }, "roomconfig_roomname", longest * 3 / 4},
		{"information", func() { s.say(user(0), "<iq type='get' id='1' to='"+room(0)+"'><query {info}/></iq>") }, "muc_public", longest * 3 / 4},
		{"occupants", func() {
			for i := 1; i < 44; i++ { // a fifth of those who may come, owners included
				s.say(user(i), "<presence to='"+room(0)+"/"+nick(i)+"'><x {muc}><password>"+quotes+"</password></x></presence>")
			}
			ask("<item role='participant'/>")
		}, "nick=\"&#34;", longest / 2 / 5},
		{"a message", func() {
			s.say(user(1), "<message type='groupchat' to='"+room(0)+"'><body>"+strings.Repeat("b", 65000)+"</body></message>")
		}, "<body>b", longest * 3 / 4},
		{"a kick", func() {
			s.say(user(42), "<presence to='"+room(0)+"/"+nick(42)+"'>"+status+"</presence>")
			change("<item nick='" + nick(42) + "' role='visitor'><reason>" + quotes + "</reason></item>")
			change("<item nick='" + nick(42) + "' role='none'><reason>" + quotes + "</reason></item>")
		}, "type='result'", longest * 3 / 4},
		{"an invitation", func() {
			s.say(user(1), "<message id='"+quotes+"' to='"+room(0)+"'><x {user}><invite to='carol@example.org'><reason>"+quotes+"</reason></invite></x></message>")
		}, "<invite from=", longest * 3 / 4},
		{"a refusal", func() {
			s.say(user(99), "<message id='"+quotes+"' to='"+room(0)+"'><x {user}><decline to='carol@example.org'><reason>"+quotes+"</reason></decline></x></message>")
		}, "<decline from=", longest * 3 / 4},
		{"a request", func() {
			s.say(user(1), "<iq type='get' id='"+quotes+"' to='"+room(0)+"/"+nick(2)+"'><query xmlns='jabber:iq:version'/></iq>")
		}, "jabber:iq:version", longest * 3 / 4},
		{"members", func() {
			for i := 0; i < 1000 && !bytes.Contains(s.last, []byte("resource-constraint")); i++ {
				change(fmt.Sprintf("<item affiliation='member' jid='%s%d@%sx'><reason>%s</reason></item>",
					strings.Repeat("m", 1000), i, strings.Repeat(strings.Repeat("d", 60)+".", 16), quotes))
			}
			ask("<item affiliation='member'/>")
		}, "affiliation=\"member\"", longest * 3 / 4},
		{"destruction", func() {
			s.say(user(0), "<iq type='set' id='1' to='"+room(0)+"'><query {owner}><destroy jid='"+room(1)+"/"+quotes[:1000]+"'><reason>"+quotes+
				"</reason><password>"+quotes+"</password></destroy></query></iq>")
		}, "type='result'", longest * 3 / 4},
	} {
		s.bytes = 0
		step.do()
		if !bytes.Contains(s.last, []byte(step.last)) {
			t.Errorf("%s: the last stanza was %.300s", step.name, s.last)
		}
		if s.bytes > step.most {
			t.Errorf("%s: a stanza had %d bytes", step.name, s.bytes)
		}
	}
}
