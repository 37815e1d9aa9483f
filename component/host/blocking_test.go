package host_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"xtokend/component/host"
)

// block and unblock name addresses by their localpart, or in full.
func (c *client) block(addresses ...string)   { c.t.Helper(); c.setBlocked("block", addresses) }
func (c *client) unblock(addresses ...string) { c.t.Helper(); c.setBlocked("unblock", addresses) }

func (c *client) setBlocked(name string, addresses []string) {
	c.t.Helper()
	var items strings.Builder
	for _, a := range addresses {
		fmt.Fprintf(&items, "<item jid='%s'/>", inFull(a))
	}
	c.send("<iq type='set' id='block'><%s xmlns='urn:xmpp:blocking'>%s</%[1]s></iq>", name, items.String())
	c.expect("<iq type='result' id='block' to='%s'/>", c.jid())
}

func inFull(address string) string {
	if strings.Contains(address, ".") {
		return address
	}
	return address + "@" + domain
}

func (c *client) wantBlocked(addresses ...string) {
	c.t.Helper()
	var items strings.Builder
	for _, a := range addresses {
		fmt.Fprintf(&items, `<item jid="%s"></item>`, inFull(a))
	}
	c.send("<iq type='get' id='list'><blocklist xmlns='urn:xmpp:blocking'/></iq>")
	c.expect("<iq type='result' id='list' to='%s'><blocklist xmlns=\"urn:xmpp:blocking\">%s</blocklist></iq>", c.jid(), items.String())
}

func TestBlockedAddresses(t *testing.T) {
	for _, tc := range []struct {
		address string
		blocked []string // of the senders below
	}{
		{"bob@example.org", []string{"bob/a", "bob/b"}},
		{"bob@example.org/a", []string{"bob/a"}},
		{"example.org", []string{"bob/a", "bob/b", "carol/a"}},
		{"example.org/a", nil},
		{"alice@example.org", nil}, // her own
		{"ample.org", nil},
	} {
		t.Run(tc.address, func(t *testing.T) {
			h := newHost(t, host.Config{})
			alice, other := online(t, h, "alice/a"), login(t, h, "alice/b")
			alice.block(tc.address)
			for _, address := range []string{"bob/a", "bob/b", "carol/a"} {
				sender := login(t, h, address)
				sender.send("<message to='alice@example.org' type='chat' id='1'><body>hello</body></message>")
				blocked := false
				for _, b := range tc.blocked {
					blocked = blocked || b == address
				}
				if blocked {
					sender.expect("<message type='error' id='1' …<service-unavailable …</message>")
				} else {
					alice.expect("<message …from='%s' …</message>", sender.jid())
				}
				sender.expectNothing()
			}
			other.send("<message to='alice@example.org' type='chat'><body>note</body></message>")
			alice.expect("<message …<body>note</body></message>")
			alice.expectNothing() // the server answers
		})
	}
}

func TestBlockingIsBounded(t *testing.T) {
	h := newHost(t, host.Config{Limits: host.Limits{Blocked: 2}})
	alice := login(t, h, "alice/a")
	alice.block("bob", "bob", "carol")
	alice.block("carol")
	alice.send("<iq type='set' id='1'><block xmlns='urn:xmpp:blocking'><item jid='dave@example.org'/></block></iq>")
	alice.expect("<iq type='error' id='1' …<resource-constraint …</iq>")
	alice.wantBlocked("bob", "carol")
}

func TestBlockingSurvivesARestart(t *testing.T) {
	path := filepath.Join(t.TempDir(), "host.db")
	h := newHost(t, host.Config{Path: path})
	alice := login(t, h, "alice/a")
	alice.block("bob", "carol", "dave@example.net")
	alice.unblock("carol")
	if err := h.Close(); err != nil {
		t.Fatal(err)
	}
	h = newHost(t, host.Config{Path: path})
	login(t, h, "alice/a").wantBlocked("bob", "dave@example.net")
}

// What changes a subscription is seen in the rosters of both, and heard of only by
// who has not blocked the other.
func TestSubscriptionsOfTheBlocked(t *testing.T) {
	t.Run("request", func(t *testing.T) {
		alice, bob := pair(t, "bob:subscribe")
		alice.block("bob")
		alice.all()
		bob.send("<presence type='unsubscribe' to='alice@example.org'/>")
		bob.send("<presence type='subscribe' to='alice@example.org'/>")
		bob.wantAll("push alice none", "push alice none*")
		alice.wantAll()
		alice.unblock("bob")
		alice.send("<presence type='unavailable'/>")
		alice.send("<presence/>")
		alice.wantAll("unavailable alice/a", "available alice/a") // it was never hers
	})
	t.Run("approval", func(t *testing.T) {
		alice, bob := pair(t, "alice:subscribe")
		alice.block("bob")
		bob.send("<presence type='subscribed' to='alice@example.org'/>")
		bob.wantAll("push alice from")
		alice.wantAll("push bob to")
		alice.send("<presence type='unsubscribe' to='bob@example.org'/>")
		alice.expect("<presence type='error' from='bob@example.org' …<not-acceptable …<blocked …</presence>")
		alice.wantRoster("bob to")
	})
	t.Run("end by the blocked", func(t *testing.T) {
		alice, bob := pair(t, both)
		alice.block("bob")
		bob.wantAll("unavailable alice/a")
		bob.send("<presence type='unsubscribe' to='alice@example.org'/>")
		bob.wantAll("push alice from")
		alice.wantAll("push bob to")
	})
	t.Run("end by the blocker", func(t *testing.T) {
		alice, bob := pair(t, both)
		alice.block("bob")
		bob.all()
		alice.send(rosterSet, 1, "<item jid='bob@example.org' subscription='remove'/>")
		bob.wantAll("unsubscribe alice", "push alice to", "unsubscribed alice", "push alice none")
		alice.all()
		alice.unblock()
		bob.wantAll()
	})
}

func TestPresenceThatTheBlockedWereSent(t *testing.T) {
	h := newHost(t, host.Config{Rooms: rooms})
	alice, bob := online(t, h, "alice/a"), online(t, h, "bob/b")
	alice.enter("tea", "Alice")
	alice.send("<iq type='set' id='2' to='tea@rooms.example.org'><query xmlns='http://jabber.org/protocol/muc#owner'><x xmlns='jabber:x:data' type='submit'/></query></iq>")
	alice.expect("<iq type='result' id='2' …")
	bob.enter("tea", "Bob")
	alice.all()
	alice.send("<presence to='bob@example.org/b'/>")
	bob.expect("<presence from='alice@example.org/a' …/>")
	alice.block("bob", "tea@rooms.example.org")
	bob.expect("<presence type='unavailable' from='alice@example.org/a' …/>")
	bob.expect("<presence …type='unavailable'…from='tea@rooms.example.org/Alice'…")
	bob.send("<message to='tea@rooms.example.org'><x xmlns='http://jabber.org/protocol/muc#user'><invite to='alice@example.org'/></x></message>")
	bob.expectNothing()
	alice.send("<presence to='tea@rooms.example.org/Alice'><x xmlns='http://jabber.org/protocol/muc'/></presence>")
	alice.expect("<presence type='error' from='tea@rooms.example.org/Alice' …<blocked …</presence>")
	alice.expectNothing()
	alice.drop()
	bob.expectNothing()
}

func TestWhatThoseWhoAreBlockedPublish(t *testing.T) {
	h := newHost(t, host.Config{})
	alice, bob := listens(t, h, "alice/a", "urn:note"), listens(t, h, "bob/b", "urn:note")
	befriend(alice, bob)
	alice.block("bob")
	bob.expect("<presence type='unavailable' from='alice@example.org/a' …/>")
	alice.publish("urn:note", "a", "one", "access_model=open")
	alice.published("urn:note", "a")
	alice.expect(noteEvent("urn:note", "a", "one"))
	bob.publish("urn:note", "a", "two", "access_model=open")
	bob.published("urn:note", "a")
	bob.expect("<message …<note xmlns='urn:note'>two</note>…</message>")
	alice.expectNothing()
	bob.send(pubsubItems, "alice", "urn:note", "/>")
	bob.wantFault("service-unavailable")
	bob.expectNothing()
}
