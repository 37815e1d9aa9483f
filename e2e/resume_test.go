package e2e

import (
	"syscall"
	"testing"
)

// loss is a way to lose a connection and not the session.
type loss struct {
	name string
	lose func(s *site, wire *cutter)
	back func(s *site, wire *cutter)
	// front says that the front ends: bob's connection is lost as well.
	front bool
}

var losses = []loss{
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
		name:  "after the front is killed",
		lose:  func(s *site, _ *cutter) { s.endFront(syscall.SIGKILL) },
		back:  func(s *site, _ *cutter) { s.startFront() },
		front: true,
	},
	{
		name:  "after the front is stopped",
		lose:  func(s *site, _ *cutter) { s.endFront(syscall.SIGTERM) },
		back:  func(s *site, _ *cutter) { s.startFront() },
		front: true,
	},
}

func TestASessionIsResumed(t *testing.T) {
	onEachUpstream(t, func(t *testing.T, behind upstream) {
		for _, lost := range losses {
			if lost.front && behind == builtInHost {
				continue // its sessions end with it: see TestClientsComeBackToAHostThatIsStartedAgain
			}
			for _, scheme := range []string{"xmpp", "xmpps", "ws"} {
				t.Run(lost.name+", "+scheme, func(t *testing.T) {
					t.Parallel()
					lost.resume(newSiteOn(t, behind, nil), scheme)
				})
			}
		}
	})
}

func (l loss) resume(s *site, scheme string) {
	target := s.service(scheme)
	wire := newCutter(s.t, target.address)
	target.address = wire.address
	bob := s.online("bob")
	alice := s.onlineAt("alice", target)
	alice.do("join", map[string]any{"room": room, "nick": "Alice"}, nil)

	l.lose(s, wire)
	alice.await("disconnect", nil)
	l.back(s, wire)
	alice.await("resumed", nil)

	if l.front {
		bob.await("resumed", nil)
	}
	bob.do("message", map[string]any{"to": alice.jid, "body": "still there?"}, nil)
	alice.awaitMessage("still there?")
	// She never left the room.
	alice.do("say", map[string]any{"room": room, "body": "still here"}, nil)
	alice.awaitMessage("still here")
}

func TestMessagesSentMeanwhileArriveWhenTheSessionIsResumed(t *testing.T) {
	onEachUpstream(t, func(t *testing.T, behind upstream) {
		s := newSiteOn(t, behind, nil)
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
	})
}
