package e2e

import (
	"os"
	"os/exec"
	"syscall"
	"testing"

	"xtokend/internal/prosody"
	"xtokend/internal/prosodytest"
	"xtokend/internal/redistest"
)

// A store and a server that hang are no reason for the service manager to end the
// program, and the settings can still be read again.
func TestTheProgramIsAliveWhateverElseHangs(t *testing.T) {
	m, store := newManager(t), redistest.Start(t, redistest.Options{})
	newLongAgo(t, store)
	s := newSiteBehind(t, prosodytest.Start(t, prosody.Options{TLS: true}), func(s *site) {
		s.Replay = map[string]any{"store": "redis", "url": "redis://" + store.Address + "/0"}
		s.prepare = func(c *exec.Cmd) {
			c.Env = append(os.Environ(), "NOTIFY_SOCKET="+m.socket, "WATCHDOG_USEC=400000")
		}
	})
	s.mustLogIn("alice", s.issuer.token("alice"))
	alive := func() {
		t.Helper()
		for range 3 {
			m.await(s, "WATCHDOG=1\n", m.told.Len())
		}
	}
	if err := s.Server.Freeze(); err != nil {
		t.Fatal(err)
	}
	s.mustRefuse("alice", s.issuer.token("alice"), "temporary-auth-failure")
	alive()
	store.Freeze()
	s.mustRefuse("alice", s.issuer.token("alice"), "temporary-auth-failure")
	alive()
	m.await(s, "the replay store does not answer", 0)
	offset := m.told.Len()
	s.front.signal(t, syscall.SIGHUP)
	m.await(s, "\n\nREADY=1\n", offset)
	alive()
	s.stopFront()
	store.Thaw()
	if err := s.Server.Thaw(); err != nil {
		t.Fatal(err)
	}
}
