package host_test

import (
	"fmt"
	"strings"
	"testing"

	"xtokend/component/host"
)

// listens logs in a client that wants to hear of nodes.
func listens(t testing.TB, h *host.Host, address string, nodes ...string) *client {
	t.Helper()
	c := login(t, h, address)
	ver, answer := tunes(nodes...)
	c.says("", ver) // of no algorithm: each is asked
	c.isAsked(ver, answer)
	return c
}

// befriend lets both see each other's presence.
func befriend(a, b *client) {
	a.t.Helper()
	for _, pair := range [][2]*client{{a, b}, {b, a}} {
		one, _, _ := strings.Cut(pair[0].jid(), "/")
		other, _, _ := strings.Cut(pair[1].jid(), "/")
		pair[0].send("<presence type='subscribe' to='%s'/>", other)
		pair[1].expect("<presence type='subscribe' …/>")
		pair[1].send("<presence type='subscribed' to='%s'/>", one)
		pair[0].expect("<presence type='subscribed' …/>")
		pair[0].expect("<presence …from='%s' …>…", pair[1].jid())
	}
}

func TestWhoHearsOfWhatIsPublished(t *testing.T) {
	h := newHost(t, host.Config{})
	alice := listens(t, h, "alice/a", "urn:note")
	bob := listens(t, h, "bob/b", "urn:note", "urn:open", "urn:private")
	carol := listens(t, h, "carol/c", "urn:note", "urn:open", "urn:private")
	befriend(alice, bob)
	silent := login(t, h, "bob/silent")

	alice.publish("urn:note", "a", "one")
	alice.published("urn:note", "a")
	alice.expect(noteEvent("urn:note", "a", "one"))
	bob.expect(noteEvent("urn:note", "a", "one"))
	alice.publish("urn:open", "a", "two", "access_model=open")
	alice.published("urn:open", "a")
	bob.expect(noteEvent("urn:open", "a", "two"))
	alice.publish("urn:private", "a", "three", "access_model=whitelist")
	alice.published("urn:private", "a")
	alice.publish("urn:quiet", "a", "four")
	alice.published("urn:quiet", "a")

	alice.send(pubsubSet, "<retract node='urn:open'><item id='a'/></retract>")
	alice.expect(done)
	alice.publish("urn:open", "b", "five")
	alice.published("urn:open", "b")
	bob.expect(noteEvent("urn:open", "b", "five"))
	alice.send(pubsubSet, "<retract node='urn:open' notify='1'><item id='b'/></retract>")
	alice.expect(done)
	bob.expect(event("<items node='urn:open'><retract id='b'/></items>"))
	alice.send(pubsubOwner, "<purge node='urn:open'/>")
	alice.expect(done)
	bob.expect(event("<purge node='urn:open'/>"))
	alice.send(pubsubOwner, "<delete node='urn:open'/>")
	alice.expect(done)
	bob.expect(event("<delete node='urn:open'/>"))

	alice.send("<presence type='unsubscribed' to='bob@example.org'/>")
	bob.expect("<presence type='unsubscribed' …/>")
	bob.expect("<presence type='unavailable' …/>")
	alice.publish("urn:note", "a", "six")
	alice.published("urn:note", "a")
	alice.expect(noteEvent("urn:note", "a", "six"))
	alice.send("<presence type='unavailable'/>")
	alice.expect("<presence type='unavailable' …/>")
	alice.publish("urn:note", "a", "seven")
	alice.published("urn:note", "a")
	for _, c := range []*client{alice, bob, carol, silent} {
		c.expectNothing()
	}
}

func TestANodeMayBeConfiguredToBeQuiet(t *testing.T) {
	h := newHost(t, host.Config{})
	alice := listens(t, h, "alice/a", "urn:bare", "urn:quiet")
	phone := login(t, h, "alice/phone")
	alice.publish("urn:bare", "a", "one", "deliver_payloads=false", "notify_retract=0", "notify_delete=0")
	alice.published("urn:bare", "a")
	alice.expect(event("<items node='urn:bare'><item id='a'></item></items>"))
	alice.send(pubsubSet, "<retract node='urn:bare' notify='1'><item id='a'/></retract>")
	alice.expect(done)
	alice.send(pubsubOwner, "<purge node='urn:bare'/>")
	alice.expect(done)
	alice.send(pubsubOwner, "<delete node='urn:bare'/>")
	alice.expect(done)
	alice.publish("urn:quiet", "a", "one", "deliver_notifications=false")
	alice.published("urn:quiet", "a")
	alice.expectNothing()
	ver, answer := tunes("urn:quiet")
	phone.says("sha-1", ver)
	phone.expect("<presence …from='%s' …>…", alice.jid())
	phone.isAsked(ver, answer)
	phone.expectNothing()
}

func TestTheLastItemIsShownToWhoComes(t *testing.T) {
	h := newHost(t, host.Config{})
	alice, bob := online(t, h, "alice/a"), online(t, h, "bob/b")
	befriend(alice, bob)
	bob.send("</stream:stream>")
	alice.expect("<presence type='unavailable' …/>")
	for _, n := range []struct {
		node string
		opts []string
	}{
		{"urn:note", []string{"max_items=2"}},
		{"urn:open", []string{"access_model=open"}},
		{"urn:private", []string{"access_model=whitelist"}},
		{"urn:never", []string{"send_last_published_item=never"}},
		{"urn:unwanted", nil},
	} {
		for _, id := range []string{"a", "b"} {
			alice.publish(n.node, id, id, n.opts...)
			alice.published(n.node, id)
		}
	}

	nodes := []string{"urn:private", "urn:open", "urn:note", "urn:never", "urn:none"}
	ver, answer := tunes(nodes...)
	bob = login(t, h, "bob/b")
	bob.says("sha-1", ver)
	bob.expect("<presence from='alice@example.org/a' …/>")
	bob.isAsked(ver, answer)
	bob.expect(noteEvent("urn:note", "b", "b"))
	bob.expect(noteEvent("urn:open", "b", "b"))
	bob.send("<presence><show>away</show></presence>") // says nothing of the client: it is the same one
	bob.expect("<presence …><show>away</show></presence>")
	bob.expectNothing()

	phone := login(t, h, "alice/phone")
	phone.says("sha-1", ver) // known
	for i := range 2 {
		phone.expect("<presence …from='%s' …>…", []string{alice.jid(), bob.jid()}[i])
	}
	phone.expect(noteEvent("urn:note", "b", "b"))
	phone.expect(noteEvent("urn:open", "b", "b"))
	phone.expect(noteEvent("urn:private", "b", "b"))
	phone.expectNothing()

	// Who wants to hear of more is shown no more than that.
	more, moreAnswer := tunes(append(nodes, "urn:unwanted")...)
	phone.send(capsPresence, "sha-1", more)
	phone.expect("<presence from='%s' …</presence>", phone.jid())
	phone.isAsked(more, moreAnswer)
	phone.expect(noteEvent("urn:unwanted", "b", "b"))
	phone.expectNothing()
}

func TestTheLastItemIsShownToANewSubscriber(t *testing.T) {
	h := newHost(t, host.Config{})
	alice := online(t, h, "alice/a")
	alice.publish("urn:note", "a", "one")
	alice.published("urn:note", "a")
	bob := listens(t, h, "bob/b", "urn:note")
	bob.send("<presence type='subscribe' to='alice@example.org'/>")
	alice.expect("<presence type='subscribe' …/>")
	bob.expectNothing()
	alice.send("<presence type='subscribed' to='bob@example.org'/>")
	bob.expect("<presence type='subscribed' …/>")
	bob.expect("<presence from='alice@example.org/a' …/>")
	bob.expect(noteEvent("urn:note", "a", "one"))
	bob.expectNothing()
}

// Events are left out for one who does not read; his session is not ended for it.
func TestEventsMayBeLeftOut(t *testing.T) {
	h := newHost(t, host.Config{Limits: host.Limits{QueueBytes: 2000}})
	bob := listens(t, h, "bob/b", "urn:note")
	alice := online(t, h, "alice/a")
	befriend(alice, bob)
	for i := range 50 {
		alice.publish("urn:note", "a", fmt.Sprint(i, strings.Repeat("x", 100)))
		alice.published("urn:note", "a")
	}
	heard := 0
	for {
		bob.send("<iq type='get' id='nothing' to='example.org'><ping xmlns='urn:xmpp:ping'/></iq>")
		unit := bob.next()
		if strings.Contains(unit, "id='nothing'") {
			break
		}
		heard++
	}
	if heard < 3 || heard > 20 {
		t.Errorf("heard %d events", heard)
	}
}

// To read an open node one must ask: nobody is told of it who does not see the
// user's presence, be he in the user's roster or the user in his.
func TestStrangersAreNotTold(t *testing.T) {
	h := newHost(t, host.Config{})
	alice := online(t, h, "alice/a")
	bob := listens(t, h, "bob/b", "urn:note")
	const add = "<iq type='set' id='1'><query xmlns='jabber:iq:roster'><item jid='%s@example.org'/></query></iq>"
	for who, other := range map[*client]string{alice: "bob", bob: "alice"} {
		who.send(add, other)
		who.expect(done)
	}
	alice.publish("urn:note", "a", "one", "access_model=open")
	alice.published("urn:note", "a")
	bob.expectNothing()
	bob.send("</stream:stream>")
	bob = listens(t, h, "bob/b", "urn:note")
	bob.expectNothing()
	bob.wantItems("alice", "urn:note", "/>", "a=one")
}
