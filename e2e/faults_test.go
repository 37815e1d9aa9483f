package e2e

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
)

const herOwn = "her own password"

// brief are faults that xtokend sees at once.
var brief = map[string]func(net.Conn){
	"closes":      hangUp,
	"brokenxml":   say("<a></b>"),
	"endtag":      say("</stream:stream>"),
	"othername":   say("<success xmlns='urn:example:x'/>"),
	"comment":     say("<!-- x -->"),
	"instruction": say("<?x y?>"),
	"dtd":         say("<!DOCTYPE x [<!ENTITY a 'b'>]>"),
	"badutf8":     say("<x xmlns='urn:example:x'>\xff\xfe</x>"),
	"deep":        say("<x xmlns='urn:example:x'>" + strings.Repeat("<x>", 200)),
	"flood":       flood,
}

// lasting are those that it must lose its patience with.
var lasting = map[string]func(net.Conn){
	"silent": fallSilent,
	"drips":  drip,
}

var beforeSuccess = []*regexp.Regexp{atOnce, behindHeader, behindFeatures, behindChallenge}

// A server that does wrong before it has accepted a user is no reason to make an
// account, to set a password, or to hold the client for the culprit: it is told to try
// again, as often as it likes, and gets in as soon as the server does right.
func TestAFaultyServerCostsNothingButTheToken(t *testing.T) {
	onEachServer(t, func(t *testing.T, behind upstream) {
		s, faulty := newFaultySite(t, behind, func(s *site) { s.Takeover = true })
		descriptors := s.descriptors()
		offset := s.front.log.Len()

		var running sync.WaitGroup
		for name, strike := range brief {
			user := "brief-" + name
			s.forbid(s.accountPasswords(user))
			running.Go(func() { s.faultsOnOneStream(faulty, user, strike) })
		}
		for name, strike := range lasting {
			for i, stage := range beforeSuccess {
				user := fmt.Sprintf("lasting-%s-%d", name, i)
				s.forbid(s.accountPasswords(user))
				running.Go(func() { s.faultOfANewUser(faulty, user, fault{stage, strike}) })
			}
		}
		running.Wait()
		if t.Failed() {
			return
		}
		s.awaitLog("reason=upstream-unavailable", offset)
		s.awaitDescriptors(descriptors)
	})
}

// faultsOnOneStream makes more attempts than may fail, each at another stage, for a
// user whose account is not xtokend's own yet.
func (s *site) faultsOnOneStream(faulty *faultyServer, user string, strike func(net.Conn)) {
	if err := s.Server.Register(s.ctx, user, herOwn); err != nil {
		s.t.Error(err)
		return
	}
	stream, err := s.open(s.service("xmpps"))
	if err != nil {
		s.t.Errorf("%s: %v", user, err)
		return
	}
	defer stream.close()
	for i, stage := range beforeSuccess {
		faulty.order(user, fault{stage, strike})
		if err := stream.authenticate("X-TOKEN", user, s.issuer.token(user)); !errors.Is(err, saslFailure("temporary-auth-failure")) {
			s.t.Errorf("%s, stage %d: the login is answered by %v", user, i, err)
			return
		}
	}
	if err := s.logInAtServer(user, herOwn); err != nil {
		s.t.Errorf("%s's own password is gone: %v", user, err)
	}
	if err := stream.authenticate("X-TOKEN", user, s.issuer.token(user)); err != nil {
		s.t.Errorf("%s cannot log in when all is well: %v", user, err)
	}
}

// faultOfANewUser is one of a user without an account. Servers have no challenge for
// those, so that it must be made before.
func (s *site) faultOfANewUser(faulty *faultyServer, user string, f fault) {
	known := f.stage == behindChallenge
	if known {
		if err := s.logIn(user, s.issuer.token(user)); err != nil {
			s.t.Errorf("%s: %v", user, err)
			return
		}
	}
	faulty.order(user, f)
	if err := s.logIn(user, s.issuer.token(user)); !errors.Is(err, saslFailure("temporary-auth-failure")) {
		s.t.Errorf("%s: the login is answered by %v", user, err)
		return
	}
	has, err := s.Server.HasAccount(s.ctx, user)
	if has != known || err != nil {
		s.t.Errorf("%s has an account: %t, %v", user, has, err)
	}
	if err := s.logIn(user, s.issuer.token(user)); err != nil {
		s.t.Errorf("%s cannot log in when all is well: %v", user, err)
	}
}

// logInAtServer authenticates without xtokend.
func (s *site) logInAtServer(user, password string) error {
	direct := *s
	direct.tls = &tls.Config{RootCAs: s.Server.Roots(), ServerName: domain}
	stream, err := direct.open(service{scheme: "xmpp", address: s.Server.C2S})
	if err != nil {
		return err
	}
	defer stream.close()
	return stream.authenticate("PLAIN", user, password)
}

// Behind <success/> only a stream error can tell the client.
func TestAFaultyServerEndsAStreamThatItHasAccepted(t *testing.T) {
	onEachServer(t, func(t *testing.T, behind upstream) {
		s, faulty := newFaultySite(t, behind, func(*site) {})
		descriptors := s.descriptors()

		var running sync.WaitGroup
		users := 0
		order := func(name string, f fault) {
			users++
			user := fmt.Sprintf("%s-%d", name, users)
			s.forbid(s.accountPasswords(user))
			running.Go(func() { s.faultAfterSuccess(faulty, user, f) })
		}
		for _, stage := range []*regexp.Regexp{behindSuccess, behindRestart} {
			for name, strike := range brief {
				order(name, fault{stage, strike})
			}
			for name, strike := range lasting {
				order(name, fault{stage, strike})
			}
		}
		order("relay", fault{duringTheRelay, hangUp})
		running.Wait()
		if !t.Failed() {
			s.awaitDescriptors(descriptors)
		}
	})
}

func (s *site) faultAfterSuccess(faulty *faultyServer, user string, f fault) {
	if err := s.logIn(user, s.issuer.token(user)); err != nil {
		s.t.Errorf("%s: %v", user, err)
		return
	}
	faulty.order(user, f)
	stream, err := s.open(s.service("xmpps"))
	if err == nil {
		defer stream.close()
		err = stream.authenticate("X-TOKEN", user, s.issuer.token(user))
	}
	if err != nil && f.stage == behindSuccess && errors.Is(err, saslFailure("temporary-auth-failure")) {
		err = nil // what came with the server's success was seen before the client was told of it
	} else if err == nil {
		if _, err = stream.bind(); err == nil {
			err = readToEnd(stream)
		}
		if errors.Is(err, streamError("remote-connection-failed")) {
			err = nil
		} else {
			err = fmt.Errorf("the stream ended with %w", err)
		}
	}
	if err != nil {
		s.t.Errorf("%s: %v", user, err)
		return
	}
	if err := s.logIn(user, s.issuer.token(user)); err != nil {
		s.t.Errorf("%s cannot log in when all is well: %v", user, err)
	}
}

func TestALoginSucceedsThoughTheServersBytesComeOneByOne(t *testing.T) {
	onEachServer(t, func(t *testing.T, behind upstream) {
		s := newSiteOn(t, behind, func(s *site) { s.ServerAddress = byByte(s.ctx, t, s.Server.C2S) })
		for range 2 {
			if err := s.round("alice", s.service("xmpp")); err != nil {
				t.Error(err)
			}
		}
	})
}

// The process is stopped, and goes on later as if nothing had been.
func TestAFrozenServerIsWaitedForNoLongerThanNeeded(t *testing.T) {
	onEachServer(t, func(t *testing.T, behind upstream) {
		s, faulty := newFaultySite(t, behind, func(*site) {})
		bob := s.mustBind("bob", s.service("xmpps"))

		faulty.order("alice", fault{behindChallenge, func(conn net.Conn) {
			if err := s.Server.Freeze(); err != nil {
				t.Error(err)
			}
			untilHungUp(conn)
		}})
		s.mustRefuse("alice", s.issuer.token("alice"), "temporary-auth-failure")
		s.mustRefuse("alice", s.issuer.token("alice"), "temporary-auth-failure")
		if err := bob.write("<iq xmlns='jabber:client' type='get' id='p1' to='%s'><ping xmlns='urn:xmpp:ping'/></iq>", domain); err != nil {
			t.Fatal(err)
		}
		if err := s.Server.Thaw(); err != nil {
			t.Fatal(err)
		}
		for answered := false; !answered; {
			e, err := bob.read()
			if err != nil {
				t.Fatalf("bob's session has not outlived it: %v", err)
			}
			answered = e.is(nsClient, "iq") && e.attribute("id") == "p1"
		}
		s.mustLogIn("alice", s.issuer.token("alice"))
	})
}

// descriptors counts what xtokend has open.
func (s *site) descriptors() int {
	s.t.Helper()
	open, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", s.front.cmd.Process.Pid))
	if err != nil {
		s.t.Fatal(err)
	}
	return len(open)
}

// awaitDescriptors returns when xtokend has no more open than before.
func (s *site) awaitDescriptors(before int) {
	s.t.Helper()
	again := time.NewTicker(50 * time.Millisecond)
	defer again.Stop()
	for {
		now := s.descriptors()
		if now <= before {
			return
		}
		select {
		case <-again.C:
		case <-s.ctx.Done():
			s.t.Fatalf("xtokend has %d descriptors open, %d before", now, before)
		}
	}
}
