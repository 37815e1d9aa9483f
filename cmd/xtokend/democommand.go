package main

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"time"
)

const (
	// commandPatience is how long the command may take to end after a signal.
	commandPatience = 10 * time.Second
	// groupInterval is how often what is left of its group is looked for: a system
	// tells of the end of a child, not of a group.
	groupInterval = 20 * time.Millisecond
)

// endingSignals are those that end the demonstration. A hangup does not if it was
// started by nohup.
func endingSignals() []os.Signal {
	signals := []os.Signal{syscall.SIGTERM, os.Interrupt}
	if !signal.Ignored(syscall.SIGHUP) {
		signals = append(signals, syscall.SIGHUP)
	}
	return signals
}

// command is what runs beside the demonstration. At a terminal it belongs to the
// same process group: only that group may read what is typed, and Ctrl-C, Ctrl-Z
// and what a shell does with a job are for all of it. Elsewhere it leads a group
// of its own, to which signals are passed on whole.
type command struct {
	*exec.Cmd
	grouped bool
}

// runCommand runs the command with the demonstration's addresses in its
// environment. Its standard streams are ours.
func (d *demonstration) runCommand(ctx context.Context, signals <-chan os.Signal) error {
	e := d.endpoints()
	c := &command{Cmd: exec.Command(d.command[0], d.command[1:]...), grouped: !d.terminal}
	c.Stdin, c.Stdout, c.Stderr = os.Stdin, os.Stdout, os.Stderr
	c.Env = append(os.Environ(), "XTOKEND_URL="+e.url, "XTOKEND_WEBSOCKET_URL="+e.webSocket, "XTOKEND_BOSH_URL="+e.bosh, "XTOKEND_DOMAIN="+d.domain.Name)
	if e.xmpp != "" {
		c.Env = append(c.Env, "XTOKEND_XMPP_URL="+e.xmpp)
	}
	if c.grouped {
		c.leadGroup()
	}
	if err := c.Start(); err != nil {
		return usage("", "cannot run %q: %v", d.command[0], err)
	}
	ended := make(chan error, 1)
	go func() { ended <- c.Wait() }()
	var patience <-chan time.Time // nil: no signal has come
	for {
		select {
		case s := <-signals:
			c.pass(s)
			if patience == nil {
				patience = d.after(commandPatience)
			}
		case <-patience:
			c.kill()
			return commandError(<-ended)
		case <-ctx.Done(): // a listener failed
			c.kill()
			<-ended
			return nil
		case err := <-ended:
			if patience != nil {
				c.awaitGroup(signals, patience)
			}
			return commandError(err)
		}
	}
}

// pass passes a signal on to the command, unless it has it already: a terminal
// sends its interrupt to all of the group, and for many a second one is an order to
// leave everything as it lies.
func (c *command) pass(s os.Signal) {
	switch {
	case c.grouped:
		c.signalGroup(s.(syscall.Signal))
	case s != os.Interrupt:
		c.Process.Signal(s)
	}
}

// kill ends the command, and all of its group if it is its own.
func (c *command) kill() {
	if c.grouped {
		c.signalGroup(syscall.SIGKILL)
	} else {
		c.Process.Kill()
	}
}

// awaitGroup returns when nothing is left of the group of a command that has ended
// after a signal: a shell does so before what it has started. It kills what is
// there when patience ends.
func (c *command) awaitGroup(signals <-chan os.Signal, patience <-chan time.Time) {
	if !c.grouped {
		return
	}
	look := time.NewTicker(groupInterval)
	defer look.Stop()
	for c.hasGroup() {
		select {
		case <-look.C:
		case s := <-signals:
			c.pass(s)
		case <-patience:
			c.kill()
			return
		}
	}
}

// commandError has the exit status of a command that has ended, as a shell gives it.
func commandError(err error) error {
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		return err
	}
	if status, ok := exit.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return &failure{status: 128 + int(status.Signal())}
	}
	return &failure{status: exit.ExitCode()}
}
