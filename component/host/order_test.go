package host_test

import (
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"xtokend/component/host"
)

// Who goes while somebody is allowed to see him is not seen for ever.
func TestWhatIsToldKeepsItsOrder(t *testing.T) {
	h := newHost(t, host.Config{Path: filepath.Join(t.TempDir(), "host.db")})
	desk, bob := online(t, h, "alice/desk"), online(t, h, "bob/b")
	for range 30 {
		phone := online(t, h, "alice/phone")
		bob.send("<presence type='subscribe' to='alice@example.org'/>")
		for !strings.Contains(desk.next(), "'subscribe'") {
		}
		var both sync.WaitGroup
		both.Go(func() { desk.send("<presence type='subscribed' to='bob@example.org'/>") })
		both.Go(func() { phone.conn.Write([]byte("<presence type='unavailable'/>")) })
		both.Wait()
		seen := ""
		for _, heard := range bob.all() { // sorted: look at it in its order below
			seen += heard + "\n"
		}
		if strings.Contains(seen, "available alice/phone") && !strings.Contains(seen, "unavailable alice/phone") {
			t.Fatalf("bob believes that alice/phone is there:\n%s", seen)
		}
		phone.drop()
		desk.send("<presence type='unsubscribed' to='bob@example.org'/>")
		desk.all()
		bob.all()
	}
}

// Two who change an item at once, and a third who is told: the last it hears is
// what the roster holds.
func TestTheLastPushIsTheRoster(t *testing.T) {
	h := newHost(t, host.Config{Path: filepath.Join(t.TempDir(), "host.db")})
	a, b, watcher := login(t, h, "alice/a"), login(t, h, "alice/b"), login(t, h, "alice/c")
	watcher.roster()
	for i := range 50 {
		var both sync.WaitGroup
		for name, c := range map[string]*client{"a": a, "b": b} {
			both.Go(func() { c.send(rosterSet, i, "<item jid='bob@example.org' name='"+name+"'/>") })
		}
		both.Wait()
		watcher.next()
		last := watcher.next()
		name := last[strings.Index(last, ` name="`) : strings.Index(last, ` name="`)+len(` name="a"`)]
		watcher.send("<iq type='get' id='g'><query xmlns='jabber:iq:roster'/></iq>")
		if got := watcher.next(); !strings.Contains(got, name) {
			t.Fatalf("the last push is %s, the roster %s", last, got)
		}
	}
}

// What follows from a request reaches others though its author has gone.
func TestAChangeIsToldThoughItsAuthorHasGone(t *testing.T) {
	h := newHost(t, host.Config{Path: filepath.Join(t.TempDir(), "host.db")})
	for range 20 {
		alice, bob := online(t, h, "alice/a"), online(t, h, "bob/b")
		bob.send("<presence type='subscribe' to='alice@example.org'/>")
		alice.send("<presence type='subscribed' to='bob@example.org'/>")
		alice.drop()
		bob.wantAll("subscribed alice", "available alice/a", "unavailable alice/a")
		bob.send("<presence type='unsubscribe' to='alice@example.org'/>")
		bob.send("</stream:stream>")
		bob.drop()
	}
}

// A message that was sent with the end of the stream is not sent again.
func TestAMessageReadWithTheEndOfTheStreamIsNotSentAgain(t *testing.T) {
	h := newHost(t, host.Config{})
	bob, alice := online(t, h, "bob/b"), login(t, h, "alice/a")
	alice.send("<message to='bob@example.org' type='chat'><body>1</body></message>")
	bob.send("</stream:stream>")
	if n, err := bob.conn.Read(make([]byte, 1<<16)); n == 0 || err != nil { // a front sees the end, and does not come for more
		t.Fatal(n, err)
	}
	bob.drop()
	online(t, h, "bob/b").expectNothing()
}

// A connection that is closed while its client binds or resumes leaves no session.
func TestNothingIsBoundOnAClosedConnection(t *testing.T) {
	h := newHost(t, host.Config{})
	c := connect(t, h, "alice")
	c.drop()
	if _, err := c.conn.Write([]byte("<iq type='set' id='1'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>x</resource></bind></iq>")); err == nil {
		t.Error("what is written to a closed connection seems to be taken")
	}
	bob := login(t, h, "bob/b")
	bob.send("<iq type='get' id='1' to='alice@example.org/x'><q xmlns='urn:q'/></iq>")
	bob.expect("<iq type='error' id='1' …service-unavailable…")
}

func TestTheOldestLostSessionMakesRoom(t *testing.T) {
	h := newHost(t, host.Config{Limits: host.Limits{Sessions: 2}})
	first, second := login(t, h, "alice/1"), login(t, h, "alice/2")
	firstID, secondID := first.manage(), second.manage()
	first.drop()
	second.drop()
	login(t, h, "alice/3")
	again := resume(t, h, "alice/1", firstID, 0)
	again.expect("<failed …><item-not-found …/></failed>")
	again = resume(t, h, "alice/2", secondID, 0)
	again.expect("<resumed …/>")
}

// A request is answered once, by the session or, if that ends, by the host.
func TestARequestIsAnsweredOnce(t *testing.T) {
	h := newHost(t, host.Config{Limits: host.Limits{Unanswered: 2}})
	bob, alice := login(t, h, "bob/b"), login(t, h, "alice/a")
	bob.manage()
	const ask = "<iq type='get' id='%d' to='bob@example.org/b'><q xmlns='urn:q'/></iq>"
	alice.send(ask, 1)
	alice.send(ask, 2)
	bob.send("<iq type='result' id='1' to='alice@example.org/a'/>")
	alice.expect("<iq type='result' id='1' …/>")
	alice.send(ask, 3)
	alice.send(ask, 4)
	alice.expect("<iq type='error' id='4' …resource-constraint…")
	bob.send("</stream:stream>")
	answers := alice.next() + alice.next()
	if !strings.Contains(answers, "id='2'") || !strings.Contains(answers, "id='3'") || strings.Count(answers, "<recipient-unavailable") != 2 {
		t.Errorf("alice got %s", answers)
	}
	alice.expectNothing()
}
