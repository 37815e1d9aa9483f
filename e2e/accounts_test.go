package e2e

import (
	"errors"
	"fmt"
	"sync"
	"testing"
)

func TestTheFirstLoginMakesTheAccount(t *testing.T) {
	onEachServer(t, func(t *testing.T, behind upstream) {
		s := newSiteOn(t, behind, nil)
		if s.hasAccount("alice") {
			t.Fatal("alice has an account already")
		}
		s.mustRefuse("alice", s.issuer.token("bob"), "not-authorized")
		if s.hasAccount("alice") {
			t.Fatal("a refused login made an account")
		}
		s.mustLogIn("alice", s.issuer.token("alice"))
		if !s.hasAccount("alice") {
			t.Error("alice is online without an account")
		}
	})
}

func TestFourFirstLoginsAtOnceAllSucceed(t *testing.T) {
	onEachServer(t, func(t *testing.T, behind upstream) {
		s := newSiteOn(t, behind, nil)
		for i := range 5 {
			user := fmt.Sprintf("newcomer%d", i)
			var logins sync.WaitGroup
			for range 4 {
				logins.Go(func() {
					if err := s.logIn(user, s.issuer.token(user)); err != nil {
						t.Errorf("%s: %v", user, err)
					}
				})
			}
			logins.Wait()
		}
	})
}

func TestAnExistingAccountIsTakenOverOnlyWithTakeover(t *testing.T) {
	onEachServer(t, func(t *testing.T, behind upstream) {
		s := newSiteOn(t, behind, func(s *site) { s.Protected = []string{"admin"} })
		for _, user := range []string{"carol", "admin"} {
			if err := s.Server.Register(s.ctx, user, "her own password"); err != nil {
				t.Fatal(err)
			}
			s.mustRefuse(user, s.issuer.token(user), "not-authorized")
			s.mustKeepPassword(user)
		}

		s.stopFront()
		s.Takeover = true
		s.startFront()
		s.mustRefuse("admin", s.issuer.token("admin"), "not-authorized")
		s.mustKeepPassword("admin")
		s.mustLogIn("carol", s.issuer.token("carol"))
		if s.passwordWorks("carol") {
			t.Error("carol's password still works after her account was taken over")
		}
		s.mustLogIn("carol", s.issuer.token("carol"))
	})
}

func (s *site) mustKeepPassword(user string) {
	s.t.Helper()
	if !s.passwordWorks(user) {
		s.t.Fatalf("%s's own password no longer works", user)
	}
}

// passwordWorks tries the password at the server itself.
func (s *site) passwordWorks(user string) bool {
	s.t.Helper()
	c := newChatClient(s.ctx, s.t, xmppClient, s.Server.CAFile(), func() string { return "her own password" })
	connection := s.connection(user, service{scheme: "xmpp", address: s.Server.C2S})
	connection["mechanism"] = "PLAIN" // @xmpp/client takes seconds to derive the keys of SCRAM
	err := c.try("connect", connection, nil)
	if refused := (&chatError{}); errors.As(err, &refused) && refused.Condition == "not-authorized" {
		return false
	}
	if err != nil {
		s.t.Fatal(err)
	}
	c.do("stop", nil, nil)
	return true
}

func TestWithTheComponentLinkDownKnownUsersLogInAndNewOnesAreToldToTryAgain(t *testing.T) {
	onEachServer(t, func(t *testing.T, behind upstream) {
		var link *cutter
		s := newSiteOn(t, behind, func(s *site) {
			link = newCutter(t, s.ComponentAddress)
			s.ComponentAddress = link.address
		})
		s.mustLogIn("alice", s.issuer.token("alice"))

		logged := s.front.log.Len()
		link.cut()
		s.awaitLog(linkDown, logged)
		s.mustLogIn("alice", s.issuer.token("alice"))
		s.mustRefuse("bob", s.issuer.token("bob"), "temporary-auth-failure")
		s.mustLogIn("alice", s.issuer.token("alice"))

		logged = s.front.log.Len()
		link.restore(t)
		s.awaitLog(linkUp, logged)
		s.mustLogIn("bob", s.issuer.token("bob"))
	})
}
