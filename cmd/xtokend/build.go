package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"xtokend/auth/replay"
	"xtokend/cmd/xtokend/internal/config"
	"xtokend/cmd/xtokend/internal/metrics"
	"xtokend/component"
	"xtokend/component/host"
	"xtokend/component/link"
	"xtokend/component/server"
	"xtokend/component/web"
)

// parts is what a running daemon consists of.
type parts struct {
	front *component.Front
	web   *web.Server // nil without a listener for it
	store replay.Store
	// shared is the store itself if nodes share it, else nil.
	shared *replay.Redis
	links  []*link.Link
	hosts  []*host.Host

	metrics     *metrics.Metrics
	certificate *certificate // nil without TLS
	cfg         *config.Config
	started     time.Time
}

// close ends what the sessions use. It is called when they have ended.
func (p *parts) close() error {
	var errs []error
	for _, h := range p.hosts {
		errs = append(errs, h.Close())
	}
	return errors.Join(append(errs, p.store.Close())...)
}

// awaitLinks waits for the component links, not for long: logins of known users
// do without.
func (p *parts) awaitLinks(ctx context.Context) {
	ctx, done := context.WithTimeout(ctx, linkPatience)
	defer done()
	for _, l := range p.links {
		l.Wait(ctx)
	}
}

// build makes the parts that the settings ask for. Nothing runs yet.
func build(cfg *config.Config, log *slog.Logger) (_ *parts, err error) {
	p := &parts{cfg: cfg, metrics: metrics.New(version(), commit(), time.Now), started: time.Now()}
	if p.store, err = openStore(cfg.Replay, log); err != nil {
		return nil, err
	}
	p.shared, _ = p.store.(*replay.Redis)
	p.store = p.metrics.Store(p.store)
	defer func() {
		if err != nil {
			err = errors.Join(err, p.close())
		}
	}()
	front := component.Config{Limits: frontLimits(cfg.Limits), TrustedProxies: cfg.TrustedProxies, Logger: log, Observe: p.metrics.Attempt}
	if cfg.TLS != nil {
		p.certificate = newCertificate(cfg.TLS, log, time.Now)
		front.TLS = &tls.Config{
			MinVersion:     tls.VersionTLS12,
			GetCertificate: p.certificate.get,
		}
	}
	for i := range cfg.Domains {
		d, err := p.domain(&cfg.Domains[i], &cfg.Limits, log.With("domain", cfg.Domains[i].Name))
		if err != nil {
			return nil, err
		}
		d.Upstream = p.metrics.Upstream(d.Name, d.Upstream)
		front.Domains = append(front.Domains, d)
	}
	if p.front, err = component.New(front); err != nil {
		return nil, err
	}
	if slices.ContainsFunc(cfg.Listeners, config.Listener.IsWeb) {
		p.web, err = web.New(webConfig(cfg, p.front, front.TLS, log))
	}
	return p, err
}

func frontLimits(l config.Limits) component.Limits {
	return component.Limits{
		AuthAttempts:              l.AuthAttempts,
		FailedPerMinutePerAddress: l.FailedPerMinutePerAddress,
		FailedPerMinutePerUser:    l.FailedPerMinutePerUser,
		IPv6Prefix:                l.IPv6Prefix,
		Streams:                   l.Streams,
		StreamsPerAddress:         l.StreamsPerAddress,
		Unauthenticated:           l.Unauthenticated,
		ElementBytes:              l.ElementBytes,
		UpstreamElementBytes:      l.UpstreamElementBytes,
		ElementDepth:              l.ElementDepth,
		NegotiationTimeout:        l.NegotiationTimeout,
		WriteTimeout:              l.WriteTimeout,
	}
}

// webConfig returns what the server for browsers in front of front is made of.
func webConfig(cfg *config.Config, front *component.Front, tls *tls.Config, log *slog.Logger) web.Config {
	c := web.Config{
		Front:          front,
		TrustedProxies: cfg.TrustedProxies,
		AllowedOrigins: cfg.AllowedOrigins,
		Node:           cfg.Node,
		Limits: web.Limits{
			Connections:           cfg.Limits.Streams,
			ConnectionsPerAddress: 2 * cfg.Limits.StreamsPerAddress,
			IPv6Prefix:            cfg.Limits.IPv6Prefix,
			ElementBytes:          cfg.Limits.ElementBytes,
			BOSHSessions:          cfg.Limits.BOSHSessions,
			BOSHBufferBytes:       cfg.Limits.BOSHBufferBytes,
			WriteTimeout:          cfg.Limits.WriteTimeout,
		},
		TLS:    tls,
		Logger: log,
	}
	for i := range cfg.Domains {
		c.Domains = append(c.Domains, web.Domain{Name: cfg.Domains[i].Name, PublicURLs: cfg.Domains[i].PublicURLs})
	}
	return c
}

func openStore(r config.Replay, log *slog.Logger) (replay.Store, error) {
	switch r.Store {
	case config.ReplayMemory:
		return replay.NewMemory(replay.MemoryOptions{}), nil
	case config.ReplayRedis:
		return openRedis(r.Redis, log)
	}
	store, err := replay.OpenFile(r.Path, replay.FileOptions{})
	if err != nil {
		return nil, fmt.Errorf("replay.path: %w", err)
	}
	if lost := store.Lost(); lost != "" {
		log.Warn("the replay store may have lost uses", "path", r.Path, "cause", lost)
	}
	return store, nil
}

func (p *parts) domain(d *config.Domain, limits *config.Limits, log *slog.Logger) (component.Domain, error) {
	verifier, err := d.Verifier(p.store)
	if err != nil {
		return component.Domain{}, err
	}
	c := component.Domain{Name: d.Name, Verifier: verifier, Mechanisms: d.Mechanisms}
	if d.Upstream == config.UpstreamHost {
		c.Upstream, err = p.host(d, limits, log)
	} else {
		c.Upstream, err = p.server(d, log)
	}
	return c, err
}

// host makes the upstream of a domain that is served inside the program. It takes
// what the front lets through, and sends nothing that the front would not.
func (p *parts) host(d *config.Domain, limits *config.Limits, log *slog.Logger) (*host.Host, error) {
	h, err := host.New(host.Config{
		Domain: d.Name, Rooms: d.Host.Rooms, Path: d.Host.Path, Log: log,
		Limits: host.Limits{ElementBytes: limits.ElementBytes, ElementDepth: limits.ElementDepth, OutputBytes: limits.UpstreamElementBytes},
	})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", d.Name, err)
	}
	p.hosts = append(p.hosts, h)
	return h, nil
}

// server makes the upstream of a domain, and its component link if it has one.
func (p *parts) server(d *config.Domain, log *slog.Logger) (*server.Server, error) {
	c := serverConfig(d)
	c.Log = log
	switch d.Server.Accounts {
	case config.AccountsComponent:
		lc := linkConfig(d, log)
		lc.Admins, lc.Operations = d.Admins, &linkOperations{parts: p, domain: d}
		l, err := link.New(lc)
		if err != nil {
			return nil, err
		}
		p.links = append(p.links, l)
		c.Accounts = l
	case config.AccountsRegister:
		r, err := server.NewRegistration(c)
		if err != nil {
			return nil, err
		}
		c.Accounts = r
	}
	return server.New(c)
}

func serverConfig(d *config.Domain) server.Config {
	modes := map[config.Protection]server.TLSMode{
		config.Plaintext: server.TLSNone, config.STARTTLS: server.StartTLS, config.DirectTLS: server.DirectTLS,
	}
	return server.Config{
		Domain:        d.Name,
		Addresses:     d.Server.Addresses,
		TLS:           modes[d.Server.TLS],
		TLSConfig:     &tls.Config{RootCAs: d.Server.RootCAs, ServerName: d.Server.ServerName, MinVersion: tls.VersionTLS12},
		AccountSecret: []byte(d.Server.AccountSecret.Reveal()),
		SendProxy:     d.Server.SendProxy,
		Takeover:      d.Server.Takeover,
		Protected:     d.Server.Protected,
	}
}

// linkConfig returns what the component link of a domain that has one is made of.
func linkConfig(d *config.Domain, log *slog.Logger) link.Config {
	c := link.Config{
		Address: d.Component.Address,
		Name:    d.Component.Name,
		Secret:  []byte(d.Component.Secret.Reveal()),
		Domain:  d.Name,
		Version: version(),
		Log:     log,
	}
	if d.Component.TLS == config.DirectTLS {
		c.TLS = &tls.Config{RootCAs: d.Server.RootCAs, ServerName: d.Server.ServerName, MinVersion: tls.VersionTLS12}
	}
	return c
}
