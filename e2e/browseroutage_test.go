package e2e

import (
	"syscall"
	"testing"
)

// Tokens are refused for a while afterwards: converse.js goes on asking for them.
func TestConverseComesBack(t *testing.T) {
	onEachServer(t, func(t *testing.T, behind upstream) {
		for _, lost := range []struct {
			name string
			lose func(*webSite)
			// back is what the server sends when a stream over WebSocket is there
			// again. Over BOSH nothing of a session is left in both cases.
			back func(*webSite) string
		}{
			{
				name: "after the front is killed",
				lose: func(w *webSite) { w.endFront(syscall.SIGKILL); w.startFront() },
				back: func(w *webSite) string { return w.back },
			},
			{
				name: "after the server is killed",
				lose: func(w *webSite) { w.Server.Kill(); w.restartServer() },
				back: func(*webSite) string { return "<enabled " },
			},
		} {
			t.Run(lost.name, func(t *testing.T) {
				w := newWebSite(t, behind)
				alice, bob := w.befriend(t, w.visit(t, "alice", login{to: w.service("ws")}), w.visit(t, "bob", login{to: w.service("http")}))
				expired := refusals[0]
				aliceOffset, bobOffset := alice.wire.Len(), bob.wire.Len()
				for _, user := range []*window{alice, bob} {
					user.handOut(func() string { return expired.token(w, user.user) })
				}
				lost.lose(w)
				for _, user := range []*window{alice, bob} {
					w.awaitRefusal(user, expired)
					user.handOut(func() string { return w.issuer.token(user.user) })
				}
				alice.awaitWire("received: "+lost.back(w), aliceOffset)
				bob.awaitWire("<success ", bobOffset)

				alice.say(bob.jid, "still there?")
				bob.awaitMessageFrom(alice, "still there?")
				bob.say(alice.jid, "I am")
				alice.awaitMessageFrom(bob, "I am")
				alice.awaitStatus(bob.jid, "online")
				bob.awaitStatus(alice.jid, "online")
			})
		}
	})
}
