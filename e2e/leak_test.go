package e2e

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

const (
	// sessionsVariable is how many sessions there are.
	sessionsVariable = "XTOKEND_SESSIONS"
	shortSessions    = 600
	// serverShare of them, one in so many, have a stock server behind.
	serverShare    = 20
	sessionWorkers = 8
	sessionUsers   = 100
	// loneSessions is how many sessions over BOSH are left to their inactivity, which
	// takes more than a minute: one in so many.
	loneSessions = 10
)

// sessionEnd is a way for a session to end.
type sessionEnd struct {
	name string
	// play returns an error if xtokend does not act as it should.
	play func(s *site, to service, user string) error
}

var sessionEnds = []sessionEnd{
	{"ended by the client", endSession},
	{"dropped by the client", func(s *site, to service, user string) error {
		return s.logInAt(to, user, s.issuer.token(user))
	}},
	{"refused", func(s *site, to service, user string) error {
		return s.expectRefusal(to, user, s.issuer.token("somebody-else"))
	}},
	{"cut within authentication", func(s *site, to service, user string) error {
		return s.cutAfter(to, func(stream *stream) error { return stream.write("<auth xmlns='%s' mechanism='X-TOKEN'/>", nsSASL) })
	}},
	{"cut behind authentication", func(s *site, to service, user string) error {
		return s.cutAfter(to, func(stream *stream) error { return stream.authenticate("X-TOKEN", user, s.issuer.token(user)) })
	}},
	{"cut before it began", func(s *site, to service, _ string) error {
		stream, err := dialStream(s.ctx, to, s.tls)
		if err == nil {
			stream.close()
		}
		return err
	}},
	{"not well-formed", func(s *site, to service, user string) error {
		stream, err := s.open(to)
		if err != nil {
			return err
		}
		defer stream.close()
		if err := stream.write("<auth></never>"); err != nil {
			return err
		}
		if _, err := stream.read(); err == nil {
			return errors.New("broken XML is answered as if it were none")
		}
		return nil
	}},
}

func endSession(s *site, to service, user string) error {
	stream, err := s.open(to)
	if err != nil {
		return err
	}
	defer stream.close()
	if err := stream.authenticate("X-TOKEN", user, s.issuer.token(user)); err != nil {
		return err
	}
	if _, err := stream.bind(); err != nil {
		return err
	}
	if err := stream.end(); err != nil {
		return err
	}
	for err == nil {
		_, err = stream.read()
	}
	if !errors.Is(err, io.EOF) {
		return err
	}
	return nil
}

func (s *site) expectRefusal(to service, user, token string) error {
	stream, err := s.open(to)
	if err != nil {
		return err
	}
	defer stream.close()
	if err := stream.authenticate("X-TOKEN", user, token); !errors.Is(err, saslFailure("not-authorized")) {
		return fmt.Errorf("the token of somebody else is answered by %v", err)
	}
	return stream.end()
}

func (s *site) cutAfter(to service, act func(*stream) error) error {
	stream, err := s.open(to)
	if err != nil {
		return err
	}
	defer stream.close()
	return act(stream)
}

// However sessions end, xtokend has no more goroutines and descriptors in the end
// than it had before them.
func TestNothingIsLeftOfSessions(t *testing.T) {
	t.Parallel() // most of its time it waits
	sessions := shortSessions
	if text := os.Getenv(sessionsVariable); text != "" {
		var err error
		if sessions, err = strconv.Atoi(text); err != nil {
			t.Fatalf("%s: %v", sessionsVariable, err)
		}
	}
	var running sync.WaitGroup
	for behind, count := range map[upstream]int{
		builtInHost: sessions - sessions/serverShare, stockProsody: sessions / serverShare,
	} {
		running.Go(func() {
			t.Run(string(behind), func(t *testing.T) { haveSessions(t, behind, count) })
		})
	}
	running.Wait()
}

// haveSessions runs for both kinds of upstream at once: at the end each waits for the
// sessions that are left alone.
func haveSessions(t *testing.T, behind upstream, count int) {
	s := newSiteOn(t, behind, func(s *site) {
		s.LogLevel = "info"
		s.Limits = map[string]any{"failed_per_minute_per_address": 0}
	})
	// Long after it would be done: 20 sessions a second.
	s.lengthen(3*testTimeout + time.Duration(count)*time.Second/20)
	play := func(n int) error {
		services := append(s.allServices(), service{name: "TCP", scheme: "tcp", address: s.StartTLS})
		end, to := sessionEnds[n%len(sessionEnds)], services[n/len(sessionEnds)%len(services)]
		if to.bosh() && n/len(sessionEnds)/len(services)%loneSessions != 0 {
			end = sessionEnds[0]
		}
		if err := end.play(s, to, loadUser(n%sessionUsers)); err != nil {
			return fmt.Errorf("session %d, over %s, %s: %w", n, to.name, end.name, err)
		}
		return nil
	}
	for _, to := range s.allServices() { // what is opened once is open
		if err := endSession(s, to, "first"); err != nil {
			t.Fatal(err)
		}
	}
	before := s.atRest(t)

	ctx, stop := context.WithCancel(s.ctx)
	defer stop()
	var next atomic.Int64
	var workers sync.WaitGroup
	began := time.Now()
	for range sessionWorkers {
		workers.Go(func() {
			for ctx.Err() == nil {
				n := int(next.Add(1)) - 1
				if n >= count {
					return
				}
				if err := play(n); err != nil {
					t.Error(err)
					stop()
				}
			}
		})
	}
	workers.Wait()
	if t.Failed() {
		t.FailNow()
	}
	took := time.Since(began)
	meanwhile := s.measure(t)
	after := s.awaitRest(t, before)
	t.Logf("%d sessions in %v\nbefore:     %v\nat the end: %v\nlater:      %v", count, took.Round(time.Millisecond), before, meanwhile, after)
	if panics := metric(t, s.mustAsk(t, "/metrics", 200), "xtokend_panics_total"); panics != 0 {
		t.Errorf("%d panics", panics)
	}
}
