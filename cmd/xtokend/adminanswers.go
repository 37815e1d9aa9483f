package main

import (
	"context"
	"errors"
	"strings"
	"time"

	"mellium.im/xmpp/jid"

	"xtokend/auth"
	"xtokend/cmd/xtokend/internal/admin"
	"xtokend/cmd/xtokend/internal/config"
	"xtokend/cmd/xtokend/internal/doctor"
	"xtokend/component"
	"xtokend/component/link"
)

const (
	revokeTimeout = 10 * time.Second // the wait for the replay store
	removeTimeout = 10 * time.Second // … for the server
)

// Status implements [admin.Daemon].
func (o *operations) Status(ctx context.Context) admin.Status {
	p := o.parts
	cfg := p.current().cfg
	stats := p.front.Stats()
	s := admin.Status{
		Version:         version(),
		Started:         p.started.UTC(),
		Draining:        p.front.Draining(),
		NotReady:        o.notReady(ctx),
		Sessions:        stats.Authenticated(),
		Unauthenticated: stats.Unauthenticated,
		Store:           admin.Store{Kind: string(p.begun.Replay.Store), State: string(p.metrics.StoreState())},
	}
	s.Logins.Accepted, s.Logins.Refused = p.metrics.Logins()
	for _, l := range cfg.Listeners {
		s.Listeners = append(s.Listeners, l.String())
	}
	links := p.linksUp()
	for i := range cfg.Domains {
		d := &cfg.Domains[i]
		domain := admin.Domain{Name: d.Name, Upstream: string(d.Upstream)}
		if d.Upstream != config.UpstreamNone {
			domain.State = string(p.metrics.UpstreamState(d.Name))
		}
		if up, ok := links[d.Name]; ok {
			domain.Link = map[bool]string{true: "up", false: "down"}[up]
		}
		s.Domains = append(s.Domains, domain)
	}
	return s
}

// Sessions implements [admin.Daemon].
func (o *operations) Sessions() []admin.Session {
	all := []admin.Session{}
	for _, s := range o.parts.front.Sessions() {
		address := ""
		if s.Address.IsValid() {
			address = s.Address.String()
		}
		all = append(all, admin.Session{
			User: s.User.String(), Address: address, Transport: s.Transport, Mechanism: s.Mechanism,
			Began: s.Began.UTC(), FromClient: s.FromClient, ToClient: s.ToClient,
		})
	}
	return all
}

// Revoke implements [admin.Daemon].
func (o *operations) Revoke(ctx context.Context, address string) (admin.Revoked, error) {
	user, err := o.user(address)
	if err != nil {
		return admin.Revoked{}, err
	}
	ctx, done := context.WithTimeout(ctx, revokeTimeout)
	defer done()
	revoked := admin.Revoked{User: user.String()}
	revoked.Ended, err = o.parts.front.Revoke(ctx, user)
	switch {
	case errors.Is(err, component.ErrUnknownDomain) && revoked.Ended > 0:
		return revoked, &admin.Error{
			Text: user.Domainpart() + " is served here no more, so the tokens of " + revoked.User + " are not revoked; sessions ended here: " + count(revoked.Ended),
			Hint: "nobody can log in to that domain here; run this command also where it is served",
		}
	case errors.Is(err, component.ErrUnknownDomain):
		return revoked, &admin.Error{Usage: true, Text: user.Domainpart() + " is not served here", Hint: "served: " + strings.Join(o.parts.domains(), " ")}
	case err != nil:
		o.log.Warn("the replay store has not recorded a revocation", "user", revoked.User, "error", err)
		return revoked, &admin.Error{
			Text: "the tokens of " + revoked.User + " are NOT revoked, because the replay store does not answer; sessions ended here: " + count(revoked.Ended),
			Hint: "until it answers nobody can log in; then run this command again",
		}
	}
	return revoked, nil
}

// user prepares an address as the front prepares the name of who logs in.
func (o *operations) user(address string) (jid.JID, error) {
	at := strings.LastIndexByte(address, '@')
	if at < 0 {
		return jid.JID{}, &admin.Error{Usage: true, Text: "that is no user's address", Hint: "write alice@example.org, say"}
	}
	if strings.ContainsRune(address[at:], '/') {
		return jid.JID{}, &admin.Error{Usage: true, Text: "the address has a resource", Hint: "leave out the slash and what follows it: all of the user's sessions are meant"}
	}
	name, err := auth.PrepareName(address[:at])
	if err != nil {
		return jid.JID{}, &admin.Error{Usage: true, Text: "nobody can log in by that name: " + err.Error()}
	}
	user, err := jid.New(name.Localpart(), address[at+1:], "")
	if err != nil {
		return jid.JID{}, &admin.Error{Usage: true, Text: "that is no user's address: its domain is none", Hint: "write alice@example.org, say"}
	}
	return user, nil
}

// RemoveTrial implements [admin.Daemon].
func (o *operations) RemoveTrial(ctx context.Context, address string) error {
	user, err := o.user(address)
	if err != nil {
		return err
	}
	if !strings.HasPrefix(user.Localpart(), doctor.TrialPrefix) {
		return &admin.Error{Usage: true, Text: user.String() + " is no trial account", Hint: "accounts of users are removed with `xtokend accounts remove`"}
	}
	ctx, done := context.WithTimeout(ctx, removeTimeout)
	defer done()
	part := o.parts.current().served[user.Domainpart()]
	if part == nil || part.link == nil {
		return &admin.Error{Text: "xtokend makes no accounts in " + user.Domainpart()}
	}
	if err := part.link.Remove(ctx, user); !errors.Is(err, link.ErrNoAccount) {
		return err
	}
	return nil
}

// Drain implements [admin.Daemon].
func (o *operations) Drain() admin.Drained {
	front := o.parts.front
	already := front.Draining()
	front.Drain()
	o.turnAway()
	stats := front.Stats()
	return admin.Drained{Already: already, Left: stats.Authenticated() + stats.Unauthenticated}
}
