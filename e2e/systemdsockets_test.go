package e2e

import (
	"errors"
	"net"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// withSockets has the test hold the sockets of all ports, and xtokend be given them at
// each start, as a service manager does.
func withSockets(t *testing.T) func(*site) {
	return func(s *site) {
		var files []*os.File
		for _, address := range []string{s.StartTLS, s.DirectTLS, s.HTTP, s.HTTPS} {
			l, err := net.Listen("tcp4", address)
			if err != nil {
				t.Fatal(err)
			}
			file, err := l.(*net.TCPListener).File()
			l.Close()
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { file.Close() })
			files = append(files, file)
		}
		s.prepare = func(c *exec.Cmd) {
			shell := exec.Command("sh", "-c", `LISTEN_PID=$$ exec "$@"`, "sh")
			c.Path, c.Args = shell.Path, append(shell.Args, c.Args...)
			c.Env = append(os.Environ(), "LISTEN_FDS="+strconv.Itoa(len(files)))
			c.ExtraFiles = files
		}
	}
}

// comer is a client that logs in again and again.
type comer struct {
	user   string
	to     service
	logins chan int // how often it had to connect anew, for each login
}

// come logs in until stop is closed. Who is cut off connects anew, with a new token.
func (c *comer) come(s *site, stop <-chan struct{}) error {
	for again := 0; ; {
		err := s.logInAt(c.to, c.user, s.issuer.token(c.user))
		switch {
		case errors.Is(err, syscall.ECONNREFUSED):
			return err
		case s.ctx.Err() != nil:
			return s.ctx.Err()
		case err != nil:
			again++
			continue
		}
		c.logins <- again
		again = 0
		select {
		case <-stop:
			return nil
		default:
		}
	}
}

// Clients that come all the time are never refused, while xtokend is stopped or killed
// and started again: they wait, or are cut off and connect once more.
func TestARestartRefusesNobody(t *testing.T) {
	s := newSiteOn(t, builtInHost, withSockets(t))
	stop := make(chan struct{})
	var coming sync.WaitGroup
	var comers []*comer
	for i, to := range s.allServices() {
		c := &comer{user: "user" + strconv.Itoa(i), to: to, logins: make(chan int, 1<<20)} // never waits for the test
		comers = append(comers, c)
		coming.Go(func() {
			defer close(c.logins)
			if err := c.come(s, stop); err != nil {
				t.Errorf("%s: %v", to.name, err)
			}
		})
	}
	// So no login falls into two restarts.
	settle := func() {
		for _, c := range comers {
			for range len(c.logins) + 2 {
				if again := <-c.logins; again > 1 {
					t.Errorf("%s: a client has had to connect anew %d times", c.to.name, again)
				}
			}
		}
	}
	settle()
	for _, signal := range []syscall.Signal{syscall.SIGTERM, syscall.SIGKILL, syscall.SIGTERM, syscall.SIGKILL} {
		s.endFront(signal)
		s.startFront()
		settle()
	}
	close(stop)
	coming.Wait()
}

// A listener that is taken out of the settings and put back serves those who have
// come meanwhile: the manager's socket has stayed.
func TestAReloadKeepsTheSocketsOfTheServiceManager(t *testing.T) {
	s := newSiteOn(t, builtInHost, withSockets(t))
	path, err := s.WriteSettings()
	if err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	reload := func(text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		offset := s.front.log.Len()
		s.front.signal(t, syscall.SIGHUP)
		s.awaitLog("the settings were read again", offset)
	}
	reload(strings.Replace(string(whole), `"xmpps://`+s.DirectTLS+`", `, "", 1))
	s.awaitLog("the service manager listens at an address that listen does not name", 0)
	ended := make(chan error, 1)
	go func() { ended <- s.logInAt(s.service("xmpps"), "alice", s.issuer.token("alice")) }()
	s.mustLogIn("bob", s.issuer.token("bob"))
	reload(string(whole))
	if err := <-ended; err != nil {
		t.Error(err)
	}

	// A drained xtokend takes nobody in, and has nobody wait.
	s.command(t, 0, "drain")
	for _, to := range s.allServices() {
		if stream, err := s.open(to); err == nil || s.ctx.Err() != nil {
			t.Errorf("%s: who comes to a drained xtokend: %v, %v", to.name, stream, err)
		}
	}
	s.stopFront()
	s.startFront()
	s.mustLogIn("alice", s.issuer.token("alice"))
}

// The same with sockets of systemd's own tool, and a shell that holds them while
// xtokend is started anew.
func TestSocketsOfSystemdSocketActivate(t *testing.T) {
	s := newSiteOn(t, builtInHost, nil)
	s.stopFront()
	settings, err := s.WriteSettings()
	if err != nil {
		t.Fatal(err)
	}
	const starts = `for start in 1 2 3; do sh -c 'echo "its id is $$" >&2; LISTEN_PID=$$ exec "$@"' sh "$@"; done`
	c := exec.Command("systemd-socket-activate", "--listen="+s.StartTLS, "--listen="+s.DirectTLS, "--listen="+s.HTTP, "--listen="+s.HTTPS,
		"sh", "-c", starts, "sh", s.program, "serve", "--config", settings)
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	s.front = startProcess(t, "xtokend by systemd-socket-activate", c)
	s.fronts = append(s.fronts, s.front)
	t.Cleanup(func() { syscall.Kill(-c.Process.Pid, syscall.SIGKILL) })
	s.awaitLog(" as 6.", 0) // the last of its sockets

	once := make(chan struct{})
	close(once)
	offset := 0
	for _, signal := range []syscall.Signal{syscall.SIGTERM, syscall.SIGKILL, syscall.SIGTERM} {
		for _, to := range s.allServices() { // the first one has the tool start xtokend, or waits for the next start
			alice := &comer{user: "alice", to: to, logins: make(chan int, 1)}
			if err := alice.come(s, once); err != nil {
				t.Fatalf("%s: %v", to.name, err)
			}
			if again := <-alice.logins; again > 1 {
				t.Errorf("%s: alice has had to connect anew %d times", to.name, again)
			}
		}
		s.awaitLog("msg=ready", offset)
		log := s.front.log.Bytes()
		ids := regexp.MustCompile("its id is ([0-9]+)").FindAllSubmatch(log, -1)
		id, err := strconv.Atoi(string(ids[len(ids)-1][1]))
		if err != nil {
			t.Fatal(err)
		}
		offset = len(log)
		if err := syscall.Kill(id, signal); err != nil {
			t.Fatal(err)
		}
	}
	s.front.wait(s.ctx, t)
}
