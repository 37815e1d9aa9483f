package e2e

import (
	"errors"
	"strings"
	"testing"
)

func TestXMPPClientLogsInWithXTOKEN(t *testing.T) {
	onEachUpstream(t, func(t *testing.T, behind upstream) {
		s := newSiteOn(t, behind, nil)
		for _, service := range s.streamServices() {
			t.Run(service.name, func(t *testing.T) { s.logInByClient(t, xmppClient, service) })
		}
	})
}

// logInByClient lets a client log in and out by X-TOKEN.
func (s *site) logInByClient(t *testing.T, driver string, to service) {
	alice := s.chatClient(driver, "alice")
	var online struct{ JID string }
	alice.do("connect", s.connection("alice", to), &online)
	if !strings.HasPrefix(online.JID, "alice@"+domain+"/") {
		t.Errorf("the session is bound to %q", online.JID)
	}
	alice.do("stop", nil, nil)
}

func TestXMPPClientIsToldWhyItsTokenIsRefused(t *testing.T) {
	onEachServer(t, func(t *testing.T, behind upstream) {
		s := newSiteOn(t, behind, nil)
		for _, service := range s.streamServices() {
			t.Run(service.name, func(t *testing.T) {
				alice := newChatClient(s.ctx, t, xmppClient, s.AuthorityFile(), func() string { return s.issuer.token("bob") })
				err := alice.try("connect", s.connection("alice", service), nil)
				var refused *chatError
				if !errors.As(err, &refused) || refused.Condition != "not-authorized" {
					t.Errorf("alice with bob's token: %v", err)
				}
			})
		}
	})
}

func TestGoSendXMPPLogsInWithPLAINAndTheTokenAsPassword(t *testing.T) {
	onEachUpstream(t, func(t *testing.T, behind upstream) {
		s := newSiteOn(t, behind, nil)
		for _, service := range s.tcpServices() {
			t.Run(service.name, func(t *testing.T) { s.sendByGoSendXMPP(t, service) })
		}
	})
}

func (s *site) sendByGoSendXMPP(t *testing.T, to service) {
	user := func(name string) account {
		return account{
			address:   to.address,
			directTLS: to.scheme == "xmpps",
			jid:       name + "@" + domain,
			password:  s.issuer.token(name),
		}
	}
	bob := listenXMPP(s.ctx, t, s.AuthorityFile(), user("bob"))
	body := "hello through " + to.name
	if written, err := sendXMPP(s.ctx, s.AuthorityFile(), user("alice"), "bob@"+domain, body); err != nil {
		t.Fatalf("go-sendxmpp: %v\n%s", err, written)
	}
	if err := bob.Wait(s.ctx, body, 0); err != nil {
		t.Fatal(err)
	}
}

func TestGoSendXMPPIsRefusedWithAUsedToken(t *testing.T) {
	onEachServer(t, func(t *testing.T, behind upstream) {
		s := newSiteOn(t, behind, nil)
		alice := account{address: s.StartTLS, jid: "alice@" + domain, password: s.issuer.token("alice")}
		if written, err := sendXMPP(s.ctx, s.AuthorityFile(), alice, "alice@"+domain, "once"); err != nil {
			t.Fatalf("go-sendxmpp: %v\n%s", err, written)
		}
		written, err := sendXMPP(s.ctx, s.AuthorityFile(), alice, "alice@"+domain, "twice")
		if err == nil || !strings.Contains(written, "auth failure") {
			t.Errorf("go-sendxmpp: %v\n%s", err, written)
		}
	})
}
