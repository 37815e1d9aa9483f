package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"xtokend/cmd/xtokend/internal/admin"
)

type statusCommand struct {
	adminFlags
	JSON bool `name:"json" help:"Print JSON."`
}

// Run prints how the daemon is.
func (c *statusCommand) Run(p *process) error {
	return c.ask(func(client *admin.Client) error {
		s, err := client.Status(context.Background())
		switch {
		case err != nil:
			return err
		case c.JSON:
			return p.printJSON(s)
		}
		p.printStatus(s)
		return nil
	})
}

func (p *process) printStatus(s admin.Status) {
	fmt.Fprintf(p.stdout, "xtokend %s, for %s\n", s.Version, time.Since(s.Started).Round(time.Second))
	if len(s.NotReady) == 0 {
		fmt.Fprintln(p.stdout, "ready")
	}
	for _, missing := range s.NotReady {
		fmt.Fprintf(p.stdout, "not ready: %s\n", missing)
	}
	fmt.Fprintf(p.stdout, "listen: %s\n", strings.Join(s.Listeners, " "))
	for _, d := range s.Domains {
		if d.State == "" {
			fmt.Fprintf(p.stdout, "domain: %s, clients of another server\n", d.Name)
			continue
		}
		link := ""
		if d.Link != "" {
			link = ", component link: " + d.Link
		}
		fmt.Fprintf(p.stdout, "domain: %s, %s: %s%s\n", d.Name, d.Upstream, d.State, link)
	}
	fmt.Fprintf(p.stdout, "sessions: %d, not logged in yet: %d\n", s.Sessions, s.Unauthenticated)
	fmt.Fprintf(p.stdout, "replay store: %s, %s\n", s.Store.Kind, s.Store.State)
	fmt.Fprintf(p.stdout, "logins: %d accepted, %d refused\n", s.Logins.Accepted, s.Logins.Refused)
}
