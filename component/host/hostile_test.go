package host_test

import (
	"fmt"
	"strings"
	"testing"

	"xtokend/component/host"
)

// small has a queue that a few stanzas fill.
var small = host.Limits{QueueBytes: 4000, PresenceBytes: 1000}

// What a stranger sends ends nobody's session, whether there is somebody who reads
// it or not.
func TestStrangersEndNoSession(t *testing.T) {
	for name, stanza := range map[string]string{
		"directed presence": "<presence to='bob@example.org'><status>" + strings.Repeat("x", 500) + "</status></presence>",
		"messages":          "<message to='bob@example.org' type='chat'><body>" + strings.Repeat("x", 500) + "</body></message>",
		"headlines":         "<message to='bob@example.org' type='headline'><body>" + strings.Repeat("x", 500) + "</body></message>",
		"requests":          "<iq type='get' id='1' to='bob@example.org/b'><q xmlns='urn:q'>" + strings.Repeat("x", 500) + "</q></iq>",
		"subscriptions":     "<presence type='subscribe' to='bob@example.org'/><presence type='unsubscribe' to='bob@example.org'/>",
	} {
		t.Run(name, func(t *testing.T) {
			h := newHost(t, host.Config{Limits: small})
			bob := online(t, h, "bob/b")
			id := bob.manage()
			mallory := login(t, h, "mallory/m")
			for range 100 {
				mallory.send(stanza)
				mallory.all()
			}
			bob.drop()
			bob = resume(t, h, "bob/b", id, 0)
			bob.expect("<resumed …/>")
		})
	}
}

func TestPresenceIsBounded(t *testing.T) {
	h := newHost(t, host.Config{Limits: small})
	alice := online(t, h, "alice/a")
	alice.send("<presence id='p'><status>%s</status></presence>", strings.Repeat("x", 1000))
	alice.expect("<presence type='error' id='p' …<not-acceptable …</presence>")
	alice.expectNothing()
}

// Requests to subscribe must leave room for a login: they are bounded in number,
// and lose what they say if it is long.
func TestRequestsToSubscribeAreBounded(t *testing.T) {
	h := newHost(t, host.Config{Limits: host.Limits{Requests: 2}})
	login(t, h, "bob/b").send("</stream:stream>")
	for i := range 3 {
		c := login(t, h, fmt.Sprintf("alice%d/a", i))
		c.send("<presence type='subscribe' to='bob@example.org' id='s'><status>%s</status></presence>", strings.Repeat("x", 5000))
		c.expectNothing()
	}
	bob := online(t, h, "bob/b")
	got := bob.next() + bob.next()
	bob.expectNothing()
	for i := range 2 {
		if want := fmt.Sprintf("<presence type='subscribe' from='alice%d@example.org' to='bob@example.org'/>", i); !strings.Contains(got, want) {
			t.Errorf("got %s, wants %s", got, want)
		}
	}
}

// A session that had no room for presence is told all of it when it has.
func TestMissedPresenceIsMadeUpFor(t *testing.T) {
	h := newHost(t, host.Config{Limits: small})
	alice, bob := online(t, h, "alice/a"), online(t, h, "bob/b")
	alice.send("<presence type='subscribe' to='bob@example.org'/>")
	bob.send("<presence type='subscribed' to='alice@example.org'/>")
	alice.all()
	for i := range 10 {
		bob.send("<presence><status>%d%s</status></presence>", i, strings.Repeat("x", 800))
		bob.all()
	}
	heard := alice.next()
	for strings.Contains(heard, "<status>") {
		heard = alice.next()
		if strings.Contains(heard, "<status>9") {
			t.Fatal("nothing was missed")
		}
		if strings.Contains(heard, "<status>3") {
			break
		}
	}
	alice.send("<message to='alice@example.org/a' type='headline'/>") // anything
	alice.send("<message to='alice@example.org/a' type='headline'/>")
	for heard = alice.next(); !strings.Contains(heard, "<status>9"); heard = alice.next() {
	}
}

// What waits for a user is there at the next login, however much it is, and
// newer messages come behind it.
func TestAllThatIsKeptComesAtOnce(t *testing.T) {
	h := newHost(t, host.Config{})
	login(t, h, "bob/b").send("</stream:stream>")
	alice := login(t, h, "alice/a")
	kept := 0
	for ; ; kept++ {
		alice.send("<message to='bob@example.org' type='chat' id='%d'><body>%s</body></message>", kept, strings.Repeat("x", 900))
		alice.send("<iq type='get' id='p' to='example.org'><ping xmlns='urn:xmpp:ping'/></iq>")
		if strings.Contains(alice.next(), "service-unavailable") {
			alice.next()
			break
		}
	}
	bob := login(t, h, "bob/b")
	bob.manage()
	bob.send("<presence/>")
	alice.send("<message to='bob@example.org' type='headline' id='new'/>")
	next := 0
	for unit := bob.next(); !strings.Contains(unit, "id='new'"); unit = bob.next() {
		if strings.HasPrefix(unit, "<message") {
			if !strings.Contains(unit, fmt.Sprintf("id='%d'", next)) {
				t.Fatalf("message %d is %.200s", next, unit)
			}
			next++
		}
	}
	if next != kept {
		t.Errorf("%d of %d messages came", next, kept)
	}
}

// No element to a client is longer than its front passes on.
func TestElementsToClientsAreBounded(t *testing.T) {
	h := newHost(t, host.Config{Limits: host.Limits{OutputBytes: 20000, RosterBytes: 10000}})
	bob, alice := online(t, h, "bob/b"), online(t, h, "alice/a")
	alice.send("<message to='bob@example.org' type='chat' id='1'><body>%s</body></message>", strings.Repeat("x", 19500))
	alice.expect("<message type='error' id='1' …<resource-constraint …</message>")
	bob.expectNothing()
	i := 0
	for ; i < 100; i++ {
		alice.send(rosterSet, i, fmt.Sprintf("<item jid='%d@example.org' name='%s'/>", i, strings.Repeat("&quot;", 500)))
		if strings.Contains(alice.next(), "resource-constraint") {
			break
		}
	}
	alice.send("<iq type='get' id='r'><query xmlns='jabber:iq:roster'/></iq>")
	if got := alice.expect("<iq type='result' id='r' …</iq>"); strings.Count(got, "<item ") != i || i == 0 || len(got) > 12000 {
		t.Errorf("%d items were taken, the roster has %d in %d bytes", i, strings.Count(got, "<item "), len(got))
	}
	for _, prefix := range []string{strings.Repeat("p", 3000), "p"} {
		conn := connectWith(t, h, "carol", " xmlns:"+prefix+"='"+strings.Repeat("u", 3000)+"'")
		conn.expect("<stream:error><policy-violation …/></stream:error>")
	}
}

// connectWith begins a stream with more in its header, and reads the answer's header.
func connectWith(t *testing.T, h *host.Host, local, attributes string) *client {
	t.Helper()
	c := dial(t, h, local)
	c.send(strings.TrimSuffix(header, ">") + attributes + ">")
	c.readHeader()
	return c
}
