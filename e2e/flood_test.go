package e2e

import (
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
)

// Strangers come in numbers, say nothing, next to nothing or never stop, and try
// tokens that are none, while users log in over every transport. All do. When the
// strangers have gone, xtokend holds no more descriptors than before.
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
		user := fmt.Sprintf("user%d", n) // who has gone without a word has a session still
		token := s.issuer.token(user)
		began := time.Now()
		if err := s.logInAt(to, user, token); err != nil {
			t.Errorf("%s: %v", to.name, err)
		}
		return time.Since(began)
	}
	for n := range s.allServices() {
		login(n) // what is opened once is open
	}
	process := s.front.cmd.Process.Pid
	descriptors, memory := openDescriptors(t, process), residentKilobytes(t, process)

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
	flooded := residentKilobytes(t, process)
	f.Stop()
	left, err := f.Settled(s.ctx, descriptors, func() int { return openDescriptors(t, process) })
	if err != nil {
		t.Errorf("descriptors: %d before, %d after: %v", descriptors, left, err)
	}
	slices.Sort(took)
	p99 := took[len(took)*99/100]
	t.Logf("%d strangers' connections; logins p50 %v, p99 %v; descriptors %d, then %d; memory %d kB, %d kB in the flood, then %d kB",
		f.Connections(), took[len(took)/2], p99, descriptors, left, memory, flooded, residentKilobytes(t, process))
	if long && p99 > slowestLogin {
		t.Errorf("a login took %v, want %v at most", p99, slowestLogin)
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
