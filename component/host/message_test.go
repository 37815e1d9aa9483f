package host_test

import (
	"strings"
	"testing"

	"xtokend/component/host"
)

// deliveries are the rules of RFC 6121 §8.5 for messages. alice/desk sends;
// bob/phone has priority 1, bob/car -1, bob/box has sent no presence.
var deliveries = []struct {
	name, to, kind string
	reaches        []string
	fault          string
	kept           bool
}{
	{name: "chat to the user", to: "bob@example.org", kind: "chat", reaches: []string{"phone"}},
	{name: "normal to the user", to: "bob@example.org", kind: "normal", reaches: []string{"phone"}},
	{name: "headline to the user", to: "bob@example.org", kind: "headline", reaches: []string{"phone"}},
	{name: "groupchat to the user", to: "bob@example.org", kind: "groupchat", fault: "service-unavailable"},
	{name: "error to the user", to: "bob@example.org", kind: "error"},
	{name: "unknown type to the user", to: "bob@example.org", kind: "odd", reaches: []string{"phone"}},
	{name: "chat to a resource", to: "bob@example.org/phone", kind: "chat", reaches: []string{"phone"}},
	{name: "chat to one of negative priority", to: "bob@example.org/car", kind: "chat", reaches: []string{"car"}},
	{name: "chat to one without presence", to: "bob@example.org/box", kind: "chat", reaches: []string{"box"}},
	{name: "groupchat to a resource", to: "bob@example.org/phone", kind: "groupchat", reaches: []string{"phone"}},
	{name: "error to a resource", to: "bob@example.org/phone", kind: "error", reaches: []string{"phone"}},
	{name: "chat to a resource that is gone", to: "bob@example.org/gone", kind: "chat", reaches: []string{"phone"}},
	{name: "normal to a resource that is gone", to: "bob@example.org/gone", kind: "normal", fault: "service-unavailable"},
	{name: "headline to a resource that is gone", to: "bob@example.org/gone", kind: "headline"},
	{name: "groupchat to a resource that is gone", to: "bob@example.org/gone", kind: "groupchat", fault: "service-unavailable"},
	{name: "error to a resource that is gone", to: "bob@example.org/gone", kind: "error"},
	{name: "chat to somebody offline", to: "carol@example.org", kind: "chat", kept: true},
	{name: "normal to somebody offline", to: "carol@example.org", kind: "normal", kept: true},
	{name: "chat to a resource of somebody offline", to: "carol@example.org/x", kind: "chat", kept: true},
	{name: "headline to somebody offline", to: "carol@example.org", kind: "headline"},
	{name: "groupchat to somebody offline", to: "carol@example.org", kind: "groupchat", fault: "service-unavailable"},
	{name: "chat to nobody", to: "nobody@example.org", kind: "chat", fault: "service-unavailable"},
	{name: "error to nobody", to: "nobody@example.org", kind: "error"},
	{name: "chat to the server", to: "example.org", kind: "chat", fault: "service-unavailable"},
	{name: "chat to another domain", to: "bob@example.com", kind: "chat", fault: "remote-server-not-found"},
	{name: "chat to no address", to: "@", kind: "chat", fault: "jid-malformed"},
}

func TestMessagesAreDelivered(t *testing.T) {
	for _, tc := range deliveries {
		t.Run(tc.name, func(t *testing.T) {
			h := newHost(t, host.Config{})
			bob := map[string]*client{"phone": login(t, h, "bob/phone"), "car": login(t, h, "bob/car"), "box": login(t, h, "bob/box")}
			bob["phone"].send("<presence><priority>1</priority></presence>")
			bob["phone"].next()
			bob["car"].send("<presence><priority>-1</priority></presence>")
			bob["car"].next()
			bob["car"].next()
			bob["phone"].next()
			login(t, h, "carol/x").send("</stream:stream>")
			alice := login(t, h, "alice/desk")

			alice.send("<message to='%s' type='%s' id='1'><body>hi</body></message>", tc.to, tc.kind)
			if tc.fault != "" {
				got := alice.next()
				if !strings.Contains(got, "<"+tc.fault+" ") || !strings.Contains(got, " type='error' ") || tc.fault != "jid-malformed" && !strings.Contains(got, " from='"+tc.to+"'") {
					t.Errorf("alice got %s", got)
				}
			}
			alice.expectNothing()
			for _, resource := range tc.reaches {
				bob[resource].expect("<message type='%s' id='1' from='alice@example.org/desk' to='%s'><body>hi</body></message>", tc.kind, tc.to)
			}
			for _, c := range bob {
				c.expectNothing()
			}
			carol := login(t, h, "carol/y")
			carol.send("<presence/>")
			carol.next()
			if tc.kept {
				carol.expect("<message type='%s' id='1' from='alice@example.org/desk' to='%s'><body>hi</body><delay xmlns=\"urn:xmpp:delay\" stamp=\"…Z\" from=\"example.org\"></delay></message>", tc.kind, tc.to)
			}
			carol.expectNothing()
			again := online(t, h, "carol/z")
			again.expect("<presence from='carol@example.org/y' …/>")
			again.expectNothing()
		})
	}
}

func TestWhatIsNotKept(t *testing.T) {
	h := newHost(t, host.Config{})
	login(t, h, "bob/phone").send("</stream:stream>")
	alice := login(t, h, "alice/desk")
	for _, content := range []string{
		"<composing xmlns='http://jabber.org/protocol/chatstates'/>",
		"<body>no</body><no-store xmlns='urn:xmpp:hints'/>",
		"<body>no</body><no-permanent-store xmlns='urn:xmpp:hints'/>",
		"",
	} {
		alice.send("<message to='bob@example.org' type='chat'>%s</message>", content)
	}
	alice.send("<message to='bob@example.org' type='chat'><received xmlns='urn:xmpp:receipts' id='1'/></message>")
	bob := online(t, h, "bob/phone")
	bob.expect("<message …><received …/><delay …</message>")
	bob.expectNothing()
}

func TestKeptMessagesAreBounded(t *testing.T) {
	for _, tc := range []struct {
		name   string
		limits host.Limits
	}{
		{"by number", host.Limits{KeptMessages: 2}},
		{"by size", host.Limits{KeptBytes: 250}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			h := newHost(t, host.Config{Limits: tc.limits})
			login(t, h, "bob/phone").send("</stream:stream>")
			alice := login(t, h, "alice/desk")
			const message = "<message to='bob@example.org' type='chat' id='%d'><body>0123456789</body></message>"
			for i := range 3 {
				alice.send(message, i)
			}
			alice.expect("<message type='error' id='2' from='bob@example.org' …><service-unavailable …</message>")
			alice.expectNothing()
			bob := online(t, h, "bob/phone")
			bob.expect("<message type='chat' id='0' …</message>")
			bob.expect("<message type='chat' id='1' …</message>")
			bob.expectNothing()
			alice.send(message, 3)
			bob.expect("<message type='chat' id='3' …</message>")
		})
	}
}

// Who does not read is sent no more; others learn that, and are not held up.
func TestASessionThatDoesNotRead(t *testing.T) {
	h := newHost(t, host.Config{Limits: host.Limits{QueueBytes: 1000}})
	bob := online(t, h, "bob/phone")
	alice := online(t, h, "alice/desk")
	for i := range 20 {
		alice.send("<message to='bob@example.org' type='chat' id='%d'><body>%s</body></message>", i, strings.Repeat("x", 100))
	}
	alice.expect("<message type='error' id='…' from='bob@example.org' …type=\"wait\"><resource-constraint …</message>")
	bob.expect("<message type='chat' id='0' …</message>")
	bob.expect("<message type='chat' id='1' …</message>")
}

func TestAMessageGoesToAnotherSessionIfTheFirstEndsWithoutIt(t *testing.T) {
	h := newHost(t, host.Config{})
	bob := online(t, h, "bob/phone")
	alice := login(t, h, "alice/desk")
	alice.send("<message to='bob@example.org/phone' type='chat'><body>1</body></message>")
	alice.send("<iq type='get' id='5' to='bob@example.org/phone'><q xmlns='urn:q'/></iq>")
	desk := online(t, h, "bob/desk")
	desk.expect("<presence from='bob@example.org/phone' …/>")
	bob.drop()
	desk.expect("<presence type='unavailable' from='bob@example.org/phone' …/>")
	desk.expect("<message …><body>1</body><delay …</message>")
	alice.expect("<iq type='error' id='5' …recipient-unavailable…</iq>")
}

func TestCarbons(t *testing.T) {
	h := newHost(t, host.Config{})
	open := func(address string) *client {
		c := login(t, h, address)
		c.send("<iq type='set' id='c'><enable xmlns='urn:xmpp:carbons:2'/></iq>")
		c.expect("<iq type='result' id='c' …/>")
		return c
	}
	alice, desk, phone := open("alice/a"), open("alice/b"), open("bob/phone")
	bob := online(t, h, "bob/x")
	alice.send("<message type='chat' to='bob@example.org'><body>1</body></message>")
	bob.expect("<message …><body>1</body></message>")
	desk.expect("<message type='chat' from='alice@example.org' to='alice@example.org/b'><sent xmlns='urn:xmpp:carbons:2'>" +
		"<forwarded xmlns='urn:xmpp:forward:0'><message xmlns='jabber:client' type='chat' from='alice@example.org/a' to='bob@example.org'><body>1</body></message></forwarded></sent></message>")
	phone.expect("<message type='chat' from='bob@example.org' to='bob@example.org/phone'><received xmlns='urn:xmpp:carbons:2'>" +
		"<forwarded xmlns='urn:xmpp:forward:0'><message xmlns='jabber:client' type='chat' from='alice@example.org/a' to='bob@example.org'><body>1</body></message></forwarded></received></message>")
	for _, content := range []string{
		"<body>1</body><private xmlns='urn:xmpp:carbons:2'/>",
		"<body>1</body><no-copy xmlns='urn:xmpp:hints'/>",
		"<body>1</body><x xmlns='http://jabber.org/protocol/muc#user'/>",
	} {
		alice.send("<message type='chat' to='bob@example.org'>%s</message>", content)
		bob.next()
	}
	alice.send("<message type='headline' to='bob@example.org'><body>1</body></message>")
	bob.next()
	desk.send("<iq type='set' id='c'><disable xmlns='urn:xmpp:carbons:2'/></iq>")
	desk.expect("<iq type='result' id='c' …/>")
	alice.send("<message type='chat' to='alice@example.org/b'><body>self</body></message>")
	desk.expect("<message …><body>self</body></message>")
	for _, c := range []*client{alice, desk, phone, bob} {
		c.expectNothing()
	}
}

// Two sessions have a message; one ends without it, the other has had it.
func TestAMessageOfTwoSessions(t *testing.T) {
	h := newHost(t, host.Config{})
	first, second := login(t, h, "bob/1"), login(t, h, "bob/2")
	first.manage()
	second.manage()
	first.send("<presence/>")
	second.send("<presence/>")
	first.all()
	second.all()
	alice := login(t, h, "alice/a")
	alice.send("<message to='bob@example.org' type='chat' id='1'><body>1</body></message>")
	alice.send("<message to='bob@example.org' type='chat' id='2'><body>2</body></message>")
	first.send("</stream:stream>") // without an acknowledgement: the second still has both
	heard := ""
	for !strings.Contains(heard, "unavailable") {
		heard = second.next()
		if strings.Contains(heard, "<delay") {
			t.Errorf("the message came again: %s", heard)
		}
	}
	second.send("</stream:stream>") // neither: it waits
	third := login(t, h, "bob/3")
	third.manage()
	third.send("<presence/>")
	third.expect("<presence …/>")
	third.expect(ask)
	third.expect("<message type='chat' id='1' …<delay…")
	third.expect("<message type='chat' id='2' …<delay…")
	third.send("<a xmlns='urn:xmpp:sm:3' h='2'/>") // the presence and the first
	third.expect(ask)
	third.send("</stream:stream>")
	fourth := online(t, h, "bob/4")
	fourth.expect("<message type='chat' id='2' …<delay…")
	fourth.expectNothing()
}

func TestAMessageThatOneSessionHasHad(t *testing.T) {
	h := newHost(t, host.Config{})
	first, second := online(t, h, "bob/1"), online(t, h, "bob/2")
	second.expect("<presence from='bob@example.org/1' …")
	second.manage()
	alice := login(t, h, "alice/a")
	alice.send("<message to='bob@example.org' type='chat'><body>1</body></message>")
	second.expect("<message …")
	second.expect(ask)
	second.send("<a xmlns='urn:xmpp:sm:3' h='1'/>")
	first.drop() // it has not read it
	second.expect("<presence type='unavailable' from='bob@example.org/1' …")
	second.expect(ask)
	second.expectNothing()
}
