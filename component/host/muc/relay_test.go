package muc_test

import (
	"strings"
	"testing"

	"mellium.im/xmpp/jid"

	"xtokend/component/host/muc"
	"xtokend/component/host/wire"
	"xtokend/internal/element"
)

// raw is a rig that keeps what is delivered as it is.
type raw struct {
	*rig
	units map[string][]element.Element
}

func newRaw(t *testing.T) *raw {
	r := &raw{rig: newRig(t, muc.Limits{}), units: make(map[string][]element.Element)}
	r.service = muc.New(muc.Config{Domain: jid.MustParse("rooms.example.org"), Deliver: func(to jid.JID, unit []byte) bool {
		e, err := element.Parse(unit, element.Header{ContentNS: wire.NSClient})
		if err != nil {
			t.Error(err)
		}
		r.units[to.String()] = append(r.units[to.String()], e)
		return r.rig.deliver(to, unit)
	}})
	return r
}

// latest is the last stanza that a session got.
func (r *raw) latest(who string) element.Element {
	all := r.units[who+"@example.org/desk"]
	if len(all) == 0 {
		return element.Element{}
	}
	return all[len(all)-1]
}

func TestRelay(t *testing.T) {
	r := newRaw(t)
	r.in("room", "bob", "carol")
	r.say("bob@example.org/desk", `<iq type='get' id='a&amp;"b' to='room@rooms.example.org/al'><query xmlns='jabber:iq:version'/></iq>`)
	asked := r.latest("alice")
	id := asked.AttrValue("id")
	if asked.AttrValue("from") != "room@rooms.example.org/bob" || asked.AttrValue("type") != "get" || id == `a&"b` || strings.Contains(id, "bob") {
		t.Fatalf("alice was asked %v", asked)
	}
	answer := `<iq type='result' id='` + element.Escape(id) + `' to='room@rooms.example.org/bob'><query xmlns='jabber:iq:version'><name>x</name></query></iq>`
	r.take()
	// Carol was not asked, and bob asked nobody but alice.
	r.say("carol@example.org/desk", answer)
	r.say("alice@example.org/desk", strings.Replace(answer, "/bob'", "/carol'", 1))
	r.say("alice@example.org/desk", strings.Replace(answer, element.Escape(id), element.Escape(id)+"x", 1))
	if got := r.take(); len(got) > 0 {
		t.Errorf("answers that nobody waits for came to %v", got)
	}
	r.say("alice@example.org/desk", answer)
	got := r.latest("bob")
	if got.AttrValue("id") != `a&"b` || got.AttrValue("from") != "room@rooms.example.org/al" || len(got.Children) != 1 {
		t.Errorf("bob got %v", got)
	}
}

// TestWithoutQuery: a host that answers nothing about its users refuses for them.
func TestWithoutQuery(t *testing.T) {
	r := newRaw(t)
	r.in("room", "bob")
	r.say("bob@example.org/desk", `<iq type='get' id='1' to='room@rooms.example.org/al'><vCard xmlns='vcard-temp'/></iq>`)
	if got, want := r.last(), "bob/desk< iq room/al error id=1 cancel/service-unavailable"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func childID(e element.Element, space, local string) string {
	c, _ := e.Child(space, local)
	return c.AttrValue("id")
}

// TestOccupantID: an id is one user's in one room, whatever his nick, and nobody
// can take another's (XEP-0421).
func TestOccupantID(t *testing.T) {
	const ns = "urn:xmpp:occupant-id:0"
	r := newRaw(t)
	r.in("room", "bob")
	r.say("bob@example.org/desk", "<message type='groupchat' to='room@rooms.example.org'><body/><occupant-id xmlns='urn:xmpp:occupant-id:0' id='mine'/></message>")
	bob := childID(r.latest("alice"), ns, "occupant-id")
	r.say("bob@example.org/desk", "<presence to='room@rooms.example.org/robert'><occupant-id xmlns='urn:xmpp:occupant-id:0' id='mine'/></presence>")
	if again := childID(r.latest("alice"), ns, "occupant-id"); bob == "" || bob == "mine" || again != bob {
		t.Errorf("bob is %q, and then %q", bob, again)
	}
	r.say("alice@example.org/desk", "<message type='chat' to='room@rooms.example.org/robert'/>")
	if alice := childID(r.latest("bob"), ns, "occupant-id"); alice == "" || alice == bob {
		t.Errorf("alice is %q, bob %q", alice, bob)
	}
	r.in("tea", "bob")
	r.say("bob@example.org/desk", "<message type='groupchat' to='tea@rooms.example.org'><body/></message>")
	if other := childID(r.latest("alice"), ns, "occupant-id"); other == "" || other == bob {
		t.Errorf("bob is %q in another room", other)
	}
}

// TestStanzaID: a message has one id of the room's, which history keeps
// (XEP-0359).
func TestStanzaID(t *testing.T) {
	const ns = "urn:xmpp:sid:0"
	r := newRaw(t)
	r.in("room", "bob")
	r.say("bob@example.org/desk", "<message type='groupchat' to='room@rooms.example.org'><body/><stanza-id xmlns='urn:xmpp:sid:0' by='room@rooms.example.org' id='mine'/>"+
		"<origin-id xmlns='urn:xmpp:sid:0' id='o'/></message>")
	e := r.latest("alice")
	id := childID(e, ns, "stanza-id")
	if id == "" || id == "mine" || childID(e, ns, "origin-id") != "o" || childID(r.latest("bob"), ns, "stanza-id") != id {
		t.Errorf("alice got %v", e)
	}
	r.say("carol@example.org/desk", "<presence to='room@rooms.example.org/carol'><x xmlns='http://jabber.org/protocol/muc'/></presence>")
	all := r.units["carol@example.org/desk"]
	if got := childID(all[len(all)-2], ns, "stanza-id"); got != id {
		t.Errorf("in history the id is %q, was %q", got, id)
	}
}

// TestErrorsNameTheRoom: an error from an occupant's address may be the room's or
// the occupant's (RFC 6120 §8.3.1).
func TestErrorsNameTheRoom(t *testing.T) {
	r := newRaw(t)
	r.in("room")
	for _, unit := range []string{
		"<presence to='room@rooms.example.org/al'><x xmlns='http://jabber.org/protocol/muc'/></presence>",
		"<message type='chat' to='room@rooms.example.org/al'><body>hi</body></message>",
		"<iq type='get' id='1' to='room@rooms.example.org/al'><query xmlns='jabber:iq:version'/></iq>",
		"<iq type='get' id='1' to='room@rooms.example.org'><query xmlns='http://jabber.org/protocol/muc#owner'/></iq>",
	} {
		r.say("bob@example.org/desk", unit)
		e, ok := r.latest("bob").Child(wire.NSClient, "error")
		if by := e.AttrValue("by"); !ok || by != "room@rooms.example.org" {
			t.Errorf("%s: refused by %q", unit, by)
		}
	}
}
