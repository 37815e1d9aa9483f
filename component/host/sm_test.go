package host_test

import (
	"fmt"
	"regexp"
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
