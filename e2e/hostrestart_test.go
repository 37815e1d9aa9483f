package e2e

import (
	"slices"
	"syscall"
	"testing"
)

// rosterItem is what the clients' command rosterGet tells of a contact.
type rosterItem struct{ JID, Name, Subscription string }

func (c *chatClient) roster() []rosterItem {
	c.t.Helper()
	var roster struct{ Items []rosterItem }
	c.do("rosterGet", nil, &roster)
	return roster.Items
}

// The sessions end with the host. What it keeps is there for the next ones.
func TestClientsComeBackToAHostThatIsStartedAgain(t *testing.T) {
	for _, end := range []struct {
		name   string
		signal syscall.Signal
	}{
		{"killed", syscall.SIGKILL},
		{"stopped", syscall.SIGTERM},
	} {
		t.Run(end.name, func(t *testing.T) {
			s := newSiteOn(t, builtInHost, nil)
			alice, bob := s.onlineAt("alice", s.service("ws")), s.online("bob")
			befriend(alice, bob)
			bob.do("stop", nil, nil)
			alice.awaitStanza("presence", func(p stanza) bool {
				return bareJID(p.From) == "bob@"+domain && p.Type == "unavailable"
			})
			alice.do("message", map[string]any{"to": "bob@" + domain, "body": "when you are back"}, nil)
			// What is answered is on disk, and so is all that came before it.
			alice.do("rosterSet", map[string]any{"jid": "bob@" + domain, "name": "Bob from the office"}, nil)

			s.endFront(end.signal)
			alice.await("disconnect", nil)
			s.startFront()
			alice.await("enabled", nil)

			want := []rosterItem{{"bob@" + domain, "Bob from the office", "both"}}
			if roster := alice.roster(); !slices.Equal(roster, want) {
				t.Errorf("alice's roster is %+v", roster)
			}
			alice.do("presence", nil, nil)
			bob = s.online("bob")
			bob.awaitMessage("when you are back")
			bob.awaitStanza("presence", func(p stanza) bool { return bareJID(p.From) == "alice@"+domain && p.Type == "" })
		})
	}
}

func TestAHostWithoutAFileForgetsWhenItEnds(t *testing.T) {
	s := newSiteOn(t, builtInHost, func(s *site) { s.HostFile = "" })
	alice, bob := s.online("alice"), s.online("bob")
	befriend(alice, bob)
	alice.do("stop", nil, nil)
	bob.do("stop", nil, nil)
	s.stopFront()
	s.startFront()
	if roster := s.online("alice").roster(); len(roster) != 0 {
		t.Errorf("alice's roster is %+v", roster)
	}
}
