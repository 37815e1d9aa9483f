package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"os"
	"os/signal"
	"syscall"
	"time"

	"mellium.im/xmpp/jid"

	"xtokend/auth"
	"xtokend/cmd/xtokend/internal/admin"
	"xtokend/cmd/xtokend/internal/config"
	"xtokend/cmd/xtokend/internal/doctor"
	"xtokend/cmd/xtokend/internal/extauth"
	"xtokend/component/link"
)

// prepareTimeout bounds what comes before an examination, but for the component links,
// each of which has its own bound.
const prepareTimeout = 30 * time.Second

// liveCheck prepares an examination, and cleans up after it.
type liveCheck struct {
	cfg     *config.Config
	options doctor.Options
	parts   *parts   // of the front that stands in; nil: none does
	cleanup []func() // to be called in reverse
}

// examineHere looks at what the settings name, from this machine. An interrupt ends it
// early; what it has made is removed all the same.
func examineHere(cfg *config.Config) []doctor.Finding {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	return examine(ctx, cfg, doctor.Options{Resolver: &net.Resolver{}, Addresses: ownAddresses()})
}

// examine fills in what the options leave open.
func examine(ctx context.Context, cfg *config.Config, o doctor.Options) []doctor.Finding {
	o.Listeners, o.Metrics, o.HTTPAuth, o.Redis = cfg.Listeners, cfg.Metrics, cfg.HTTPAuth, cfg.Replay.Redis.Addresses
	c := &liveCheck{cfg: cfg, options: o}
	defer c.close()
	found := c.prepare(ctx)
	return append(found, doctor.Examine(ctx, c.options)...)
}

func (c *liveCheck) close() {
	for i := len(c.cleanup) - 1; i >= 0; i-- {
		c.cleanup[i]()
	}
}

// prepare finds out whether the daemon runs. If it does, it is examined itself: it
// holds the components' names, the replay store and the ports. Else a front like it
// runs here meanwhile.
func (c *liveCheck) prepare(ctx context.Context) []doctor.Finding {
	ctx, cancel := context.WithTimeout(ctx, prepareTimeout)
	defer cancel()
	status, client, noAdmin := c.daemon(ctx)
	if client != nil {
		c.cleanup = append(c.cleanup, client.Close)
	}
	c.options.Running = client != nil || c.answers(ctx)
	if c.options.Running {
		c.attach(status, client, noAdmin)
		return c.state(status)
	}
	if err := c.standIn(ctx); err != nil {
		return []doctor.Finding{{Level: doctor.Error, Topic: doctor.TopicLogin, Text: "no front can be run to log in through: " + err.Error(),
			Hint: "see what else is found, and xtokend's own log when it is started"}}
	}
	return nil
}

// daemon asks the running daemon how it is. Without a client, noAdmin says why it
// could not be asked.
func (c *liveCheck) daemon(ctx context.Context) (status admin.Status, _ *admin.Client, noAdmin string) {
	if c.cfg.Admin == "" {
		return status, nil, `the daemon has no admin socket, by which it could be asked, or remove a trial account again: add admin = "unix:/run/xtokend/admin.sock"`
	}
	client := admin.NewClient(c.cfg.Admin)
	status, err := client.Status(ctx)
	if err == nil {
		return status, client, ""
	}
	client.Close()
	if errors.Is(err, fs.ErrPermission) {
		return status, nil, "no permission to use the daemon's admin socket " + c.cfg.Admin + ": run this command as root, or as the user that xtokend runs as"
	}
	return status, nil, "the daemon does not answer at its admin socket " + c.cfg.Admin
}

// answers says whether an xtokend answers at a listener of the settings.
func (c *liveCheck) answers(ctx context.Context) bool {
	for _, l := range c.cfg.Listeners {
		for i := range c.cfg.Domains {
			d := &c.cfg.Domains[i]
			if doctor.Answers(ctx, doctor.Target{Listener: l, Address: doctor.Reachable(l.Address)}, d.Name, d.Mechanisms[0]) {
				return true
			}
		}
	}
	return false
}

// attach has the running daemon examined.
func (c *liveCheck) attach(status admin.Status, client *admin.Client, noAdmin string) {
	listeners := c.cfg.Listeners
	if client != nil {
		listeners = parseListeners(status.Listeners)
	}
	for _, l := range listeners {
		c.options.Targets = append(c.options.Targets, doctor.Target{Listener: l, Address: doctor.Reachable(l.Address)})
	}
	for i := range c.cfg.Domains {
		d := doctor.Domain{Domain: &c.cfg.Domains[i]}
		switch {
		case client == nil:
			d.NoLogin = noAdmin
		case d.Upstream == config.UpstreamNone:
			d.Ask = askBy(client.Answer)
		case d.Upstream == config.UpstreamHost:
			d.NoLogin = "the host would keep the account; stop xtokend, and this command logs in to a host of its own"
		case d.Server.Accounts != config.AccountsComponent:
			d.NoLogin = fmt.Sprintf("accounts = %q makes no account that could be removed again", d.Server.Accounts)
		default:
			d.Remove = func(ctx context.Context, user jid.JID) error { return client.RemoveTrial(ctx, user.String()) }
		}
		c.options.Domains = append(c.options.Domains, d)
	}
}

// state tells what the running daemon says of itself.
func (c *liveCheck) state(status admin.Status) []doctor.Finding {
	var found []doctor.Finding
	for _, missing := range status.NotReady {
		found = append(found, doctor.Finding{Level: doctor.Error, Topic: doctor.TopicLogin, Text: "xtokend is not ready: " + missing,
			Hint: "see its log: journalctl -u xtokend"})
	}
	for _, d := range status.Domains {
		switch d.Link {
		case "up":
			found = append(found, doctor.Finding{Level: doctor.OK, Topic: doctor.TopicLink, Domain: d.Name, Text: "the running xtokend's component link is up"})
		case "down":
			found = append(found, doctor.Finding{Level: doctor.Error, Topic: doctor.TopicLink, Domain: d.Name, Text: "the running xtokend's component link is down",
				Hint: "its log says why: journalctl -u xtokend; or stop it and run this command again"})
		}
	}
	return found
}

// link connects the component link of a domain that has one. It outlives ctx: the
// trial account is removed through it also after an interrupt.
func (c *liveCheck) link(ctx context.Context, d *doctor.Domain) *link.Link {
	a, err := newAccounts(d.Domain)
	if err == nil {
		var disconnect func()
		if disconnect, err = a.connect(context.WithoutCancel(ctx)); err == nil {
			c.cleanup = append(c.cleanup, disconnect)
			d.LinkFinding = doctor.Finding{Level: doctor.OK, Text: "the component " + d.Component.Name + " is connected"}
			d.Link = a.link
			return a.link
		}
	}
	d.LinkFinding = doctor.Finding{Level: doctor.Error, Text: err.Error(), Hint: "see [domain.component]"}
	var f *failure
	if errors.As(err, &f) {
		d.LinkFinding.Hint = f.hint
	}
	return nil
}

// parseListeners reads listeners as the daemon tells them.
func parseListeners(texts []string) []config.Listener {
	var all []config.Listener
	for _, text := range texts {
		u, err := url.Parse(text)
		if err != nil {
			continue
		}
		if address, err := netip.ParseAddrPort(u.Host); err == nil {
			all = append(all, config.Listener{Scheme: config.Scheme(u.Scheme), Address: address, Loopback: address.Addr().IsLoopback()})
		}
	}
	return all
}

// ownAddresses are those of this machine, beyond loopback and links.
func ownAddresses() []netip.Addr {
	found, err := net.InterfaceAddrs()
	if err != nil {
		return nil
	}
	var all []netip.Addr
	for _, a := range found {
		if p, err := netip.ParsePrefix(a.String()); err == nil && !p.Addr().IsLoopback() && !p.Addr().IsLinkLocalUnicast() {
			all = append(all, p.Addr())
		}
	}
	return all
}

// standIn runs a front with the settings on free ports of loopback: its replay store
// and its hosts are in memory, for the files are the daemon's.
func (c *liveCheck) standIn(ctx context.Context) error {
	cfg := *c.cfg
	cfg.Replay = config.Replay{Store: config.ReplayMemory}
	cfg.Domains = append([]config.Domain(nil), cfg.Domains...)
	links := make(map[string]*link.Link)
	for i := range cfg.Domains {
		d := &cfg.Domains[i]
		if err := replaceKeys(d); err != nil {
			return err
		}
		own := *d
		examined := doctor.Domain{Domain: &own}
		d.Host.Path = ""
		switch {
		case d.Upstream == config.UpstreamNone:
			examined.Ask = askBy(func(ctx context.Context, q extauth.Question) (bool, error) {
				return c.parts.answer(adapterProgram)(ctx, q)
			})
		case d.Upstream == config.UpstreamHost:
			examined.Remove = func(context.Context, jid.JID) error { return nil } // in memory
		case d.Component == nil:
			examined.NoLogin = fmt.Sprintf("accounts = %q makes no account that could be removed again", d.Server.Accounts)
		default:
			if l := c.link(ctx, &examined); l != nil {
				links[d.Name] = l
				examined.Remove = func(ctx context.Context, user jid.JID) error {
					if err := l.Remove(ctx, user); !errors.Is(err, link.ErrNoAccount) {
						return err
					}
					return nil
				}
			} else {
				examined.NoLogin = "without the component link there is no account to log in to"
			}
		}
		// The account of the trial is made beforehand.
		d.Server.Accounts, d.Component = config.AccountsExisting, nil
		c.options.Domains = append(c.options.Domains, examined)
	}
	return c.runFront(&cfg)
}

// replaceKeys gives a domain a key of its own. With the issuer's a user's token could be
// good twice, here and at the daemon, which do not share a replay store. Where every
// key has ended they are left, to be told of.
func replaceKeys(d *config.Domain) error {
	if _, ok := d.SigningKey(time.Now()); !ok {
		return nil
	}
	seed, secret, err := auth.GenerateKey()
	if err != nil {
		return err
	}
	key, err := auth.NewKey(seed, secret, time.Time{})
	d.Keys = []config.Key{{Key: key}}
	return err
}

// askBy asks about a token as an external program of a server does.
func askBy(answer extauth.Answer) func(context.Context, jid.JID, string) (bool, error) {
	return func(ctx context.Context, user jid.JID, token string) (bool, error) {
		return answer(ctx, extauth.Question{Verb: extauth.CheckPassword, User: user.Localpart(), Server: user.Domainpart(), Password: token})
	}
}

// runFront serves on a free port of loopback for each listener of the settings.
func (c *liveCheck) runFront(cfg *config.Config) error {
	parts, err := build(cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	c.parts = parts
	listening := newListening(parts, nil, nil)
	c.cleanup = append(c.cleanup, func() {
		ctx, cancel := context.WithTimeout(context.Background(), shutdownTimeout)
		defer cancel()
		parts.shutdown(ctx)
		listening.wait()
		parts.close()
	})
	for _, l := range cfg.Listeners {
		opened, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		listening.accept(&listener{Listener: opened, settings: l})
		c.options.Targets = append(c.options.Targets, doctor.Target{Listener: l, Address: opened.Addr().String()})
	}
	return nil
}
