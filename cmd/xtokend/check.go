package main

import (
	"fmt"
	"os"
	"path/filepath"

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
