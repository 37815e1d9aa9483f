package main

import (
	"context"
	"errors"
	"time"

	"xtokend/cmd/xtokend/internal/admin"
	"xtokend/cmd/xtokend/internal/extauth"
	"xtokend/internal/storm"
)

type extauthCommand struct {
	adminFlags
	Protocol string `enum:"ejabberd,generic" default:"ejabberd" placeholder:"NAME" help:"How the server asks: ejabberd (default; MongooseIM too), or generic for Prosody."`
}

// Help is shown behind the flags.
func (*extauthCommand) Help() string {
	return `For servers that have their clients themselves, and start this program to ask
whether a password is right (doc/extauth.md). It asks the running daemon, so that a
token is good for one login wherever it is shown. The user that the server runs as
must be allowed to use the daemon's admin socket.`
}

// Run answers questions on standard input until it is closed.
func (c *extauthCommand) Run(p *process) error {
	path, err := c.path()
	if err != nil {
		return err
	}
	client := admin.NewClient(path)
	defer client.Close()
	return c.serve(context.Background(), p, client.Answer, p.trouble(path))
}

// serve says nothing to Prosody but answers: it reads standard error too, and starts a
// program anew only if its exit status was 0.
func (c *extauthCommand) serve(ctx context.Context, p *process, answer extauth.Answer, trouble func(error)) error {
	asker := extauth.Asker{Protocol: extauth.Ejabberd, In: p.stdin, Out: flushing{p}, Answer: answer, Trouble: trouble}
	quiet := c.Protocol == extauth.Generic.String()
	if quiet {
		asker.Protocol, asker.Trouble = extauth.Generic, nil
	}
	err := asker.Serve(ctx)
	if quiet && (errors.Is(err, extauth.ErrLate) || errors.Is(err, extauth.ErrOutOfTurn)) {
		return nil
	}
	return err
}

// trouble says what keeps questions from being answered, not each time.
func (p *process) trouble(path string) func(error) {
	lines := storm.New(time.Now)
	return func(err error) {
		if errors.Is(err, extauth.ErrNotOurs) {
			if _, ok := lines.Allow("not ours"); ok {
				p.say("warning", err.Error(), "take modules such as mod_register out of the server's settings")
			}
			return
		}
		if _, ok := lines.Allow("daemon"); ok {
			p.complain(askError(path, err))
		}
	}
}

// flushing shows each answer at once.
type flushing struct{ p *process }

// Write implements [io.Writer].
func (f flushing) Write(b []byte) (int, error) {
	n, err := f.p.stdout.Write(b)
	f.p.flush()
	return n, err
}
