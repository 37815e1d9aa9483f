package main

import (
	"fmt"
	"log/slog"

	"xtokend/cmd/xtokend/internal/config"
	"xtokend/component/host"
	"xtokend/component/server"
)

// keptHost is a host and what it was made of.
type keptHost struct {
	*host.Host
	settings config.Host
	limits   host.Limits
}

// host returns the host of a domain, and makes it if there is none yet. It takes
// what the front lets through, and sends nothing that the front would not. One
// that is there stays as it is: its file cannot be opened twice, and whoever is
// online is online there.
func (p *parts) host(d *config.Domain, l config.Limits) (*keptHost, error) {
	if h := p.hosts[d.Name]; h != nil {
		return h, nil
	}
	limits := hostLimits(l)
	h, err := host.New(host.Config{
		Domain: d.Name, Rooms: d.Host.Rooms, Path: d.Host.Path, Log: p.domainLog(d), Limits: limits,
	})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", d.Name, err)
	}
	if p.hosts == nil {
		p.hosts = make(map[string]*keptHost)
	}
	p.hosts[d.Name] = &keptHost{h, d.Host, limits}
	return p.hosts[d.Name], nil
}

func hostLimits(l config.Limits) host.Limits {
	return host.Limits{ElementBytes: l.ElementBytes, ElementDepth: l.ElementDepth, OutputBytes: l.UpstreamElementBytes}
}

// server makes the upstream of a domain, and its component link if it has one. The
// link stays if its settings are as before, and the server remembers what it knew.
func (p *parts) server(d *config.Domain) (*domainPart, error) {
	old := p.current().served[d.Name]
	if old == nil {
		old = &domainPart{}
	}
	part := &domainPart{}
	c := serverConfig(d)
	c.Log = p.domainLog(d)
	c.PreviousUsed = p.metrics.PreviousSecret(d.Name)
	var err error
	switch d.Server.Accounts {
	case config.AccountsComponent:
		if part.link, err = p.link(d, old.link); err != nil {
			return part, err
		}
		if part.accounts = old.accounts; part.accounts == nil {
			part.accounts = &linkAccounts{}
			part.accounts.current.Store(part.link)
		}
		c.Accounts = part.accounts
	case config.AccountsRegister:
		if c.Accounts, err = server.NewRegistration(c); err != nil {
			return part, err
		}
	}
	if old.server == nil {
		part.server, err = server.New(c)
	} else {
		part.server, err = old.server.Renew(c)
	}
	return part, err
}

func (p *parts) domainLog(d *config.Domain) *slog.Logger { return p.log.With("domain", d.Name) }
