package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"xtokend/cmd/xtokend/internal/config"
)

// describeSettings prints what the settings say.
func (p *process) describeSettings(cfg *config.Config) {
	fmt.Fprintf(p.stdout, "settings: %s\n", cfg.Path)
	for _, l := range cfg.Listeners {
		fmt.Fprintf(p.stdout, "listen: %s\n", l)
	}
	p.describeOperations(cfg)
	if slices.ContainsFunc(cfg.Listeners, config.Listener.IsWeb) {
		p.describeWeb(cfg)
	}
	if cfg.TLS != nil {
		fmt.Fprintf(p.stdout, "tls: %s, until %s\n", strings.Join(cfg.TLS.Pair.Leaf.DNSNames, " "), cfg.TLS.Pair.Leaf.NotAfter.UTC().Format(time.RFC3339))
	}
	for i := range cfg.Domains {
		p.describe(&cfg.Domains[i])
	}
	p.describeReplay(&cfg.Replay)
}

// describeReplay prints where used tokens are remembered.
func (p *process) describeReplay(r *config.Replay) {
	if r.Store != config.ReplayRedis {
		fmt.Fprintf(p.stdout, "replay: %s %s\n", r.Store, r.Path)
		return
	}
	kind := "server"
	switch {
	case r.Redis.Sentinel != "":
		kind = r.Redis.Sentinel + " of the sentinels"
	case len(r.Redis.Addresses) > 1:
		kind = "cluster"
	}
	protection := "none"
	if r.Redis.TLS {
		protection = "direct"
	}
	fmt.Fprintf(p.stdout, "replay: %s, %s %s, database: %d, tls: %s\n", r.Store, kind, strings.Join(r.Redis.Addresses, " "), r.Redis.Database, protection)
}

// describeOperations prints where the daemon can be watched, told what to do and
// asked.
func (p *process) describeOperations(cfg *config.Config) {
	if cfg.Admin != "" {
		fmt.Fprintf(p.stdout, "admin: %s\n", cfg.Admin)
	}
	if cfg.Metrics.IsValid() {
		fmt.Fprintf(p.stdout, "metrics: %s\n", cfg.Metrics)
	}
	if cfg.HTTPAuth != nil {
		fmt.Fprintf(p.stdout, "http_auth: %s\n", cfg.HTTPAuth.Listener)
	}
}

// describeWeb prints who may connect from a browser, and through whom.
func (p *process) describeWeb(cfg *config.Config) {
	origins := "the same origin"
	if len(cfg.AllowedOrigins) > 0 {
		origins = strings.Join(cfg.AllowedOrigins, " ")
	}
	proxies := make([]string, len(cfg.TrustedProxies))
	for i, prefix := range cfg.TrustedProxies {
		if proxies[i] = prefix.String(); prefix.IsSingleIP() {
			proxies[i] = prefix.Addr().String()
		}
	}
	if len(proxies) == 0 {
		proxies = []string{"none"}
	}
	fmt.Fprintf(p.stdout, "browsers: pages of %s, trusted proxies: %s\n", origins, strings.Join(proxies, " "))
}

// describe prints a domain in short.
func (p *process) describe(d *config.Domain) {
	fmt.Fprintf(p.stdout, "domain: %s, keys: %d, skew: %d, mechanisms: %s\n", d.Name, len(d.Keys), d.Skew, strings.Join(d.Mechanisms, " "))
	switch d.Upstream {
	case config.UpstreamHost:
		p.describeHost(d.Host)
	case config.UpstreamNone:
		fmt.Fprintln(p.stdout, "  clients: of another server, which asks about their tokens")
	default:
		fmt.Fprintf(p.stdout, "  server: %s, tls: %s, accounts: %s\n", strings.Join(d.Server.Addresses, " "), d.Server.TLS, d.Server.Accounts)
	}
	if d.Users != nil {
		fmt.Fprintf(p.stdout, "  users: %d\n", len(d.Users))
	}
	if len(d.PublicURLs) > 0 {
		fmt.Fprintf(p.stdout, "  host-meta: %s\n", strings.Join(d.PublicURLs, " "))
	}
	if d.Component != nil {
		fmt.Fprintf(p.stdout, "  component: %s at %s, tls: %s\n", d.Component.Name, d.Component.Address, d.Component.TLS)
	}
}

func (p *process) describeHost(h config.Host) {
	path, rooms := h.Path, h.Rooms
	if path == "" {
		path = "in memory"
	}
	if rooms == "" {
		rooms = "none"
	}
	fmt.Fprintf(p.stdout, "  host: %s, rooms: %s\n", path, rooms)
}
