package main

import (
	"fmt"
	"strings"
	"time"

	"xtokend/cmd/xtokend/internal/config"
)

type checkCommand struct {
	settingsFlag
}

// Run prints what the settings say, if they are right, and in any case all
// warnings and faults.
func (c *checkCommand) Run(p *process) error {
	cfg, err := config.Load(c.Config, config.Options{Need: config.Everything})
	p.warn(cfg.Warnings)
	if err != nil {
		return err
	}
	fmt.Fprintf(p.stdout, "settings: %s\n", cfg.Path)
	for _, l := range cfg.Listeners {
		fmt.Fprintf(p.stdout, "listen: %s\n", l)
	}
	if cfg.TLS != nil {
		fmt.Fprintf(p.stdout, "tls: %s, until %s\n", strings.Join(cfg.TLS.Pair.Leaf.DNSNames, " "), cfg.TLS.Pair.Leaf.NotAfter.UTC().Format(time.RFC3339))
	}
	for i := range cfg.Domains {
		p.describe(&cfg.Domains[i])
	}
	fmt.Fprintf(p.stdout, "replay: %s %s\n", cfg.Replay.Store, cfg.Replay.Path)
	fmt.Fprintln(p.stdout, "ok")
	return nil
}

func (p *process) describe(d *config.Domain) {
	fmt.Fprintf(p.stdout, "domain: %s, keys: %d, skew: %d, mechanisms: %s\n", d.Name, len(d.Keys), d.Skew, strings.Join(d.Mechanisms, " "))
	fmt.Fprintf(p.stdout, "  server: %s, tls: %s, accounts: %s\n", strings.Join(d.Server.Addresses, " "), d.Server.TLS, d.Server.Accounts)
	if d.Component != nil {
		fmt.Fprintf(p.stdout, "  component: %s at %s, tls: %s\n", d.Component.Name, d.Component.Address, d.Component.TLS)
	}
}
