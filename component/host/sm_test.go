package host_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"xtokend/component/host"
	"xtokend/internal/xmlsplit"
)

const enable = "<enable xmlns='urn:xmpp:sm:3' resume='true'/>"

var idOf = regexp.MustCompile(`id='([^']+)'`)

// manage enables stream management and returns the id to resume with.
func (c *client) manage() string {
	c.t.Helper()
	c.send(enable)
	return idOf.FindStringSubmatch(c.expect("<enabled xmlns='urn:xmpp:sm:3' id='…' resume='true' max='…'/>"))[1]
}

// resume takes a session over, whose client has got that many stanzas.
func resume(t *testing.T, h *host.Host, address, id string, got int) *client {
	t.Helper()
	local, _, _ := cut(address)
	c := connect(t, h, local)
	c.name = address
	c.send("<resume xmlns='urn:xmpp:sm:3' previd='%s' h='%d'/>", id, got)
	return c
}

const ask = "<r xmlns='urn:xmpp:sm:3'/>"

func TestASessionIsResumedWithWhatItMissed(t *testing.T) {
	h := newHost(t, host.Config{})
	bob := login(t, h, "bob/phone")
	id := bob.manage()
	bob.send("<presence/>")
	bob.expect("<presence …/>")
	bob.expect(ask)
	alice := login(t, h, "alice/desk")
	alice.send("<message to='bob@example.org/phone' type='chat'><body>1</body></message>")
	bob.expect("<message …><body>1</body></message>")
	bob.drop()
	alice.send("<message to='bob@example.org' type='chat'><body>2</body></message>")
	alice.send("<message to='bob@example.org/phone' type='chat'><body>3</body></message>")
	alice.expectNothing()

	bob = resume(t, h, "bob/phone", id, 2)
	bob.expect("<resumed xmlns='urn:xmpp:sm:3' h='1' previd='%s'/>", id)
	bob.expect("<message …><body>2</body></message>")
	bob.expect(ask)
	bob.expect("<message …><body>3</body></message>")
	bob.send("<a xmlns='urn:xmpp:sm:3' h='4'/>")
	bob.expectNothing()

	bob.send("</stream:stream>")
	bob.expect(ask) // for the answer to what expectNothing asks
	bob.expectUnit(xmlsplit.End)
	bob = resume(t, h, "bob/phone", id, 2)
	bob.expect("<failed xmlns='urn:xmpp:sm:3'><item-not-found xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></failed>")
}

func TestOnlyItsUserResumesASession(t *testing.T) {
	h := newHost(t, host.Config{})
	bob := online(t, h, "bob/phone")
	id := bob.manage()
	mallory := resume(t, h, "mallory/x", id, 0)
	mallory.expect("<failed …><item-not-found …/></failed>")
	mallory.send("<resume xmlns='urn:xmpp:sm:3' previd='' h='0'/>")
	mallory.expect("<failed …><item-not-found …/></failed>")
}

func TestASessionIsTakenFromAConnectionThatSeemsAlive(t *testing.T) {
	h := newHost(t, host.Config{})
	old := online(t, h, "bob/phone")
	id := old.manage()
	bob := resume(t, h, "bob/phone", id, 0)
	bob.expect("<resumed xmlns='urn:xmpp:sm:3' h='0' previd='%s'/>", id)
	old.expect("<stream:error><conflict xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error>")
	old.conn.Write([]byte("<message to='alice@example.org'><body>late</body></message>"))
	old.drop()
	bob.expectNothing()
}

func TestWhatTheClientSaysIsCounted(t *testing.T) {
	h := newHost(t, host.Config{})
	bob := online(t, h, "bob/phone")
	bob.manage()
	bob.send("<message/><presence/><iq type='odd'/> " + ask)
	bob.expect("<message from='bob@example.org/phone' to='bob@example.org'/>")
	bob.expect(ask)
	bob.expect("<presence …/>")
	bob.expect("<iq type='error' …>…</iq>")
	bob.expect("<a xmlns='urn:xmpp:sm:3' h='3'/>")
}

func TestAWrongCountEndsTheStream(t *testing.T) {
	for _, count := range []string{"2", "4294967295", "x", ""} {
		t.Run(count, func(t *testing.T) {
			h := newHost(t, host.Config{})
			bob := online(t, h, "bob/phone")
			bob.manage()
			bob.send("<presence/>")
			bob.expect("<presence …/>")
			bob.expect(ask)
			bob.send("<a xmlns='urn:xmpp:sm:3' h='%s'/>", count)
			bob.expect("<stream:error><undefined-condition …/><handled-count-too-high xmlns='urn:xmpp:sm:3' h='%s' send-count='1'/></stream:error>", count)
		})
	}
}

// A session that is not resumed in time ends: others see it go, and what it did
// not get goes to the user's next one.
func TestASessionEndsWhenItIsNotResumed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, host.Config{})
		other := online(t, h, "bob/desk")
		bob := login(t, h, "bob/phone")
		id := bob.manage()
		bob.send("<presence><priority>-1</priority></presence>")
		other.expect("<presence from='bob@example.org/phone' …>…</presence>")
		bob.drop()
		alice := login(t, h, "alice/desk")
		alice.send("<message to='bob@example.org/phone' type='chat'><body>1</body></message>")
		alice.send("<iq type='get' id='5' to='bob@example.org/phone'><q xmlns='urn:q'/></iq>")
		alice.expectNothing()
		time.Sleep(5*time.Minute - time.Second)
		synctest.Wait()
		other.expectNothing()
		time.Sleep(time.Second)
		synctest.Wait()
		other.expect("<presence type='unavailable' from='bob@example.org/phone' to='bob@example.org'/>")
		other.expect("<message …><body>1</body><delay …</message>")
		alice.expect("<iq type='error' id='5' …>…<recipient-unavailable …</iq>")
		bob = resume(t, h, "bob/phone", id, 0)
		bob.expect("<failed …><item-not-found …/></failed>")
	})
}

func TestManyStanzasAreAcknowledgedInTurns(t *testing.T) {
	h := newHost(t, host.Config{})
	bob := login(t, h, "bob/phone")
	id := bob.manage()
	alice := login(t, h, "alice/desk")
	for i := range 300 {
		alice.send("<message to='bob@example.org/phone' type='chat'><body>%d</body></message>", i)
		unit := bob.next()
		if unit == ask {
			bob.send("<a xmlns='urn:xmpp:sm:3' h='%d'/>", i) // i were seen
			unit = bob.next()
			if unit == ask { // for the one that waits
				unit = bob.next()
			}
		}
		if want := fmt.Sprintf("<message …><body>%d</body></message>", i); !matches(want, unit) {
			t.Fatalf("got %s, wants %s", unit, want)
		}
		if i%50 == 49 {
			bob.drop()
			bob = resume(t, h, "bob/phone", id, i+1)
			bob.expect("<resumed xmlns='urn:xmpp:sm:3' h='0' previd='%s'/>", id)
		}
	}
}

// What was acknowledged is had: it does not come again, and makes room.
func TestWhatIsAcknowledgedMakesRoom(t *testing.T) {
	h := newHost(t, host.Config{Limits: host.Limits{QueueBytes: 1000, KeptBytes: 600, KeptMessages: 2}})
	bob := login(t, h, "bob/b")
	id := bob.manage()
	alice := login(t, h, "alice/a")
	const message = "<message to='bob@example.org/b' type='chat' id='%d'><body>0123456789</body></message>"
	for i := 1; i <= 20; i++ {
		alice.send(message, i)
		bob.expect("<message type='chat' id='%d' …", i)
		bob.expect(ask)
		bob.send("<a xmlns='urn:xmpp:sm:3' h='%d'/>", i)
	}
	alice.expectNothing()
	bob.drop()
	bob = resume(t, h, "bob/b", id, 20)
	bob.expect("<resumed …/>")
	bob.expectNothing()
	bob.drop()
	online(t, h, "bob/b").expectNothing() // in place of the lost one
}

// A session without a connection holds no more than its bound.
func TestALostSessionIsBounded(t *testing.T) {
	h := newHost(t, host.Config{Limits: host.Limits{QueueBytes: 1000}})
	bob := login(t, h, "bob/b")
	id := bob.manage()
	bob.drop()
	alice := login(t, h, "alice/a")
	for i := range 5 {
		alice.send("<message to='bob@example.org/b' type='headline' id='%d'><body>%s</body></message><iq type='get' id='%d' to='bob@example.org/b'><q xmlns='urn:q'/></iq>", i, strings.Repeat("x", 300), i)
	}
	if got := alice.next(); !matches("<iq type='error' …resource-constraint…", got) {
		t.Errorf("alice got %s", got)
	}
	bob = resume(t, h, "bob/b", id, 0)
	bob.expect("<resumed …/>")
	size := 0
	for unit := bob.next(); !strings.HasPrefix(unit, "<iq type='result'"); unit = bob.next() {
		if size == 0 {
			bob.send("<iq type='get' id='last' to='example.org'><ping xmlns='urn:xmpp:ping'/></iq>")
		}
		size += len(unit)
	}
	if size > 1200 {
		t.Errorf("%d bytes waited", size)
	}
}

func TestAResumedSessionDoesNotEndLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, host.Config{})
		bob := login(t, h, "bob/b")
		id := bob.manage()
		bob.drop()
		time.Sleep(4 * time.Minute)
		bob = resume(t, h, "bob/b", id, 0)
		bob.expect("<resumed …/>")
		time.Sleep(4 * time.Minute) // more than 5 since the loss
		bob.conn.Close()
		bob = resume(t, h, "bob/b", id, 0)
		bob.expect("<resumed …/>")
	})
}

func TestManagementOutOfPlace(t *testing.T) {
	h := newHost(t, host.Config{})
	const unexpected = "<failed xmlns='urn:xmpp:sm:3'><unexpected-request xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></failed>"
	c := connect(t, h, "alice")
	c.send(enable)
	c.expect(unexpected)
	c.drop()
	alice := login(t, h, "alice/a")
	id := alice.manage()
	alice.send(enable)
	alice.expect(unexpected)
	alice.send("<resume xmlns='urn:xmpp:sm:3' previd='%s' h='0'/>", id)
	alice.expect(unexpected)
	alice.send(ask)
	alice.expect("<a xmlns='urn:xmpp:sm:3' h='0'/>")

	fleeting := login(t, h, "bob/b")
	fleeting.send("<enable xmlns='urn:xmpp:sm:3'/>")
	fleeting.expect("<enabled xmlns='urn:xmpp:sm:3'/>")
	again := connect(t, h, "bob")
	again.send("<resume xmlns='urn:xmpp:sm:3' previd='' h='0'/>")
	again.expect("<failed …><item-not-found …/></failed>")
}

// A client that acknowledges a part is asked for the rest.
func TestTheRestIsAskedFor(t *testing.T) {
	h := newHost(t, host.Config{})
	bob := login(t, h, "bob/b")
	bob.manage()
	alice := login(t, h, "alice/a")
	alice.send("<message to='bob@example.org/b' id='1'/><message to='bob@example.org/b' id='2'/>")
	bob.expect("<message id='1' …")
	bob.expect(ask)
	bob.expect("<message id='2' …")
	bob.send("<a xmlns='urn:xmpp:sm:3' h='1'/>")
	bob.expect(ask)
	bob.send("<a xmlns='urn:xmpp:sm:3' h='2'/>")
	bob.expectNothing()
}
