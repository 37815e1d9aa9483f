package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"syscall"
	"time"

	"xtokend/cmd/xtokend/internal/admin"
)

// drainInterval is the time between two looks at what is left.
const drainInterval = time.Second

type drainCommand struct {
	adminFlags
	Wait bool `help:"Return when no session is left, or the daemon has ended."`
}

// Help is shown behind the flags.
func (*drainCommand) Help() string {
	return `From then on /readyz answers 503, ports for TCP are closed, and new WebSocket and
BOSH sessions are refused, so that clients go to another node. Sessions go on
until they end by themselves, or the daemon is stopped. Only a restart takes it
back.`
}

// Run has the daemon let nobody new in.
func (c *drainCommand) Run(p *process) error {
	return c.ask(func(client *admin.Client) error {
		done, err := client.Drain(context.Background())
		if err != nil {
			return err
		}
		said := "draining"
		if done.Already {
			said = "draining already"
		}
		fmt.Fprintf(p.stdout, "%s, sessions left: %d\n", said, done.Left)
		if c.Wait && done.Left > 0 {
			p.flush()
			return awaitNobody(client)
		}
		return nil
	})
}

// awaitNobody returns when no session is left.
func awaitNobody(client *admin.Client) error {
	tick := time.NewTicker(drainInterval)
	defer tick.Stop()
	for range tick.C {
		s, err := client.Status(context.Background())
		if isDialError(err) || errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) { // it has ended
			return nil
		}
		if err != nil || s.Sessions+s.Unauthenticated == 0 {
			return err
		}
	}
	return nil
}
