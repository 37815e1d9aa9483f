package e2e

import (
	"encoding/json"
	"errors"
	"testing"
)

func TestStropheLogsInWithXTOKEN(t *testing.T) {
	onEachUpstream(t, func(t *testing.T, behind upstream) {
		s := newSiteOn(t, behind, nil)
		for _, service := range s.webServices() {
			t.Run(service.name, func(t *testing.T) { s.logInByClient(t, strophe, service) })
		}
	})
}

func TestStropheIsToldWhyItsTokenIsRefusedAndLogsInWithAnother(t *testing.T) {
	onEachServer(t, func(t *testing.T, behind upstream) {
		s := newSiteOn(t, behind, nil)
		for _, service := range s.webServices() {
			t.Run(service.name, func(t *testing.T) {
				token := s.issuer.token("bob")
				alice := newChatClient(s.ctx, t, strophe, s.AuthorityFile(), func() string { return token })
				err := alice.try("connect", s.connection("alice", service), nil)
				var refused *chatError
				if !errors.As(err, &refused) || refused.Name != "SASLError" || refused.Condition != "not-authorized" || refused.Text == "" {
					t.Errorf("alice with bob's token: %v", err)
				}
				token = s.issuer.token("alice")
				alice.do("connect", s.connection("alice", service), nil)
				alice.do("stop", nil, nil)
			})
		}
	})
}

func TestStropheUsersChatAndMeetInARoom(t *testing.T) {
	onEachUpstream(t, func(t *testing.T, behind upstream) {
		for _, scheme := range []string{"ws", "http"} {
			t.Run(scheme, func(t *testing.T) {
				s := newSiteOn(t, behind, nil)
				alice := s.onlineBy(strophe, "alice", s.service(scheme))
				meet(alice, s.online("bob"))
				converse(alice, s.online("bob"))
			})
		}
	})
}

func TestStropheResumesItsStreamWhenTheWebSocketIsCut(t *testing.T) {
	onEachUpstream(t, func(t *testing.T, behind upstream) {
		s := newSiteOn(t, behind, nil)
		target := s.service("ws")
		wire := newCutter(t, target.address)
		target.address = wire.address
		bob := s.online("bob")
		alice := s.onlineBy(strophe, "alice", target)

		wire.cut()
		alice.await("disconnect", nil)
		bob.do("message", map[string]any{"to": alice.jid, "body": "while you were away"}, nil)
		wire.restore(t)
		alice.await("resumed", nil)
		alice.awaitMessage("while you were away")
		alice.do("message", map[string]any{"to": bob.jid, "body": "back"}, nil)
		bob.awaitMessage("back")
	})
}

// A BOSH session does not end with a connection: the requests that were lost are
// sent again.
func TestStropheKeepsItsBOSHSessionWhenItsConnectionsAreCut(t *testing.T) {
	onEachUpstream(t, func(t *testing.T, behind upstream) {
		s := newSiteOn(t, behind, nil)
		target := s.service("http")
		wire := newCutter(t, target.address)
		target.address = wire.address
		bob := s.online("bob")
		alice := s.onlineBy(strophe, "alice", target)
		alice.password = neverAsked(t)

		for _, body := range []string{"one", "two", "three"} {
			wire.interrupt()
			bob.do("message", map[string]any{"to": alice.jid, "body": body}, nil)
			alice.do("message", map[string]any{"to": bob.jid, "body": body}, nil)
			alice.awaitMessage(body)
			bob.awaitMessage(body)
		}
		for _, event := range alice.pending() {
			if event.Event == "disconnect" {
				t.Error("alice was disconnected")
			}
		}
	})
}

func TestStropheGoesOnAfterAReloadOfItsPage(t *testing.T) {
	onEachUpstream(t, func(t *testing.T, behind upstream) {
		for _, reload := range []struct {
			scheme  string
			command string
		}{
			{"ws", "connect"}, // a new token, and the stream is resumed
			{"http", "restore"},
		} {
			t.Run(reload.scheme, func(t *testing.T) {
				s := newSiteOn(t, behind, nil)
				target := s.service(reload.scheme)
				bob := s.online("bob")
				before := s.onlineBy(strophe, "alice", target)
				before.do("join", map[string]any{"room": room, "nick": "Alice"}, nil)
				var page struct{ Storage json.RawMessage }
				before.do("unload", nil, &page)
				before.process.wait(s.ctx, t)
				bob.do("message", map[string]any{"to": before.jid, "body": "while you were away"}, nil)

				alice := s.chatClient(strophe, "alice")
				if reload.command == "restore" {
					alice.password = neverAsked(t)
				}
				connection := s.connection("alice", target)
				connection["storage"] = page.Storage
				var online struct{ JID string }
				alice.do(reload.command, connection, &online)
				alice.await("resumed", nil)
				if online.JID != before.jid {
					t.Errorf("the session is %q, and was %q", online.JID, before.jid)
				}
				alice.awaitMessage("while you were away")
				// She never left the room.
				alice.do("say", map[string]any{"room": room, "body": "still here"}, nil)
				alice.awaitMessage("still here")
			})
		}
	})
}

// neverAsked is the password function of a client that needs no credentials.
func neverAsked(t *testing.T) func() string {
	return func() string {
		t.Error("the client authenticates")
		return ""
	}
}
