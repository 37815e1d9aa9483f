// Package redistest starts a throwaway Redis on loopback for one test. It needs
// the redis-server command, 6 or later, in PATH.
package redistest

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"xtokend/internal/testcert"
)

const (
	startTimeout = 20 * time.Second
	stopTimeout  = 10 * time.Second
)

// Options says how a server differs from one that keeps nothing on disk and lets
// everybody on loopback in.
type Options struct {
	Password string // of the default user
	TLS      bool   // in place of the plain port; the authority is Server.Roots and in Server.CAFile
	Cluster  bool   // a cluster of this server alone, which has all slots
	Sentinel bool   // a sentinel; Lines name what it monitors
	Lines    string // more lines of the configuration file
}

// Server is a Redis whose address and files survive a restart.
type Server struct {
	Address string // host:port
	Host    string
	Port    string
	Pair    *testcert.Pair // with Options.TLS
	CAFile  string         // likewise

	t    testing.TB
	o    Options
	dir  string
	proc *process
}

// process is one life of the server.
type process struct {
	cmd    *exec.Cmd
	exited chan struct{} // closed once the process is gone and output is complete
	output bytes.Buffer  // read only after exited is closed
}

// Start starts a server that ends with the test, and returns when it answers.
func Start(t testing.TB, o Options) *Server {
	t.Helper()
	s := &Server{t: t, o: o, dir: t.TempDir()}
	// All of 127.0.0.0/8 is this machine's own: servers side by side never meet on a port.
	var r [3]byte
	rand.Read(r[:])
	s.Host = net.IPv4(127, r[0], r[1], 1+r[2]%254).String()
	l, err := net.Listen("tcp", net.JoinHostPort(s.Host, "0"))
	if err != nil {
		t.Fatal(err)
	}
	s.Address = l.Addr().String()
	_, s.Port, _ = net.SplitHostPort(s.Address)
	l.Close()
	if o.TLS {
		s.makeCertificate()
	}
	if err := os.WriteFile(s.file("redis.conf"), []byte(s.config()), 0o600); err != nil {
		t.Fatal(err)
	}
	s.start()
	t.Cleanup(func() {
		s.Thaw() // a stopped process would not see the signal
		s.Stop()
		if t.Failed() {
			t.Logf("what redis-server at %s wrote:\n%s", s.Address, s.proc.output.String())
		}
	})
	return s
}

func (s *Server) file(name string) string { return filepath.Join(s.dir, name) }

func (s *Server) makeCertificate() {
	s.t.Helper()
	pair, err := testcert.New(testcert.Spec{Serial: 2, Addresses: []net.IP{net.ParseIP(s.Host)}})
	if err != nil {
		s.t.Fatal(err)
	}
	s.Pair, s.CAFile = pair, s.file("ca.crt")
	if err := pair.Write(s.file("redis.crt"), s.file("redis.key"), s.CAFile); err != nil {
		s.t.Fatal(err)
	}
}

func (s *Server) config() string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	line("bind %s", s.Host)
	line("dir %q", s.dir)
	if s.o.TLS {
		line("port 0\ntls-port %s\ntls-auth-clients no", s.Port)
		line("tls-cert-file %q\ntls-key-file %q", s.file("redis.crt"), s.file("redis.key"))
	} else {
		line("port %s", s.Port)
	}
	if !s.o.Sentinel {
		line("save \"\"\nreplica-announce-ip %s", s.Host)
	}
	if s.o.Cluster {
		line("cluster-enabled yes\ncluster-announce-ip %s", s.Host)
	}
	if s.o.Password != "" {
		line("requirepass %q", s.o.Password)
	}
	line("%s", s.o.Lines)
	return b.String()
}

func (s *Server) start() {
	s.t.Helper()
	args := []string{s.file("redis.conf")}
	if s.o.Sentinel {
		args = append(args, "--sentinel")
	}
	p := &process{cmd: exec.Command("redis-server", args...), exited: make(chan struct{})}
	p.cmd.Stdout, p.cmd.Stderr = &p.output, &p.output
	p.cmd.SysProcAttr = sysProcAttr()
	if err := p.cmd.Start(); err != nil {
		s.t.Fatalf("%v; on Debian: apt-get install redis-server", err)
	}
	go func() {
		p.cmd.Wait()
		close(p.exited)
	}()
	s.proc = p
	s.await("it answers", func() error { return s.command("PING").Err() })
	if s.o.Cluster {
		if err := s.command("CLUSTER", "ADDSLOTSRANGE", 0, 16383).Err(); err != nil && !strings.Contains(err.Error(), "already busy") {
			s.t.Fatal(err)
		}
		s.await("the cluster is complete", func() error {
			info, err := s.command("CLUSTER", "INFO").Text()
			if err == nil && !strings.Contains(info, "cluster_state:ok") {
				err = errors.New(info)
			}
			return err
		})
	}
}

// await asks again and again until there is no error.
func (s *Server) await(what string, ask func() error) {
	s.t.Helper()
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	deadline := time.After(startTimeout)
	for {
		err := ask()
		if err == nil {
			return
		}
		select {
		case <-again.C:
		case <-s.proc.exited:
			s.t.Fatalf("redis-server has ended:\n%s", s.proc.output.String())
		case <-deadline:
			s.t.Fatalf("redis-server: waited in vain until %s: %v", what, err)
		}
	}
}

// Await returns once what a command answers contains want; the test fails if that takes too long.
func (s *Server) Await(want string, command ...any) {
	s.t.Helper()
	s.await(want, func() error {
		answer, err := s.command(command...).Result()
		if err == nil && !strings.Contains(fmt.Sprint(answer), want) {
			err = fmt.Errorf("%v: %v", command, answer)
		}
		return err
	})
}

// Command has the server run a command, as an administrator would.
func (s *Server) Command(command ...any) any {
	s.t.Helper()
	answer, err := s.command(command...).Result()
	if err != nil {
		s.t.Fatalf("%v: %v", command, err)
	}
	return answer
}

func (s *Server) command(command ...any) *redis.Cmd {
	o := &redis.Options{Addr: s.Address, Password: s.o.Password, Protocol: 2, DisableIdentity: true, MaxRetries: -1}
	if s.o.TLS {
		o.TLSConfig = &tls.Config{RootCAs: s.Pair.Roots}
	}
	c := redis.NewClient(o)
	defer c.Close()
	return c.Do(context.Background(), command...)
}

// Stop ends the server as a service manager would, and waits until it is gone.
func (s *Server) Stop() {
	s.t.Helper()
	s.signal(syscall.SIGTERM)
	select {
	case <-s.proc.exited:
	case <-time.After(stopTimeout):
		s.signal(syscall.SIGKILL)
		<-s.proc.exited
		s.t.Errorf("redis-server did not end on SIGTERM")
	}
}

// Kill ends the server at once, and waits until it is gone.
func (s *Server) Kill() {
	s.t.Helper()
	s.signal(syscall.SIGKILL)
	<-s.proc.exited
}

// Restart starts a server that has ended, with the files and the address it had.
func (s *Server) Restart() {
	s.t.Helper()
	s.start()
}

// Freeze suspends the process: connections are taken by the kernel, nothing is
// answered. [Server.Thaw] wakes it.
func (s *Server) Freeze() { s.signal(syscall.SIGSTOP) }

// Thaw ends what [Server.Freeze] began.
func (s *Server) Thaw() { s.signal(syscall.SIGCONT) }

// signal does nothing to a process that has ended already.
func (s *Server) signal(sig syscall.Signal) {
	if err := s.proc.cmd.Process.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
		s.t.Errorf("redis-server: %v", err)
	}
}
