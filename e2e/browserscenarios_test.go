package e2e

import (
	"fmt"
	"strings"
	"sync"
	"testing"
)

func TestConverse(t *testing.T) {
	var mu sync.Mutex
	complaints := map[upstream]*complaints{}
	t.Cleanup(func() {
		if complaints[stockProsody] != nil && complaints[builtInHost] != nil {
			complaints[builtInHost].wantNoMoreThan(t, complaints[stockProsody])
		}
	})
	onEachUpstream(t, func(t *testing.T, behind upstream) {
		w := newWebSite(t, behind)
		mu.Lock()
		complaints[behind] = &w.complaints
		mu.Unlock()
		for _, to := range []service{w.service("ws"), w.service("http")} {
			t.Run(to.name, func(t *testing.T) {
				for _, scenario := range []struct {
					name string
					run  func(*testing.T, *webSite, service)
				}{
					{"login with X-TOKEN", logInWithXToken},
					{"login with PLAIN and no script of ours", logInWithPlain},
					{"login of a name outside ASCII", logInOutsideASCII},
					{"login by an issuer of contrib", logInByAnIssuer},
					{"chat and presence", chatInBrowser},
					{"room", meetInRoom},
					{"page reload", reloadPage},
					{"connection cut", cutConnection},
					{"logout", logOut},
				} {
					t.Run(scenario.name, func(t *testing.T) {
						t.Parallel()
						scenario.run(t, w, to)
					})
				}
				for _, refused := range refusals {
					t.Run("recovery from a token that is "+refused.name, func(t *testing.T) {
						t.Parallel()
						refused.recover(t, w, to)
					})
				}
			})
		}
	})
}

// transport is how xtokend's log names the service's.
func (s service) transport() string {
	if s.webSocket() {
		return "websocket"
	}
	return "bosh"
}

func logInWithXToken(t *testing.T, w *webSite, to service) {
	alice := w.visit(t, "alice", login{to: to})
	alice.awaitOnline()
	w.awaitFrontLog(alice, fmt.Sprintf("transport=%s domain=%s user=%s mechanism=X-TOKEN skew_steps=", to.transport(), domain, alice.jid))
	if n := alice.fetches(); n != 1 {
		t.Errorf("the page asked for %d tokens", n)
	}
}

func logInWithPlain(t *testing.T, w *webSite, to service) {
	alice := w.visit(t, "alice", login{to: to, plain: true})
	alice.awaitOnline()
	w.awaitFrontLog(alice, fmt.Sprintf("transport=%s domain=%s user=%s mechanism=PLAIN skew_steps=", to.transport(), domain, alice.jid))
	if n := alice.fetches(); n != 1 {
		t.Errorf("the page asked for %d tokens", n)
	}
}

func logInOutsideASCII(t *testing.T, w *webSite, to service) {
	yulia, bob := w.befriend(t, w.visit(t, "юлия", login{to: to}), w.visit(t, "bob", login{to: to, plain: true}))
	bob.say(yulia.jid, "чай?")
	yulia.awaitMessageFrom(bob, "чай?")
	yulia.say(bob.jid, "с вареньем")
	bob.awaitMessageFrom(yulia, "с вареньем")
}

func chatInBrowser(t *testing.T, w *webSite, to service) {
	alice, bob := w.visitFriends(t, to)
	alice.say(bob.jid, "tea?")
	bob.awaitMessageFrom(alice, "tea?")
	bob.say(alice.jid, "with milk & <b>sugar</b>")
	alice.awaitMessageFrom(bob, "with milk & <b>sugar</b>")
	bob.setBusy()
	alice.awaitStatus(bob.jid, "busy")
}

func meetInRoom(t *testing.T, w *webSite, to service) {
	alice, bob := w.visit(t, "alice", login{to: to}), w.visit(t, "bob", login{to: to})
	room := "room-of-" + alice.user + "@conference." + domain
	alice.awaitOnline()
	alice.followLink("room", room)
	bob.awaitOnline()
	bob.followLink("room", room)
	alice.awaitOccupant(room, bob.user)
	bob.awaitOccupant(room, alice.user)
	for _, message := range []struct {
		speaker *window
		body    string
	}{{bob, "is there cake?"}, {alice, "there was"}} {
		message.speaker.say(room, message.body)
		for _, present := range []*window{alice, bob} {
			if from := present.awaitMessage(room, message.body); from != room+"/"+message.speaker.user {
				t.Errorf("%s sees %q from %s", present.user, message.body, from)
			}
		}
	}
}

// After a reload converse.js resumes its session over WebSocket, where the server lets
// it, with a token
// for the new connection, and goes on with the old BOSH session, without one.
func reloadPage(t *testing.T, w *webSite, to service) {
	alice, bob := w.visitFriends(t, to)
	fetched, offset := alice.fetches(), alice.wire.Len()
	alice.reload()
	alice.awaitOnline()
	tokens := 0
	if to.webSocket() {
		alice.awaitWire("received: "+w.back, offset)
		tokens = 1
	} else if alice.wireHas("<auth ", offset) {
		t.Error("the page has authenticated again")
	}
	if n := alice.fetches() - fetched; n != tokens {
		t.Errorf("the page asked for %d tokens, not %d", n, tokens)
	}
	bob.say(alice.jid, "still there?")
	alice.awaitMessageFrom(bob, "still there?")
	alice.say(bob.jid, "I am")
	bob.awaitMessageFrom(alice, "I am")
}

// A WebSocket is lost with its connection, and its session resumed. A BOSH
// session goes on: the requests that were cut off are sent again.
func cutConnection(t *testing.T, w *webSite, to service) {
	wire := newCutter(t, to.address)
	cut := to
	cut.address = wire.address
	alice, bob := w.befriend(t, w.visit(t, "alice", login{to: cut}), w.visit(t, "bob", login{to: to}))
	fetched, offset := alice.fetched.Len(), alice.wire.Len()

	alice.expectCut()
	wire.cut()
	bob.say(alice.jid, "while you were away")
	if to.webSocket() {
		alice.awaitFetch(fetched)
	}
	wire.restore(t)
	if to.webSocket() {
		alice.awaitWire("received: "+w.back, offset)
	}
	alice.awaitMessageFrom(bob, "while you were away")
	alice.say(bob.jid, "I am back")
	bob.awaitMessageFrom(alice, "I am back")
	bob.say(alice.jid, "welcome")
	alice.awaitMessageFrom(bob, "welcome")
	alice.awaitMessageFrom(bob, "while you were away")
	if to.bosh() && alice.wireHas("<auth ", offset) {
		t.Error("the page has authenticated again")
	}
}

// faultOfLogOut is one of converse.js 14, when the page goes after a logout.
const faultOfLogOut = "Cannot read properties of undefined (reading 'isType')"

func logOut(t *testing.T, w *webSite, to service) {
	alice, bob := w.visitFriends(t, to)
	alice.expectFaults(faultOfLogOut)
	alice.logOut()
	bob.awaitStatus(alice.jid, "offline")
	w.awaitFrontLog(alice, fmt.Sprintf(`user=%s mechanism=X-TOKEN reason="closed by the client"`, alice.jid))
	if n := alice.fetches(); n != 1 {
		t.Errorf("the page asked for %d tokens", n)
	}
}

// visitFriends opens windows for two users who are each other's contacts, with
// the chat between them open.
func (w *webSite) visitFriends(t *testing.T, to service) (alice, bob *window) {
	t.Helper()
	return w.befriend(t, w.visit(t, "alice", login{to: to}), w.visit(t, "bob", login{to: to}))
}

func (w *webSite) befriend(t *testing.T, alice, bob *window) (*window, *window) {
	t.Helper()
	alice.awaitOnline()
	bob.awaitOnline()
	alice.addContact(bob.jid) // bob's converse.js accepts by itself: auto_subscribe
	alice.awaitStatus(bob.jid, "online")
	bob.awaitStatus(alice.jid, "online")
	alice.openChat(bob.jid)
	bob.openChat(alice.jid)
	return alice, bob
}

// awaitMessageFrom returns when the chat with sender shows body from it.
func (w *window) awaitMessageFrom(sender *window, body string) {
	w.t.Helper()
	if from := w.awaitMessage(sender.jid, body); !strings.HasPrefix(from, sender.jid+"/") {
		w.t.Errorf("%s sees %q from %s", w.user, body, from)
	}
}
