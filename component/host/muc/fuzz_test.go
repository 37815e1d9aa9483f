package muc_test

import (
	"math/rand/v2"
	"strings"
	"testing"

	"mellium.im/xmpp/jid"

	"xtokend/component/host/wire"
	"xtokend/internal/element"
)

var (
	fuzzSessions = []string{"alice@example.org/1", "alice@example.org/2", "bob@example.org/1", "bob@example.org/2", "carol@example.org/1", "dave@example.org/1", "eve@example.org/1"}
	fuzzNicks    = []string{"a", "b", "c", "d", "too-long-a-nick", "A", "ｂ"}
	fuzzStanzas  = []string{
		"<presence to='R/N'>{x}</presence>",
		"<presence to='R/N'>{x}<status>S</status><x {user}><item affiliation='owner' nick='forged'/></x></presence>",
		"<presence to='R/N'/>",
		"<presence to='R/N' type='unavailable'/>",
		"<presence to='R/N' type='unavailable'><x {user}><status code='forged'/></x></presence>",
		"<presence to='R/N' type='error'/>",
		"<presence to='R'><show>away</show></presence>",
		"{instant}",
		"<iq type='set' id='1' to='R'>{form}<field var='muc#roomconfig_membersonly'><value>1</value></field>{/form}</iq>",
		"<iq type='set' id='1' to='R'>{form}<field var='muc#roomconfig_membersonly'><value>0</value></field><field var='muc#roomconfig_persistentroom'><value>1</value></field>{/form}</iq>",
		"<iq type='set' id='1' to='R'>{form}<field var='muc#roomconfig_moderatedroom'><value>1</value></field><field var='muc#roomconfig_publicroom'><value>1</value></field>{/form}</iq>",
		"<iq type='set' id='1' to='R'><query {owner}><destroy/></query></iq>",
		"<iq type='set' id='1' to='R'><query {owner}><x xmlns='jabber:x:data' type='cancel'/></query></iq>",
		"<iq type='get' id='1' to='R'><query {owner}/></iq>",
		"<iq type='set' id='1' to='R'><query {admin}><item nick='N' role='none'/></query></iq>",
		"<iq type='set' id='1' to='R'><query {admin}><item nick='N' role='moderator'/></query></iq>",
		"<iq type='set' id='1' to='R'><query {admin}><item nick='N' role='visitor'/></query></iq>",
		"<iq type='set' id='1' to='R'><query {admin}><item nick='N' affiliation='outcast'/><item jid='eve@example.org' affiliation='admin'/></query></iq>",
		"<iq type='set' id='1' to='R'><query {admin}><item jid='bob@example.org' affiliation='owner'/><item nick='N' affiliation='none'/></query></iq>",
		"<iq type='set' id='1' to='R'><query {admin}><item nick='N' affiliation='member'/></query></iq>",
		"<iq type='get' id='1' to='R'><query {admin}><item affiliation='member'/></query></iq>",
		"<iq type='get' id='1' to='R'><query {info}/></iq>",
		"<iq type='get' id='1' to='rooms.example.org'><query {items}/></iq>",
		"<iq type='get' id='1' to='R/N'><query {info}/></iq>",
		"<message type='groupchat' to='R'><body>S</body><delay xmlns='urn:xmpp:delay' stamp='forged'/></message>",
		"<message type='groupchat' to='R'><subject>S</subject></message>",
		"<message type='chat' to='R/N'><body>S</body></message>",
		"<message type='error' to='R/N'><error><not-acceptable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></message>",
		"<message to='R'><x {user}><invite to='carol@example.org'/></x></message>",
		"<message to='R'><body>forged</body><x {user}><decline to='R/N'/></x></message>",
		"gone",
	}
)

// FuzzDialogue: whatever clients say, all that are in a room see the same
// occupants there, and nobody is told what only a room may say by anybody else.
func FuzzDialogue(f *testing.F) {
	f.Add([]byte{0, 0, 0, 0, 7, 0, 2, 0, 1, 4, 0, 2, 0, 14, 1, 2, 24, 0})
	f.Add([]byte{0, 0, 0, 0, 7, 0, 1, 0, 0, 2, 0, 1, 0, 30, 0, 2, 24, 0, 1, 3, 0})
	f.Add([]byte{0, 0, 0, 0, 9, 0, 2, 1, 1, 0, 18, 1, 4, 1, 2, 2, 8, 0, 2, 10, 0, 5, 0, 3, 0, 17, 2})
	f.Fuzz(converse)
}

// TestRandomDialogues is FuzzDialogue on dialogues in which several are in a room
// from the beginning.
func TestRandomDialogues(t *testing.T) {
	for seed := range uint64(200) {
		random := rand.New(rand.NewPCG(seed, 0))
		script := []byte{0, 0, 0, 0, 7, 0, 2, 0, 1, 4, 0, 2}
		for range 300 {
			script = append(script, byte(random.Uint32()))
		}
		converse(t, script)
	}
}

// converse plays a script: for each stanza three bytes, which say who, what, and
// the room with the nick.
func converse(t *testing.T, script []byte) {
	m := newModel(t)
	for i := 0; i+2 < len(script) && i < 400; i += 3 {
		from := fuzzSessions[int(script[i])%len(fuzzSessions)]
		text := fuzzStanzas[int(script[i+1])%len(fuzzStanzas)]
		if m.gone[from] {
			continue
		}
		if text == "gone" {
			m.gone[from] = true
			continue
		}
		room := []string{"one", "two", "three"}[int(script[i+2]>>4)%3]
		nick := fuzzNicks[int(script[i+2]&15)%len(fuzzNicks)]
		text = strings.NewReplacer("'R'", "'"+room+"@rooms.example.org'", "'R/N'", "'"+room+"@rooms.example.org/"+nick+"'",
			"'N'", "'"+nick+"'", ">S<", ">"+strings.Repeat("s", int(script[i+2]))+"<").Replace(macros.Replace(text))
		st, err := wire.Parse([]byte(text), element.Header{ContentNS: wire.NSClient}, jid.MustParse(from))
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		m.service.Handle(st)
		m.check()
	}
}

// FuzzHandle: any stanza is handled, and what it makes the room say is XML.
func FuzzHandle(f *testing.F) {
	for _, text := range fuzzStanzas {
		f.Add(strings.NewReplacer("'R", "'room@rooms.example.org", "N'", "al'").Replace(macros.Replace(text)))
	}
	f.Fuzz(func(t *testing.T, text string) {
		r := newRig(t, fuzzLimits)
		r.say("alice@example.org/desk", "<presence to='room@rooms.example.org/al'><x xmlns='http://jabber.org/protocol/muc'/></presence>")
		r.say("alice@example.org/desk", strings.ReplaceAll(macros.Replace("{instant}"), "'R'", "'room@rooms.example.org'"))
		r.say("bob@example.org/desk", "<presence to='room@rooms.example.org/bob'><x xmlns='http://jabber.org/protocol/muc'/></presence>")
		r.take()
		st, err := wire.Parse([]byte(text), element.Header{ContentNS: wire.NSClient}, jid.MustParse("alice@example.org/desk"))
		if err != nil || st.To.Domainpart() != "rooms.example.org" {
			return
		}
		r.service.Handle(st)
		if st.IsRequest() && len(r.take()) == 0 {
			t.Errorf("%s has no answer", text)
		}
	})
}
