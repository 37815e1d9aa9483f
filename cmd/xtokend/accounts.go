package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"mellium.im/xmpp/jid"
	"mellium.im/xmpp/stream"

	"xtokend/cmd/xtokend/internal/config"
	"xtokend/component/link"
	"xtokend/component/server"
	"xtokend/component/upstream"
)

// linkTimeout bounds the wait for the component link.
const linkTimeout = 15 * time.Second

type accountsCommand struct {
	settingsFlag
	Domain string `placeholder:"NAME" help:"The domain, if several are configured."`
	Action string `arg:"" enum:"add,remove,list" help:"add or remove the accounts named on standard input, one a line; or list all."`
}

// Run changes or lists the accounts of one domain through its component link.
func (c *accountsCommand) Run(p *process) error {
	cfg, err := config.Load(c.Config, config.Options{Need: config.AccountSecrets})
	if err != nil {
		return err
	}
	d, err := c.domain(cfg.Domains)
	if err != nil {
		return err
	}
	a, err := newAccounts(d)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	disconnect, err := a.connect(ctx)
	if err != nil {
		return err
	}
	defer disconnect()
	switch c.Action {
	case "add":
		return p.eachName(d.Name, "made", "there already", func(user jid.JID) (bool, error) { return a.add(ctx, user) })
	case "remove":
		return p.eachName(d.Name, "removed", "not there", func(user jid.JID) (bool, error) { return a.remove(ctx, user) })
	}
	users, err := a.link.List(ctx)
	for _, user := range users {
		fmt.Fprintln(p.stdout, user)
	}
	return err
}

// domain returns the domain whose accounts are meant.
func (c *accountsCommand) domain(domains []config.Domain) (*config.Domain, error) {
	if c.Domain == "" && len(domains) > 1 {
		return nil, usage("configured: "+names(domains), "name one of the domains with --domain")
	}
	d := &domains[0]
	if c.Domain != "" {
		if d = findDomain(domains, c.Domain); d == nil {
			return nil, usage("configured: "+names(domains), "%q is not a configured domain", c.Domain)
		}
	}
	switch d.Upstream {
	case config.UpstreamNone:
		return nil, usage("name the users who exist in users_file, which the server asks about", "%s has its clients at another server, where they need no accounts", d.Name)
	case config.UpstreamHost:
		return nil, usage("there is nothing to make beforehand; messages to users who have never logged in are refused",
			"%s is served by the host, where an account is made at its user's first login", d.Name)
	}
	if d.Component == nil {
		return nil, usage("add [domain.component], and the component on the server", "%s has no component link, through which accounts are made", d.Name)
	}
	return d, nil
}

// accounts are those of one domain on its server.
type accounts struct {
	link   *link.Link
	server *server.Server // to find out whose password an account has
	secret []byte
	failed chan struct{} // closed when the link could not be connected
}

// newAccounts connects to nothing yet. The server it makes never touches accounts:
// what is changed is what was asked for.
func newAccounts(d *config.Domain) (*accounts, error) {
	a := &accounts{secret: []byte(d.Server.AccountSecret.Reveal()), failed: make(chan struct{})}
	lc := linkConfig(d, slog.New(slog.DiscardHandler))
	lc.After = a.giveUp
	var err error
	if a.link, err = link.New(lc); err != nil {
		return nil, err
	}
	a.server, err = server.New(serverConfig(d))
	return a, err
}

// giveUp takes the place of the link's wait before another attempt: a person is
// waiting, and can start the command again.
func (a *accounts) giveUp(time.Duration) <-chan time.Time {
	close(a.failed)
	return nil
}

// connect connects the link, or says why that is not possible. disconnect
// returns once the link is closed.
func (a *accounts) connect(ctx context.Context) (disconnect func(), err error) {
	running, stop := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		a.link.Run(running)
	}()
	disconnect = func() {
		stop()
		<-done
	}
	waiting, cancel := context.WithTimeout(ctx, linkTimeout)
	defer cancel()
	go func() {
		select {
		case <-a.failed:
			cancel()
		case <-waiting.Done():
		}
	}()
	err = a.link.Wait(waiting)
	if err == nil {
		return disconnect, nil
	}
	disconnect()
	f := &failure{
		status: exitFailure, text: err.Error(),
		hint: "see that the server runs, and that its port and secret for components are those of [domain.component]",
	}
	var se stream.Error
	if errors.As(err, &se) && se.Err == stream.Conflict.Err {
		f.hint = "a running xtokend holds this name: stop it meanwhile, or give this command --config with a copy of the settings in which [domain.component] has the name and secret of a second component"
	}
	return nil, f
}

// add makes an account. there is true for one that xtokend made before; one
// with a password of its own is an error, as its user cannot log in with tokens.
func (a *accounts) add(ctx context.Context, user jid.JID) (there bool, err error) {
	err = a.link.Add(ctx, user, server.Password(a.secret, user))
	if !errors.Is(err, server.ErrAccountExists) {
		return false, err
	}
	conn, err := a.server.Open(ctx, user)
	if err == nil {
		conn.Close()
		return true, nil
	}
	var refusal *upstream.Refusal
	if errors.As(err, &refusal) {
		return false, errors.New("the account exists, with a password that xtokend has not set")
	}
	return false, fmt.Errorf("the account exists, and logging in to see whether xtokend made it has failed: %w", err)
}

// remove deletes an account. missing is true if there was none.
func (a *accounts) remove(ctx context.Context, user jid.JID) (missing bool, err error) {
	err = a.link.Remove(ctx, user)
	if errors.Is(err, link.ErrNoAccount) {
		return true, nil
	}
	return false, err
}
