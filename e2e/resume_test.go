package e2e

import (
	"syscall"
	"testing"
)

// Alice's session is lost in several ways; bob's too where the front ends.
func TestASessionIsResumed(t *testing.T) {
	for _, lost := range []struct {
		name string
		lose func(s *site, wire *cutter)
		back func(s *site, wire *cutter)
		both bool // bob's session is lost as well
	}{
		{
			name: "after the TCP connection is cut",
			lose: func(_ *site, wire *cutter) { wire.cut() },
			back: func(s *site, wire *cutter) { wire.restore(s.t) },
		},
		{
			name: "while the front still holds the lost connection",
			lose: func(_ *site, wire *cutter) { wire.cutDownstream() },
			back: func(s *site, wire *cutter) { wire.restore(s.t) },
		},
		{
			name: "after the front is killed",
			lose: func(s *site, _ *cutter) { s.endFront(syscall.SIGKILL) },
			back: func(s *site, _ *cutter) { s.startFront() },
			both: true,
		},
		{
			name: "after the front is stopped",
			lose: func(s *site, _ *cutter) { s.endFront(syscall.SIGTERM) },
			back: func(s *site, _ *cutter) { s.startFront() },
			both: true,
		},
	} {
		for _, scheme := range []string{"xmpp", "xmpps", "ws"} {
			t.Run(lost.name+", "+scheme, func(t *testing.T) {
				s := newSite(t, nil)
				target := s.service(scheme)
				wire := newCutter(t, target.address)
				target.address = wire.address
				bob := s.online("bob")
				alice := s.onlineAt("alice", target)
				alice.do("join", map[string]any{"room": room, "nick": "Alice"}, nil)

				lost.lose(s, wire)
				alice.await("disconnect", nil)
				lost.back(s, wire)
				alice.await("resumed", nil)

				if lost.both {
					bob.await("resumed", nil)
				}
				bob.do("message", map[string]any{"to": alice.jid, "body": "still there?"}, nil)
				alice.awaitMessage("still there?")
				// She never left the room.
				alice.do("say", map[string]any{"room": room, "body": "still here"}, nil)
				alice.awaitMessage("still here")
			})
		}
	}
}

func TestMessagesSentMeanwhileArriveWhenTheSessionIsResumed(t *testing.T) {
	s := newSite(t, nil)
	target := s.service("ws")
	wire := newCutter(t, target.address)
	target.address = wire.address
	bob := s.online("bob")
	alice := s.onlineAt("alice", target)

	wire.cut()
	alice.await("disconnect", nil)
	bob.do("message", map[string]any{"to": alice.jid, "body": "while you were away"}, nil)
	wire.restore(t)
	alice.await("resumed", nil)
	alice.awaitMessage("while you were away")
}
