package e2e

import (
	"errors"
	"syscall"
	"testing"
)

// The window is wide, so that a slow machine does not turn a replay into an
// expired token.
func TestAUsedTokenIsRefusedForGood(t *testing.T) {
	onEachServer(t, func(t *testing.T, behind upstream) {
		s := newSiteOn(t, behind, func(s *site) { s.Skew = 10 })
		first := s.issuer.issue(request{Authcid: "alice", Domain: domain})
		next := s.issuer.issue(request{Authcid: "alice", Domain: domain, Ahead: 30})

		s.mustLogIn("alice", first)
		s.mustRefuse("alice", first, "not-authorized")
		s.mustLogIn("alice", next)
		s.mustRefuse("alice", first, "not-authorized")

		s.endFront(syscall.SIGKILL)
		s.startFront()
		s.mustRefuse("alice", first, "not-authorized")
		s.mustRefuse("alice", next, "not-authorized")

		s.stopFront()
		s.startFront()
		s.mustRefuse("alice", first, "not-authorized")
		s.mustLogIn("alice", s.issuer.token("alice"))
	})
}

func TestATokenUsedAtOneServiceIsRefusedAtEveryOther(t *testing.T) {
	onEachServer(t, func(t *testing.T, behind upstream) {
		s := newSiteOn(t, behind, nil)
		for _, first := range s.allServices() {
			t.Run(first.name, func(t *testing.T) {
				token := s.issuer.token("alice")
				if err := s.logInAt(first, "alice", token); err != nil {
					t.Fatal(err)
				}
				for _, second := range s.allServices() {
					if err := s.logInAt(second, "alice", token); !errors.Is(err, saslFailure("not-authorized")) {
						t.Errorf("%s: %v", second.name, err)
					}
				}
			})
		}
	})
}

// A token presented many times at once admits one.
func TestATokenPresentedManyTimesAtOnceAdmitsOnce(t *testing.T) {
	onEachServer(t, func(t *testing.T, behind upstream) {
		s := newSiteOn(t, behind, nil)
		s.mustLogIn("alice", s.issuer.token("alice")) // the account exists
		token := s.issuer.token("alice")
		const clients = 16
		outcomes := make(chan error, clients)
		for range clients {
			go func() { outcomes <- s.logIn("alice", token) }()
		}
		admitted := 0
		for range clients {
			err := <-outcomes
			var failure saslFailure
			switch {
			case err == nil:
				admitted++
			case !errors.As(err, &failure) || failure != "not-authorized":
				t.Error(err)
			}
		}
		if admitted != 1 {
			t.Errorf("%d of %d were admitted", admitted, clients)
		}
	})
}
