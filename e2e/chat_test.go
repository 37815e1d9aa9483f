package e2e

import (
	"slices"
	"testing"
)

const room = "tea@conference." + domain

func TestTwoUsersExchangeMessagesAndSeeEachOthersPresence(t *testing.T) {
	onEachUpstream(t, func(t *testing.T, behind upstream) {
		for _, scheme := range []string{"xmpp", "ws"} {
			t.Run(scheme, func(t *testing.T) {
				s := newSiteOn(t, behind, nil)
				converse(s.onlineAt("alice", s.service(scheme)), s.online("bob"))
			})
		}
	})
}

// converse lets two users who are online exchange messages and presence, until
// bob goes offline.
func converse(alice, bob *chatClient) {
	t := alice.t
	t.Helper()
	befriend(alice, bob)

	alice.do("message", map[string]any{"to": "bob@" + domain, "body": "tea?"}, nil)
	if m := bob.awaitMessage("tea?"); bareJID(m.From) != "alice@"+domain {
		t.Errorf("the message is from %q", m.From)
	}
	bob.do("message", map[string]any{"to": "alice@" + domain, "body": "with milk"}, nil)
	if m := alice.awaitMessage("with milk"); bareJID(m.From) != "bob@"+domain {
		t.Errorf("the message is from %q", m.From)
	}

	alice.do("presence", map[string]any{"show": "dnd"}, nil)
	bob.awaitStanza("presence", func(p stanza) bool { return bareJID(p.From) == "alice@"+domain && p.Show == "dnd" })
	bob.do("stop", nil, nil)
	alice.awaitStanza("presence", func(p stanza) bool {
		return bareJID(p.From) == "bob@"+domain && p.Type == "unavailable"
	})
}

func TestUsersMeetInARoom(t *testing.T) {
	onEachUpstream(t, func(t *testing.T, behind upstream) {
		for _, scheme := range []string{"xmpp", "ws"} {
			t.Run(scheme, func(t *testing.T) {
				s := newSiteOn(t, behind, nil)
				meet(s.onlineAt("alice", s.service(scheme)), s.online("bob"))
			})
		}
	})
}

// meet lets two users who are online make a room and talk there.
func meet(alice, bob *chatClient) {
	t := alice.t
	t.Helper()
	var made struct{ Created bool }
	alice.do("join", map[string]any{"room": room, "nick": "Alice"}, &made)
	if !made.Created {
		t.Error("alice did not make the room")
	}
	bob.do("join", map[string]any{"room": room, "nick": "Bob"}, nil)
	alice.awaitStanza("presence", func(p stanza) bool { return p.From == room+"/Bob" })

	bob.do("say", map[string]any{"room": room, "body": "is there cake?"}, nil)
	for _, c := range []*chatClient{alice, bob} {
		if m := c.awaitMessage("is there cake?"); m.From != room+"/Bob" {
			t.Errorf("the message is from %q", m.From)
		}
	}
}

func TestRosterAndArchiveSurviveARestartOfEverything(t *testing.T) {
	onEachServer(t, func(t *testing.T, behind upstream) {
		s := newSiteOn(t, behind, nil)
		alice, bob := s.online("alice"), s.online("bob")
		befriend(alice, bob)
		alice.do("rosterSet", map[string]any{"jid": "bob@" + domain, "name": "Bob from the office"}, nil)
		alice.do("message", map[string]any{"to": "bob@" + domain, "body": "remember this"}, nil)
		bob.awaitMessage("remember this")
		alice.do("join", map[string]any{"room": room, "nick": "Alice", "persistent": true}, nil)
		alice.do("say", map[string]any{"room": room, "body": "and this"}, nil)
		alice.awaitMessage("and this")
		alice.do("stop", nil, nil)
		bob.do("stop", nil, nil)

		s.stopFront()
		s.restartServer()
		s.startFront()

		alice = s.online("alice")
		want := []rosterItem{{"bob@" + domain, "Bob from the office", "both"}}
		if roster := alice.roster(); !slices.Equal(roster, want) {
			t.Errorf("alice's roster is %+v", roster)
		}
		for _, archived := range []struct {
			query map[string]any
			body  string
		}{
			{map[string]any{"with": "bob@" + domain}, "remember this"},
			{map[string]any{"to": room}, "and this"},
		} {
			var archive struct {
				Messages []struct{ From, To, Body string }
			}
			alice.do("archive", archived.query, &archive)
			bodies := []string{}
			for _, m := range archive.Messages {
				bodies = append(bodies, m.Body)
			}
			if !slices.Contains(bodies, archived.body) {
				t.Errorf("the archive of %v is %+v", archived.query, archive.Messages)
			}
		}
	})
}

// befriend lets each subscribe to the other's presence (RFC 6121 §3.1), and
// returns when both have seen the other online.
func befriend(a, b *chatClient) {
	a.t.Helper()
	addressA, addressB := a.user+"@"+domain, b.user+"@"+domain
	subscribe(a, b, addressA, addressB)
	subscribe(b, a, addressB, addressA)
	a.awaitStanza("presence", func(p stanza) bool { return bareJID(p.From) == addressB && p.Type == "" })
	b.awaitStanza("presence", func(p stanza) bool { return bareJID(p.From) == addressA && p.Type == "" })
}

func subscribe(from, to *chatClient, fromAddress, toAddress string) {
	from.t.Helper()
	from.do("presence", map[string]any{"to": toAddress, "type": "subscribe"}, nil)
	to.awaitStanza("presence", func(p stanza) bool { return p.Type == "subscribe" && p.From == fromAddress })
	to.do("presence", map[string]any{"to": fromAddress, "type": "subscribed"}, nil)
	from.awaitStanza("presence", func(p stanza) bool { return p.Type == "subscribed" && p.From == toAddress })
}
