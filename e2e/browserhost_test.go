package e2e

import (
	"syscall"
	"testing"
)

// The host's sessions end with it, and what it keeps does not: converse.js comes
// back by itself, to the same contacts, and shows what was said meanwhile. (What a
// page shows of others' presence does not change any more after a session that
// could not be resumed; converse.js 14 has that from every server.)
func TestConverseComesBackToAHostThatIsStartedAgain(t *testing.T) {
	w := newWebSite(t, builtInHost)
	for _, end := range []struct {
		name   string
		signal syscall.Signal
	}{
		{"killed", syscall.SIGKILL},
		{"stopped", syscall.SIGTERM},
	} {
		t.Run(end.name, func(t *testing.T) {
			alice, bob := w.befriend(t, w.visit(t, "alice", login{to: w.service("ws")}), w.visit(t, "bob", login{to: w.service("http")}))
			carol := w.online("carol-" + end.name)
			carolJID := bareJID(carol.jid)
			bob.addContact(carolJID)
			carol.awaitStanza("presence", func(p stanza) bool { return p.Type == "subscribe" && p.From == bob.jid })
			carol.do("presence", map[string]any{"to": bob.jid, "type": "subscribed"}, nil)
			bob.awaitStatus(carolJID, "online")
			bob.expectFaults(faultOfLogOut)
			bob.logOut()
			alice.awaitStatus(bob.jid, "offline")
			carol.do("message", map[string]any{"to": bob.jid, "body": "when you are back"}, nil)
			// What is answered is on disk, and so is all that came before it.
			carol.do("rosterSet", map[string]any{"jid": bob.jid, "name": "Bob from the office"}, nil)

			offset := alice.wire.Len()
			w.endFront(end.signal)
			carol.await("disconnect", nil)
			w.startFront()
			alice.awaitWire("received: <enabled ", offset)
			carol.await("enabled", nil)

			bob.reload()
			bob.awaitOnline()
			bob.openChat(carolJID)
			bob.awaitMessage(carolJID, "when you are back")
			bob.awaitStatus(alice.jid, "online")
			bob.openChat(alice.jid)
			bob.say(alice.jid, "back")
			alice.awaitMessageFrom(bob, "back")
			carol.do("stop", nil, nil)
		})
	}
}
