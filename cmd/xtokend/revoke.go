package main

import (
	"context"
	"fmt"

	"xtokend/cmd/xtokend/internal/admin"
)

type revokeCommand struct {
	adminFlags
	JID string `arg:"" name:"jid" help:"The user, as in alice@example.org."`
}

// Help is shown behind the flags.
func (*revokeCommand) Help() string {
	return `The user's sessions end at once and cannot be resumed. No token is accepted that
was issued before now, at any node that shares the replay store. Whoever can get a
new token from the web application can log in again, about a minute later: to keep
somebody out, disable the user there first.`
}

// Run revokes what a user has.
func (c *revokeCommand) Run(p *process) error {
	return c.ask(func(client *admin.Client) error {
		done, err := client.Revoke(context.Background(), c.JID)
		if err != nil {
			return err
		}
		fmt.Fprintf(p.stdout, "revoked: %s, sessions ended: %d\n", done.User, done.Ended)
		return nil
	})
}
