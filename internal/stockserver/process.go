package stockserver

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"syscall"
	"time"
)

// startTimeout bounds the way from starting the process to its first answer.
const startTimeout = 90 * time.Second

// stopTimeout is how long a server may take to end in good order. Prosody gives
// clients 6 s to close their streams.
const stopTimeout = 20 * time.Second

// process is one life of the server.
type process struct {
	cmd    *exec.Cmd
	exited chan struct{} // closed once the process is gone and output is complete
	output bytes.Buffer  // read only after exited is closed
}

// Start runs the program and returns when it answers clients, within 90 seconds.
// It must not be called while the server runs. ctx bounds the start only; the
// caller ends the server with [Server.Stop] or [Server.Kill]. On Linux it also ends
// with the process that started it.
func (s *Server) Start(ctx context.Context, program Program) error {
	p := &process{exited: make(chan struct{})}
	p.cmd = program.Command()
	p.cmd.Stdout, p.cmd.Stderr = &p.output, &p.output
	p.cmd.SysProcAttr = sysProcAttr()
	if err := p.cmd.Start(); err != nil {
		return err
	}
	go func() {
		defer close(p.exited)
		// The exit status is no news: Kill and Stop know what they did, and
		// awaitReady reports any other end with the output.
		_ = p.cmd.Wait()
	}()
	s.mu.Lock()
	s.program, s.proc = program, p
	s.mu.Unlock()

	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	if err := s.awaitReady(ctx, p); err != nil {
		s.Kill()
		return fmt.Errorf("%w\n%s%s", err, p.output.Bytes(), s.Log())
	}
	return nil
}

// awaitReady asks for a stream until one is answered. A server may take
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
	if s.ProxyProtocol {
		if _, err := io.WriteString(c2s, "PROXY TCP4 127.0.0.1 127.0.0.1 1 1\r\n"); err != nil {
			return err
		}
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
// Clients get a stream error. A server that does not end is killed in the end, and
// when ctx ends.
func (s *Server) Stop(ctx context.Context) error {
	p := s.process()
	if err := p.signal(syscall.SIGTERM); err != nil {
		return err
	}
	// Prosody looks at a signal between two steps of Lua. One that comes just
	// before it waits for events is looked at after the next event; one that
	// comes while it forgets a session makes its shutdown fail. So there are
	// events, and the signal is repeated: not before its shutdown may be over, as
	// it would begin that anew. Other servers do not mind. Now and then a failed
	// shutdown leaves Prosody deaf to the signal.
	event := time.NewTicker(250 * time.Millisecond)
	defer event.Stop()
	again := time.NewTicker(6 * time.Second)
	defer again.Stop()
	patience := time.NewTimer(stopTimeout)
	defer patience.Stop()
	for {
		select {
		case <-p.exited:
			return nil
		case <-patience.C:
			return s.Kill()
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
			return fmt.Errorf("%s did not end on SIGTERM: %w", s.program.Name(), ctx.Err())
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
	if err := s.Start(ctx, s.program); err != nil {
		return fmt.Errorf("%s: %w", s.program.Name(), err)
	}
	return nil
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
		return fmt.Errorf("signal a server: %w", err)
	}
	return nil
}

// PID is the id of the present process.
func (s *Server) PID() int { return s.process().cmd.Process.Pid }

// Done is closed once the present process has ended.
func (s *Server) Done() <-chan struct{} { return s.process().exited }
