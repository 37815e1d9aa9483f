package main

import (
	"cmp"
	"context"
	"fmt"
	"text/tabwriter"
	"time"

	"xtokend/cmd/xtokend/internal/admin"
)

type sessionsCommand struct {
	adminFlags
	JSON bool `name:"json" help:"Print JSON."`
}

// Run prints who is logged in, a line each.
func (c *sessionsCommand) Run(p *process) error {
	return c.ask(func(client *admin.Client) error {
		all, err := client.Sessions(context.Background())
		switch {
		case err != nil:
			return err
		case c.JSON:
			return p.printJSON(all)
		}
		return p.printSessions(all)
	})
}

func (p *process) printSessions(all []admin.Session) error {
	w := tabwriter.NewWriter(p.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "USER\tADDRESS\tTRANSPORT\tMECHANISM\tSINCE\tFROM CLIENT\tTO CLIENT")
	for _, s := range all {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%d\t%d\n", s.User, cmp.Or(s.Address, "-"), s.Transport, s.Mechanism,
			s.Began.Format(time.RFC3339), s.FromClient, s.ToClient)
	}
	return w.Flush()
}
