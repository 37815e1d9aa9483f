package e2e

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"xtokend/internal/watch"
)

// manager is the service manager of one xtokend, as far as it is told something.
type manager struct {
	socket string
	told   watch.Output // a message is a paragraph
}

func newManager(t *testing.T) *manager {
	t.Helper()
	m := &manager{socket: filepath.Join(t.TempDir(), "notify")}
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: m.socket, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		message := make([]byte, 4096)
		for {
			n, err := conn.Read(message)
			if err != nil {
				m.told.Close()
				return
			}
			fmt.Fprintf(&m.told, "%s\n\n", message[:n])
		}
	}()
	t.Cleanup(func() {
		conn.Close()
		<-ended
		if t.Failed() {
			t.Logf("the service manager was told:\n%s", m.told.Bytes())
		}
	})
	return m
}

// await returns when the manager has been told text behind an offset.
func (m *manager) await(s *site, text string, offset int) {
	s.t.Helper()
	if err := m.told.Wait(s.ctx, text, offset); err != nil {
		s.t.Fatalf("the service manager: %v", err)
	}
}

// The service manager knows when clients are served, when the settings are read,
// how many sessions there are, that the program is alive, and that it ends.
func TestTheServiceManagerIsTold(t *testing.T) {
	m := newManager(t)
	s := newSiteOn(t, builtInHost, func(s *site) {
		s.prepare = func(c *exec.Cmd) {
			c.Env = append(os.Environ(), "NOTIFY_SOCKET="+m.socket, "WATCHDOG_USEC=400000")
		}
	})
	m.await(s, "READY=1\nSTATUS=sessions: 0, not logged in yet: 0\n", 0)
	for range 3 {
		m.await(s, "WATCHDOG=1\n", m.told.Len())
	}
	s.mustBind("alice", s.service("xmpp"))
	m.await(s, "STATUS=sessions: 1, not logged in yet: 0\n", 0)

	path, err := s.WriteSettings()
	if err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, settings := range []struct{ text, status string }{
		{"nonsense", "STATUS=the changed settings cannot be used, see the log; sessions: 1, not logged in yet: 0\n"},
		{string(whole), "STATUS=sessions: 1, not logged in yet: 0\n"},
	} {
		if err := os.WriteFile(path, []byte(settings.text), 0o600); err != nil {
			t.Fatal(err)
		}
		offset := m.told.Len()
		s.front.signal(t, syscall.SIGHUP)
		m.await(s, "RELOADING=1\nMONOTONIC_USEC=", offset)
		m.await(s, "\n\nREADY=1\n"+settings.status, offset)
	}
	s.stopFront()
	m.await(s, "STOPPING=1\n", 0)
}

// A service manager that does not listen is no reason not to serve.
func TestADeafServiceManager(t *testing.T) {
	full := filepath.Join(t.TempDir(), "full")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: full, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	s := newSiteOn(t, builtInHost, func(s *site) {
		s.prepare = func(c *exec.Cmd) { // many signs of life, which nobody reads
			c.Env = append(os.Environ(), "NOTIFY_SOCKET="+full, "WATCHDOG_USEC=2000")
		}
	})
	s.mustLogIn("alice", s.issuer.token("alice"))
	s.stopFront()
	s.prepare = func(c *exec.Cmd) {
		c.Env = append(os.Environ(), "NOTIFY_SOCKET=/nonexistent/notify", "WATCHDOG_USEC=400000")
	}
	s.startFront()
	s.mustLogIn("alice", s.issuer.token("alice"))
	s.awaitLog("the service manager cannot be told how the program is", 0)
	s.stopFront()
}

// The watchdog of systemd ends a stuck program by SIGABRT. It must not end with the
// exit status of wrong settings then, after which it is not started again.
func TestAProgramThatTheWatchdogEndsIsStartedAgain(t *testing.T) {
	unit, err := os.ReadFile("../contrib/xtokend.service")
	if err != nil {
		t.Fatal(err)
	}
	if !regexp.MustCompile(`(?m)^RestartPreventExitStatus=2$`).Match(unit) || !regexp.MustCompile(`(?m)^LimitCORE=0$`).Match(unit) {
		t.Error("the unit is started again after exit status 2, or may leave a core")
	}
	s := newSiteOn(t, builtInHost, nil)
	s.stopFront()
	settings, err := s.WriteSettings()
	if err != nil {
		t.Fatal(err)
	}
	c := exec.Command("sh", "-c", `ulimit -c 0; exec "$@"`, "sh", s.program, "serve", "--config", settings)
	c.Env = os.Environ()
	for _, line := range regexp.MustCompile(`(?m)^Environment=(.*)$`).FindAllSubmatch(unit, -1) {
		c.Env = append(c.Env, string(line[1]))
	}
	p := startProcess(t, "xtokend that is aborted", c)
	if err := p.log.Wait(s.ctx, "msg=ready", 0); err != nil {
		t.Fatal(err)
	}
	p.signal(t, syscall.SIGABRT)
	p.wait(s.ctx, t)
	if status := p.cmd.ProcessState.Sys().(syscall.WaitStatus); !status.Signaled() || status.Signal() != syscall.SIGABRT {
		t.Errorf("it ended with %v", p.cmd.ProcessState)
	}
	if !strings.Contains(string(p.log.Bytes()), "goroutine ") {
		t.Error("the log has no stacks")
	}
}
