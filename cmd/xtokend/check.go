package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"xtokend/cmd/xtokend/internal/config"
)

type checkCommand struct {
	settingsFlag
	Live bool `help:"Also look at the server, the component link, ports, certificates, clocks and the DNS, and log in with a token, to a trial account that is removed again."`
	JSON bool `name:"json" help:"Print what was found as JSON."`
}

// Run prints what the settings say, if they are right, and in any case all
// warnings and faults.
func (c *checkCommand) Run(p *process) error {
	cfg, err := config.Load(c.Config, config.Options{Need: config.Everything})
	warnings := append(cfg.Warnings, missingFolders(&cfg)...)
	if c.JSON {
		return c.runJSON(p, &cfg, warnings, err)
	}
	p.warn(warnings)
	if err != nil {
		return err
	}
	p.describeSettings(&cfg)
	if c.Live {
		p.flush()
		return p.tell(examineHere(&cfg))
	}
	fmt.Fprintln(p.stdout, "ok")
	return nil
}

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

// missingFolders warns if a file that xtokend will make has no folder: at the first
// check systemd may not have made it yet, so that it is no fault.
func missingFolders(cfg *config.Config) (missing []config.Finding) {
	check := func(key, path string) {
		folder := filepath.Dir(path)
		if info, err := os.Stat(folder); err != nil || !info.IsDir() {
			missing = append(missing, config.Finding{Key: key, Text: "there is no folder " + folder, Hint: "make it for the user that xtokend runs as; systemd does so when the service starts"})
		}
	}
	for i, d := range cfg.Domains {
		if d.Host.Path != "" {
			check(fmt.Sprintf("domain[%d].host.path", i), d.Host.Path)
		}
	}
	if cfg.Admin != "" {
		check("admin", cfg.Admin)
	}
	if cfg.Replay.Store == config.ReplayFile {
		check("replay.path", cfg.Replay.Path)
	}
	return missing
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
