package main

import (
	"context"
	"errors"
	"reflect"
	"slices"
	"sync/atomic"

	"mellium.im/xmpp/jid"

	"xtokend/cmd/xtokend/internal/config"
	"xtokend/component/link"
	"xtokend/component/server"
)

// componentLink is a component link and what it was made of.
type componentLink struct {
	*link.Link
	settings config.Domain
	stop     context.CancelFunc // nil before start
	ended    chan struct{}      // closed when it has ended
}

// link returns the component link of a domain, which is the old one, if there is
// one, as long as its settings stay. A new one does not run yet.
func (p *parts) link(d *config.Domain, old *componentLink) (*componentLink, error) {
	if old != nil && sameLink(&old.settings, d) {
		return old, nil
	}
	c := linkConfig(d, p.domainLog(d))
	c.Admins, c.Operations = d.Admins, &linkOperations{parts: p, domain: d}
	l, err := link.New(c)
	if err != nil {
		return nil, err
	}
	return &componentLink{Link: l, settings: *d, ended: make(chan struct{})}, nil
}

// sameLink says whether two domains have the same settings of what link reads.
func sameLink(a, b *config.Domain) bool {
	return a.Name == b.Name && reflect.DeepEqual(a.Component, b.Component) && slices.EqualFunc(a.Admins, b.Admins, jid.JID.Equal) &&
		(a.Component.TLS != config.DirectTLS || a.Server.ServerName == b.Server.ServerName && a.Server.RootCAs.Equal(b.Server.RootCAs))
}

func (l *componentLink) start() {
	ctx, stop := context.WithCancel(context.Background())
	l.stop = stop
	go func() {
		defer close(l.ended)
		l.Run(ctx)
	}()
}

// end closes the link, if it runs, and returns when it is closed: a server may
// take one connection of a name alone.
func (l *componentLink) end() {
	if l.stop != nil {
		l.stop()
		<-l.ended
	}
}

// links are those of the settings in use.
func (p *parts) links() []*componentLink {
	var all []*componentLink
	for _, part := range p.current().served {
		if part.link != nil {
			all = append(all, part.link)
		}
	}
	return all
}

// startLinks starts those that do not run yet.
func (p *parts) startLinks() {
	for _, l := range p.links() {
		if l.stop == nil {
			l.start()
		}
	}
}

// replaceLinks ends the links that are no part of the next plan, and starts those
// that are new in it. A name may have moved from one domain to another: all of the
// old ones end first.
func (p *parts) replaceLinks(before, next *plan) {
	for name, part := range before.served {
		if now := next.served[name]; part.link != nil && (now == nil || now.link != part.link) {
			part.link.end()
		}
	}
	p.startLinks()
}

func (p *parts) endLinks() {
	for _, l := range p.links() {
		l.end()
	}
}

// awaitLinks waits for the component links, not for long: logins of known users
// do without.
func (p *parts) awaitLinks(ctx context.Context) {
	ctx, done := context.WithTimeout(ctx, linkPatience)
	defer done()
	for _, l := range p.links() {
		l.Wait(ctx)
	}
}

// linkAccounts makes accounts through the link that a domain has at the moment, so
// that a login which a reload falls into need not fail.
type linkAccounts struct{ current atomic.Pointer[componentLink] }

var (
	_ server.Accounts        = (*linkAccounts)(nil)
	_ server.ResourceCounter = (*linkAccounts)(nil)
)

// Add implements [server.Accounts].
func (a *linkAccounts) Add(ctx context.Context, user jid.JID, password string) error {
	return a.do(func(l *componentLink) error { return l.Add(ctx, user, password) })
}

// SetPassword implements [server.Accounts].
func (a *linkAccounts) SetPassword(ctx context.Context, user jid.JID, password string) error {
	return a.do(func(l *componentLink) error { return l.SetPassword(ctx, user, password) })
}

// Resources implements [server.ResourceCounter].
func (a *linkAccounts) Resources(ctx context.Context, user jid.JID) (n int, err error) {
	err = a.do(func(l *componentLink) error {
		n, err = l.Resources(ctx, user)
		return err
	})
	return n, err
}

// do asks the next link if the first one was closed for it under way. Whatever the
// first one has done of it, doing it again does no harm.
func (a *linkAccounts) do(ask func(*componentLink) error) error {
	l := a.current.Load()
	err := ask(l)
	if next := a.current.Load(); next != l && errors.Is(err, link.ErrDown) {
		return ask(next)
	}
	return err
}
