// Package prosody starts a throwaway Prosody on loopback, for tests and for
// trying things out. It needs the prosody and prosodyctl commands, 0.12 or
// later, in PATH.
package prosody

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"time"
)

// startTimeout bounds the way from starting the process to its first answer.
const startTimeout = 30 * time.Second

// Server is a running Prosody. Its fields do not change after [Start] and
// survive a restart; its methods may be called from any goroutine.
type Server struct {
	Domain          string // the served domain
	Rooms           string // the room service's domain
	ComponentName   string // the component link's name; an admin of Domain
	ComponentSecret string
	C2S             string // host:port for clients: plain, STARTTLS with Options.TLS
	DirectTLS       string // host:port for clients with direct TLS; empty without Options.TLS
	Component       string // host:port for components; empty with Options.NoComponent

	dir   string
	host  string
	roots *x509.CertPool

	mu   sync.Mutex
	proc *process
}

// process is one life of the server.
type process struct {
	cmd    *exec.Cmd
	exited chan struct{} // closed once the process is gone and output is complete
	output bytes.Buffer  // read only after exited is closed
}

// Start writes a configuration to o.Dir, starts Prosody and returns when it
// answers clients, within 30 seconds. ctx bounds the start only; the caller
// ends the server with [Server.Stop] or [Server.Kill]. On Linux it also ends
// with the process that started it.
func Start(ctx context.Context, o Options) (*Server, error) {
	s := &Server{
		Domain: o.domain(),
		dir:    o.Dir,
		host:   loopbackHost(),
	}
	s.Rooms = "conference." + s.Domain
	s.ComponentName = "xtoken." + s.Domain
	s.ComponentSecret = rand.Text()
	addresses := []*string{&s.C2S}
	if !o.NoComponent {
		addresses = append(addresses, &s.Component)
	}
	if o.TLS {
		addresses = append(addresses, &s.DirectTLS)
	}
	if err := FreeAddresses(s.host, addresses...); err != nil {
		return nil, err
	}
	for _, d := range []string{"data", "certs"} {
		if err := os.MkdirAll(s.file(d), 0o700); err != nil {
			return nil, fmt.Errorf("prosody: %w", err)
		}
	}
	if o.TLS {
		if err := s.makeCertificate(); err != nil {
			return nil, fmt.Errorf("prosody: make a certificate: %w", err)
		}
	}
	if err := os.WriteFile(s.configFile(), []byte(o.config(s)), 0o600); err != nil {
		return nil, fmt.Errorf("prosody: %w", err)
	}
	if err := s.start(ctx); err != nil {
		return nil, err
	}
	return s, nil
}

func (s *Server) file(name string) string { return filepath.Join(s.dir, name) }
func (s *Server) configFile() string      { return s.file("prosody.cfg.lua") }

// CAFile is the PEM file of the authority that signed the certificate.
func (s *Server) CAFile() string { return s.file("certs/ca.crt") }

// Roots holds the authority of CAFile, nil without Options.TLS.
func (s *Server) Roots() *x509.CertPool { return s.roots }

// start runs the process and waits until it answers. It must not be called
// while the server runs.
func (s *Server) start(ctx context.Context) error {
	p := &process{exited: make(chan struct{})}
	p.cmd = exec.Command("prosody", "-F", "--config", s.configFile())
	p.cmd.Stdout, p.cmd.Stderr = &p.output, &p.output
	p.cmd.SysProcAttr = sysProcAttr()
	if err := p.cmd.Start(); err != nil {
		return fmt.Errorf("prosody: %w (is the package prosody installed?)", err)
	}
	go func() {
		defer close(p.exited)
		// The exit status is no news: Kill and Stop know what they did, and
		// awaitReady reports any other end with the output.
		_ = p.cmd.Wait()
	}()
	s.mu.Lock()
	s.proc = p
	s.mu.Unlock()

	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	if err := s.awaitReady(ctx, p); err != nil {
		s.Kill()
		return fmt.Errorf("prosody: %w\n%s%s", err, p.output.Bytes(), s.Log())
	}
	return nil
}

// awaitReady asks for a stream until one is answered. Prosody takes
// connections before its hosts are loaded, but answers none until all are.
func (s *Server) awaitReady(ctx context.Context, p *process) error {
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for {
		err := s.probe(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-p.exited:
			return errors.New("it ended while starting")
		case <-ctx.Done():
			return fmt.Errorf("it does not answer: %w", err)
		case <-again.C:
		}
	}
}

func (s *Server) probe(ctx context.Context) error {
	var d net.Dialer
	if s.Component != "" {
		component, err := d.DialContext(ctx, "tcp", s.Component)
		if err != nil {
			return err
		}
		component.Close()
	}
	c2s, err := d.DialContext(ctx, "tcp", s.C2S)
	if err != nil {
		return err
	}
	defer c2s.Close()
	if deadline, ok := ctx.Deadline(); ok {
		c2s.SetDeadline(deadline)
	}
	const header = "<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' version='1.0' to='%s'>"
	if _, err := fmt.Fprintf(c2s, header, s.Domain); err != nil {
		return err
	}
	var answer []byte
	for buf := make([]byte, 4096); len(answer) < 64<<10; {
		n, err := c2s.Read(buf)
		answer = append(answer, buf[:n]...)
		if bytes.Contains(answer, []byte("</stream:features>")) {
			// A stream left open would be a ghost in its session list.
			_, err := c2s.Write([]byte("</stream:stream>"))
			return err
		}
		if err != nil {
			return err
		}
	}
	return fmt.Errorf("answered a stream header with %q", answer)
}

func (s *Server) process() *process {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.proc
}

// Stop ends the server as a service manager would, and waits until it is gone.
// Clients get a stream error. When ctx ends first the server is killed.
func (s *Server) Stop(ctx context.Context) error {
	p := s.process()
	if err := p.signal(syscall.SIGTERM); err != nil {
		return err
	}
	// Prosody looks at a signal between two steps of Lua. One that comes just
	// before it waits for events is looked at after the next event; one that
	// comes while it forgets a session makes its shutdown fail. So there are
	// events, and the signal is repeated: not before its shutdown may be over, as
	// it would begin that anew.
	event := time.NewTicker(250 * time.Millisecond)
	defer event.Stop()
	again := time.NewTicker(6 * time.Second)
	defer again.Stop()
	for {
		select {
		case <-p.exited:
			return nil
		case <-again.C:
			if err := p.signal(syscall.SIGTERM); err != nil {
				return err
			}
		case <-event.C:
			var d net.Dialer
			if c, err := d.DialContext(ctx, "tcp", s.C2S); err == nil {
				c.Close()
			}
		case <-ctx.Done():
			s.Kill()
			return fmt.Errorf("prosody: did not end on SIGTERM: %w", ctx.Err())
		}
	}
}

// Kill ends the server at once, and waits until it is gone.
func (s *Server) Kill() error {
	p := s.process()
	if err := p.signal(syscall.SIGKILL); err != nil {
		return err
	}
	<-p.exited
	return nil
}

// Restart starts a server that has ended, with the data and addresses it had;
// a running one is stopped first.
func (s *Server) Restart(ctx context.Context) error {
	if err := s.Stop(ctx); err != nil {
		return err
	}
	return s.start(ctx)
}

// Freeze suspends the process: connections are taken by the kernel, nothing
// is answered. [Server.Thaw] wakes it.
func (s *Server) Freeze() error { return s.process().signal(syscall.SIGSTOP) }

// Thaw ends what [Server.Freeze] began.
func (s *Server) Thaw() error { return s.process().signal(syscall.SIGCONT) }

// signal does nothing to a process that has ended already.
func (p *process) signal(sig syscall.Signal) error {
	err := p.cmd.Process.Signal(sig)
	if err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("prosody: %w", err)
	}
	return nil
}

// Done is closed once the present process has ended.
func (s *Server) Done() <-chan struct{} { return s.process().exited }

// Log returns what the server has logged, over all its lives.
func (s *Server) Log() string {
	b, err := os.ReadFile(s.file("prosody.log"))
	if err != nil {
		return err.Error() + "\n"
	}
	return string(b)
}

// Register makes an account, or gives an existing one this password, as an
// administrator would at the shell.
func (s *Server) Register(ctx context.Context, localpart, password string) error {
	args := []string{"--config", s.configFile()}
	if os.Geteuid() == 0 {
		args = append([]string{"--root"}, args...)
	}
	cmd := exec.CommandContext(ctx, "prosodyctl", append(args, "register", localpart, s.Domain, password)...)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("prosodyctl register %s: %w\n%s", localpart, err, out)
	}
	return nil
}

// HasAccount says whether the domain has an account of this name.
func (s *Server) HasAccount(localpart string) bool {
	_, err := os.Stat(s.accountFile(localpart))
	return err == nil
}
