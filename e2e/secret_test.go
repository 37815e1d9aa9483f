package e2e

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"sync"
	"testing"
	"time"
)

// The secret of the accounts' passwords is changed while people talk and others come
// and go: nobody is kept out, and no session ends.
func TestAccountSecretIsChanged(t *testing.T) {
	onEachServer(t, func(t *testing.T, behind upstream) {
		s := newSiteOn(t, behind, func(s *site) { s.Limits = map[string]any{"failed_per_minute_per_address": 0} })
		var stay []*stream
		for n, to := range s.streamServices() {
			stay = append(stay, s.mustBind(fmt.Sprint("stay", n), to))
		}
		watcher := s.mustBind("watcher", s.service("xmpps"))
		var visitors []string
		for n, to := range s.streamServices() {
			name := fmt.Sprint("visitor", n)
			visitors = append(visitors, name)
			s.mustVisit(t, watcher, to, name)
		}
		s.forbid(s.accountPasswords(append(visitors, "stay0")...))
		old := s.AccountSecret
		oldPasswords := s.accountPasswords(append(visitors, "stay0")...)()
		s.forbid(func() []string { return append(oldPasswords, old) })
		allAlive := func() {
			t.Helper()
			for _, stream := range stay {
				s.ping(t, stream)
			}
		}

		ctx, stop := context.WithCancel(s.ctx)
		defer stop()
		var coming sync.WaitGroup
		defer coming.Wait()
		defer stop()
		for n, to := range s.allServices() {
			coming.Go(func() {
				for ctx.Err() == nil {
					if err := s.visit(to, fmt.Sprint("comer", n)); err != nil {
						t.Errorf("over %s: %v", to.name, err)
						return
					}
				}
			})
		}

		s.AccountSecret, s.PreviousSecret = rand.Text()+rand.Text(), old
		s.reload(reloaded)
		allAlive()
		for n, to := range s.streamServices() {
			offset := s.front.log.Len()
			s.mustVisit(t, watcher, to, visitors[n])
			s.awaitLog(`msg="an account has the password of the new account secret now" domain=example.org user=`+visitors[n]+"@", offset)
		}
		for n, to := range s.streamServices() { // beside the first session
			s.mustLogInAt(t, to, fmt.Sprint("stay", n))
		}
		allAlive()

		stop()
		coming.Wait()
		s.PreviousSecret = ""
		s.reload(reloaded)
		for n, to := range s.streamServices() {
			s.mustVisit(t, watcher, to, visitors[n])
		}
		s.mustRefuse("stay0", s.issuer.token("stay0"), "not-authorized")
		s.awaitLog("give the one before as account_secret_previous_file", 0)
		s.PreviousSecret = old // the remedy
		s.reload(reloaded)
		s.mustLogInAt(t, s.service("xmpp"), "stay0")
		allAlive()
	})
}

// visit logs in, and ends the session as a client does that goes for good.
func (s *site) visit(to service, user string) error {
	_, err := s.visitAs(to, user)
	return err
}

func (s *site) visitAs(to service, user string) (address string, err error) {
	stream, err := s.open(to)
	if err != nil {
		return "", err
	}
	defer stream.close()
	if err := stream.authenticate("X-TOKEN", user, s.issuer.token(user)); err != nil {
		return "", err
	}
	if address, err = stream.bind(); err != nil {
		return "", err
	}
	if err := stream.end(); err != nil {
		return "", err
	}
	for {
		if _, err := stream.read(); errors.Is(err, io.EOF) {
			return address, nil
		} else if err != nil {
			return "", fmt.Errorf("at the end: %w", err)
		}
	}
}

// mustVisit also waits until the server knows that the session is over.
func (s *site) mustVisit(t *testing.T, watcher *stream, to service, user string) {
	t.Helper()
	address, err := s.visitAs(to, user)
	if err != nil {
		t.Fatalf("%s cannot visit over %s: %v", user, to.name, err)
	}
	again := time.NewTicker(lookAgain)
	defer again.Stop()
	for askFor(t, watcher, address).attribute("type") != "error" {
		<-again.C
	}
}

func (s *site) mustLogInAt(t *testing.T, to service, user string) {
	t.Helper()
	if err := s.logInAt(to, user, s.issuer.token(user)); err != nil {
		t.Fatalf("%s cannot log in over %s: %v", user, to.name, err)
	}
}
