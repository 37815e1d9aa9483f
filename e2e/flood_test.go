package e2e

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	strangers "xtokend/internal/flood" // the package has a flood already
)

// What the size of a flood that XTOKEND_FLOOD sets is measured against.
const (
	floodedLogins = 3000
	slowestLogin  = time.Second // of a hundred, the slowest but one

	// Bounds on the memory that strangers can take, as doc/operations.md has them: the
	// program itself, each stream that has not logged in, up to limits.unauthenticated
	// of them, and each HTTP connection, up to limits.streams.
	programKilobytes    = 64 << 10
	strangerKilobytes   = 80
	connectionKilobytes = 64
	unauthenticated     = 6000 // the default of the limit

	// Once it is over, memory may be this much more than before: the collector and
	// the scavenger do not give all back.
	keptKilobytes = 32 << 10
	givenBackIn   = 10 * time.Minute // garbage is looked for every two minutes
)

// Strangers come in numbers, say nothing, next to nothing or never stop, and try
// tokens that are none, while users log in over every transport. All do. When the
// strangers have gone, xtokend is as it was before.
func TestUsersLogInWhileStrangersFloodTheFront(t *testing.T) {
	size, long, err := strangers.SizeOr(strangers.Size{Idle: 200, Slow: 50, Endless: 50, Refused: 20})
	if err != nil {
		t.Fatal(err)
	}
	s := newSiteOn(t, builtInHost, func(s *site) {
		s.LogLevel = "info"
		if long {
			s.program = measured(t) // as users have it, with its default limits
		} else {
			s.Limits = map[string]any{"unauthenticated": 20, "negotiation_timeout": "5s"}
		}
	})
	login := func(n int) time.Duration {
		services := s.allServices()
		to := services[n%len(services)]
		user := fmt.Sprintf("user%d", n)
		token := s.issuer.token(user)
		began := time.Now()
		stream, err := s.open(to)
		if err == nil {
			defer stream.close()
			if err = stream.authenticate("X-TOKEN", user, token); err == nil {
				_, err = stream.bind()
			}
		}
		took := time.Since(began)
		if err == nil {
			err = stream.end()
		}
		if err != nil {
			t.Errorf("%s: %v", to.name, err)
		}
		return took
	}
	for n := range s.allServices() {
		login(n) // what is opened once is open
	}
	s.lengthen(givenBackIn + 5*testTimeout)
	before := s.atRest(t)

	f := &strangers.Flood{Size: size, XMPP: []string{s.StartTLS}, HTTP: []string{s.HTTP}, TLS: []string{s.DirectTLS, s.HTTPS},
		Hosts: 10, Pace: time.Second, Return: time.Second}
	if long {
		f.Return = 5 * time.Second
	}
	if err := f.Start(s.ctx); err != nil {
		t.Fatal(err)
	}
	logins := 2 * len(s.allServices())
	if long {
		logins = floodedLogins
	}
	var took []time.Duration
	for n := range logins {
		took = append(took, login(n))
	}
	flooded, peak := s.measure(t), peakKilobytes(t, s.front.cmd.Process.Pid)
	f.Stop()
	after := s.awaitRest(t, before)
	slices.Sort(took)
	p99 := took[len(took)*99/100]
	t.Logf("%d strangers' connections; logins p50 %v, p99 %v; %d MB resident at most\nbefore:       %v\nin the flood: %v\nlater:        %v",
		f.Connections(), took[len(took)/2], p99, peak>>10, before, flooded, after)
	if !long {
		return
	}
	if p99 > slowestLogin {
		t.Errorf("a login took %v, want %v at most", p99, slowestLogin)
	}
	web := (size.Idle+size.Slow+size.Endless)/2 + 1 // half of the services are HTTP's
	if bound := programKilobytes + strangerKilobytes*unauthenticated + connectionKilobytes*web; peak > bound {
		t.Errorf("%d kB resident in the flood, want %d at most", peak, bound)
	}
	s.awaitMemory(t, before)
}

// awaitMemory returns once what the flood took is given back.
func (s *site) awaitMemory(t *testing.T, before measurement) {
	t.Helper()
	ctx, cancel := context.WithTimeout(s.ctx, givenBackIn)
	defer cancel()
	again := time.NewTicker(time.Second)
	defer again.Stop()
	began := time.Now()
	for {
		now := s.measure(t)
		if now.heap <= before.heap+keptKilobytes && now.resident <= before.resident+keptKilobytes {
			t.Logf("after %v: %v", time.Since(began).Round(time.Second), now)
			return
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			t.Fatalf("memory is not given back: before %v, now %v", before, now)
		}
	}
}

// measured is xtokend without the race detector, which takes many times the memory.
func measured(t *testing.T) string {
	t.Helper()
	path := filepath.Join(buildDir, "xtokend-measured")
	if written, err := exec.CommandContext(t.Context(), "go", "build", "-o", path, "xtokend/cmd/xtokend").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, written)
	}
	return path
}
