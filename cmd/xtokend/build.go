package main

import (
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"xtokend/auth/replay"
	"xtokend/cmd/xtokend/internal/config"
	"xtokend/cmd/xtokend/internal/metrics"
	"xtokend/component"
	"xtokend/component/link"
	"xtokend/component/server"
	"xtokend/component/upstream"
	"xtokend/component/web"
)

// parts is what a running daemon consists of.
type parts struct {
	log   *slog.Logger
	front *component.Front
	web   *web.Server
	store replay.Store
	// shared is the store itself if nodes share it, else nil.
	shared  *replay.Redis
	metrics *metrics.Metrics
	started time.Time
	// begun has what no reload changes: of replay, node, admin, metrics, http_auth
	// and log.format it is what is in use.
	begun *config.Config
	// hosts are all that were ever made, by domain: what a session of theirs began
	// goes on, although the domain may be no more.
	hosts map[string]*keptHost

	mu    sync.Mutex
	inUse *plan // see current
}

// domainPart is what of a domain outlives a reload that changes nothing about it.
type domainPart struct {
	server   *server.Server // nil with a host
	link     *componentLink // nil without
	accounts *linkAccounts  // through link
}

// close ends what the sessions use. It is called when they have ended.
func (p *parts) close() error {
	var errs []error
	for _, h := range p.hosts {
		errs = append(errs, h.Close())
	}
	return errors.Join(append(errs, p.store.Close())...)
}

// build makes the parts that the settings ask for. Nothing runs yet.
func build(cfg *config.Config, log *slog.Logger) (_ *parts, err error) {
	p := &parts{log: log, begun: cfg, metrics: metrics.New(version(), commit(), time.Now), started: time.Now()}
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
	next, err := p.plan(cfg)
	if err != nil {
		return nil, err
	}
	if p.front, err = component.New(next.front); err != nil {
		return nil, err
	}
	next.web.Front = p.front
	if p.web, err = web.New(next.web); err != nil {
		return nil, err
	}
	p.adopt(next)
	return p, nil
}

// plan is what settings make of the parts. Until it is adopted nothing of it is in
// use. It is not changed then.
type plan struct {
	cfg         *config.Config
	front       component.Config
	web         web.Config
	certificate *certificate           // nil without TLS
	served      map[string]*domainPart // by name
	made        []string               // names of hosts that did not exist before
}

// current is the plan in use; an empty one before the first is adopted.
func (p *parts) current() *plan {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.inUse == nil {
		return &plan{cfg: &config.Config{}}
	}
	return p.inUse
}

// plan makes what the settings ask for, of what there is already if that is as they
// ask. An error leaves everything as it was.
func (p *parts) plan(cfg *config.Config) (_ *plan, err error) {
	next := &plan{cfg: cfg, served: make(map[string]*domainPart)}
	next.front = component.Config{
		Limits: frontLimits(cfg.Limits), TrustedProxies: cfg.TrustedProxies, Logger: p.log, Observe: p.metrics.Attempt,
	}
	if cfg.TLS != nil {
		next.certificate = newCertificate(cfg.TLS, p.log, time.Now)
		next.front.TLS = &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: next.certificate.get}
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, p.discard(next))
		}
	}()
	for i := range cfg.Domains {
		d := &cfg.Domains[i]
		part := &domainPart{}
		var behind upstream.Upstream
		switch d.Upstream {
		case config.UpstreamHost:
			known := p.hosts[d.Name] != nil
			if behind, err = p.host(d, cfg.Limits); err == nil && !known {
				next.made = append(next.made, d.Name)
			}
		case config.UpstreamServer:
			part, err = p.server(d)
			behind = part.server
		}
		if err != nil {
			return nil, err
		}
		if behind != nil {
			behind = p.metrics.Upstream(d.Name, behind)
		}
		domain, err := p.domain(d, behind)
		if err != nil {
			return nil, err
		}
		next.served[d.Name] = part
		next.front.Domains = append(next.front.Domains, domain)
	}
	next.web = webConfig(cfg, next.front.TLS, p.log)
	return next, nil
}

// discard lets go of what a plan that is not adopted has opened.
func (p *parts) discard(next *plan) error {
	var errs []error
	served := p.current().served
	for i := range next.cfg.Domains {
		if name := next.cfg.Domains[i].Name; served[name] == nil {
			p.metrics.Forget(name)
		}
	}
	for _, name := range next.made {
		errs = append(errs, p.hosts[name].Close())
		delete(p.hosts, name)
	}
	return errors.Join(errs...)
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

// webConfig returns what the server for browsers is made of, but for its front.
func webConfig(cfg *config.Config, tls *tls.Config, log *slog.Logger) web.Config {
	c := web.Config{
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

func (p *parts) domain(d *config.Domain, behind upstream.Upstream) (component.Domain, error) {
	verifier, err := d.Verifier(p.store)
	if err != nil {
		return component.Domain{}, err
	}
	return component.Domain{Name: d.Name, Verifier: verifier, Mechanisms: d.Mechanisms, Upstream: behind}, nil
}

func serverConfig(d *config.Domain) server.Config {
	modes := map[config.Protection]server.TLSMode{
		config.Plaintext: server.TLSNone, config.STARTTLS: server.StartTLS, config.DirectTLS: server.DirectTLS,
	}
	return server.Config{
		Domain:         d.Name,
		Addresses:      d.Server.Addresses,
		TLS:            modes[d.Server.TLS],
		TLSConfig:      &tls.Config{RootCAs: d.Server.RootCAs, ServerName: d.Server.ServerName, MinVersion: tls.VersionTLS12},
		AccountSecret:  []byte(d.Server.AccountSecret.Reveal()),
		PreviousSecret: []byte(d.Server.PreviousSecret.Reveal()),
		SendProxy:      d.Server.SendProxy,
		Takeover:       d.Server.Takeover,
		Protected:      d.Server.Protected,
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
