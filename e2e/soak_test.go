package e2e

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"xtokend/internal/prosody"
	"xtokend/internal/prosodytest"
)

const (
	// soakVariable is how long the soak takes: "30m", say. Figures are then those of
	// xtokend as users have it, and its memory has the time to become steady.
	soakVariable = "XTOKEND_SOAK"
	shortSoak    = 20 * time.Second

	// visitPace is the time from one login of a visitor to the next one; there is a
	// visitor for each service.
	visitPace     = 200 * time.Millisecond
	visitMessages = 5
	visitUsers    = 10 // names that a visitor goes by in turn
	// leftPace is how often a visitor leaves a session over BOSH alone, which lives on
	// for more than a minute: how many there are must not depend on the machine.
	leftPace = 5 * time.Second
	// replayEach is every how many visits a token is presented again.
	replayEach = 10

	// soakGrowth is what memory that is steady may differ by, in per cent: the
	// collector lets garbage gather, and the records of used tokens go by the step.
	soakGrowth = 15
)

// soak is people who come and go over every transport, and people who stay and talk
// while their connections are cut, before a server that is stock but for its archive,
// which would be the slowest part; meanwhile the settings are read again and again.
type soak struct {
	s        *site
	duration time.Duration
	word     string // in each message

	logins, messages, refused, cuts, reloads atomic.Int64

	mu     sync.Mutex
	faults []error
	failed chan struct{} // closed at the first fault, which ends the load
}

func TestSoak(t *testing.T) {
	t.Parallel() // with others that mostly wait
	k := &soak{duration: shortSoak, word: rand.Text(), failed: make(chan struct{})}
	long := os.Getenv(soakVariable) != ""
	if long {
		var err error
		if k.duration, err = time.ParseDuration(os.Getenv(soakVariable)); err != nil {
			t.Fatalf("%s: %v", soakVariable, err)
		}
	}
	server := prosodytest.Start(t, prosody.Options{TLS: true, GlobalLines: `modules_disabled = { "s2s", "mam" }`})
	s := newSiteBehind(t, server, func(s *site) {
		s.LogLevel = "info"
		s.Limits = map[string]any{"failed_per_minute_per_address": 0}
		if long {
			s.program = measured(t)
		}
	})
	s.forbid(func() []string { return []string{k.word} })
	s.lengthen(k.duration + 3*testTimeout)
	k.s = s

	for _, to := range s.allServices() { // what is opened once is open
		if err := k.visit(to, "first", false); err != nil {
			t.Fatal(err)
		}
	}
	before := s.atRest(t)
	took := k.load(t, long)
	after := s.awaitRest(t, before)
	t.Logf("in %v: %d logins, %d tokens refused, %d messages relayed, %d connections cut, %d reloads",
		k.duration, k.logins.Load(), k.refused.Load(), k.messages.Load(), k.cuts.Load(), k.reloads.Load())
	t.Logf("before: %v", before)
	t.Logf("after:  %v", after)

	for _, count := range []*atomic.Int64{&k.logins, &k.messages, &k.refused, &k.cuts, &k.reloads} {
		if count.Load() == 0 {
			t.Error("a part of the load did nothing")
		}
	}
	k.checkServer(t)
	if long {
		checkFlat(t, took)
	}
}

// load returns what xtokend took up meanwhile, at even times.
func (k *soak) load(t *testing.T, long bool) []measurement {
	ctx, stop := context.WithTimeout(k.s.ctx, k.duration)
	defer stop()
	go func() {
		select {
		case <-k.failed:
			stop()
		case <-ctx.Done():
		}
	}()
	began := time.Now()
	var running sync.WaitGroup
	for n, to := range k.s.allServices() {
		running.Go(func() { k.comeAndGo(ctx, began, n, to) })
	}
	var talks []*talk
	for n, to := range k.s.streamServices() {
		talk := k.newTalk(n, to)
		talks = append(talks, talk)
		running.Go(func() { talk.run(ctx) })
	}
	reload := time.NewTicker(k.duration / 20)
	defer reload.Stop()
	progress := time.NewTicker(k.duration / 30)
	defer progress.Stop()
	var took []measurement
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-reload.C:
			k.reload(t)
		case <-progress.C:
			now := k.s.measure(t)
			took = append(took, now)
			if since := time.Since(began); long {
				t.Logf("%v: %.0f logins/s, %.0f messages/s, %d cuts; %v", since.Round(time.Second),
					float64(k.logins.Load())/since.Seconds(), float64(k.messages.Load())/since.Seconds(), k.cuts.Load(), now)
			}
		}
	}
	running.Wait()
	for _, talk := range talks {
		talk.end()
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, err := range k.faults {
		t.Error(err)
	}
	if t.Failed() {
		t.FailNow()
	}
	return took
}

// fail ends the load.
func (k *soak) fail(err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.faults) == 0 {
		close(k.failed)
	}
	k.faults = append(k.faults, err)
}

// comeAndGo visits a service until ctx ends.
func (k *soak) comeAndGo(ctx context.Context, began time.Time, visitor int, to service) {
	pace := time.NewTicker(visitPace)
	defer pace.Stop()
	left := began
	for n := 0; ; n++ {
		select {
		case <-pace.C:
		case <-ctx.Done():
			return
		}
		drop := n%2 == 1
		if to.bosh() {
			if drop = time.Since(left) > leftPace && time.Since(began) < k.duration-testTimeout; drop {
				left = time.Now()
			}
		}
		if err := k.visit(to, fmt.Sprintf("visitor%d-%d", visitor, n%visitUsers), drop); err != nil {
			k.fail(fmt.Errorf("a visit over %s: %w", to.name, err))
			return
		}
		if n%replayEach == 0 {
			if err := k.replay(to, fmt.Sprintf("visitor%d-%d", visitor, n%visitUsers)); err != nil {
				k.fail(fmt.Errorf("over %s: %w", to.name, err))
				return
			}
		}
	}
}

// visit logs in, and says things to itself, which must come back in order.
func (k *soak) visit(to service, user string, drop bool) error {
	stream, err := k.s.open(to)
	if err != nil {
		return err
	}
	defer stream.close()
	if err := stream.authenticate("X-TOKEN", user, k.s.issuer.token(user)); err != nil {
		return err
	}
	jid, err := stream.bind()
	if err != nil {
		return err
	}
	k.logins.Add(1)
	for n := range visitMessages {
		if err := stream.write("<message xmlns='jabber:client' to='%s' type='chat'><body>%s %d</body></message>", jid, k.word, n); err != nil {
			return err
		}
	}
	for n := 0; n < visitMessages; {
		e, err := stream.read()
		if err != nil {
			return err
		}
		if !e.is("jabber:client", "message") {
			continue
		}
		if body, _ := e.child("body"); body.Text != fmt.Sprintf("%s %d", k.word, n) {
			return fmt.Errorf("in place of message %d came %v", n, e)
		}
		n++
		k.messages.Add(1)
	}
	if drop {
		return nil
	}
	if err := stream.end(); err != nil {
		return err
	}
	for {
		if _, err := stream.read(); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return fmt.Errorf("at the end: %w", err)
		}
	}
}

// replay presents a token twice.
func (k *soak) replay(to service, user string) error {
	token := k.s.issuer.token(user)
	if err := k.s.logInAt(k.s.service("xmpp"), user, token); err != nil {
		return err
	}
	k.logins.Add(1)
	stream, err := k.s.open(to)
	if err != nil {
		return err
	}
	defer stream.close()
	if err := stream.authenticate("X-TOKEN", user, token); !errors.Is(err, saslFailure("not-authorized")) {
		return fmt.Errorf("a used token is answered by %v", err)
	}
	k.refused.Add(1)
	return stream.end()
}

// reload has xtokend read settings that differ from those before.
func (k *soak) reload(t *testing.T) {
	n := k.reloads.Add(1)
	k.s.Limits["auth_attempts"] = 3 + n%2
	if _, err := k.s.WriteSettings(); err != nil {
		t.Fatal(err)
	}
	offset := k.s.front.log.Len()
	k.s.front.signal(t, syscall.SIGHUP)
	if err := k.s.front.log.Wait(k.s.ctx, "the settings were read again", offset); err != nil {
		k.fail(err)
	}
}

// checkServer looks at what xtokend says of itself: nothing has gone wrong.
func (k *soak) checkServer(t *testing.T) {
	text := k.s.mustAsk(t, "/metrics", 200)
	for _, name := range []string{"xtokend_panics_total", "xtokend_upstream_open_failures_total", "xtokend_replay_store_failures_total"} {
		if count := metric(t, text, name); count != 0 {
			t.Errorf("%s is %d", name, count)
		}
	}
	if reloads := metric(t, text, `xtokend_settings_reloads_total{result="ok"}`); int64(reloads) != k.reloads.Load() {
		t.Errorf("of %d reloads %d succeeded", k.reloads.Load(), reloads)
	}
	for line := range bytes.Lines(k.s.front.log.Bytes()) {
		if bytes.Contains(line, []byte("level=ERROR")) || bytes.Contains(line, []byte("level=WARN")) {
			t.Errorf("xtokend complains: %s", bytes.TrimSpace(line))
		}
	}
}

// checkFlat holds the last quarter against the second one: in the first one accounts
// are made, tokens gather until their window is over, and the heap finds its size.
func checkFlat(t *testing.T, took []measurement) {
	t.Helper()
	quarter := len(took) / 4
	if quarter == 0 {
		t.Fatal("too few measurements")
	}
	median := func(of []measurement, part func(measurement) int) int {
		var values []int
		for _, m := range of {
			values = append(values, part(m))
		}
		slices.Sort(values)
		return values[len(values)/2]
	}
	var said []string
	for _, part := range []struct {
		name string
		of   func(measurement) int
	}{
		{"kB resident", func(m measurement) int { return m.resident }},
		{"goroutines", func(m measurement) int { return m.goroutines }},
		{"descriptors", func(m measurement) int { return m.descriptors }},
	} {
		early := median(took[quarter:2*quarter], part.of)
		late := median(took[len(took)-quarter:], part.of)
		said = append(said, fmt.Sprintf("%s %d, then %d", part.name, early, late))
		if late > early+early*soakGrowth/100 {
			t.Errorf("%s: %d in the second quarter, %d in the last", part.name, early, late)
		}
	}
	t.Logf("medians of the second quarter and of the last: %s", strings.Join(said, "; "))
}
