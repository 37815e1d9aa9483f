package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"xtokend/cmd/xtokend/internal/config"
	"xtokend/cmd/xtokend/internal/migrate"
)

type migrateCommand struct {
	Settings string   `arg:"" name:"prosody.cfg.lua" help:"Prosody's settings, /etc/prosody/prosody.cfg.lua say."`
	Folder   string   `placeholder:"DIR" default:"${folder}" help:"Where xtokend's settings go (default ${folder})."`
	Issuer   []string `placeholder:"FILE" sep:"none" help:"Where the key is if Prosody's settings do not hold it: a buildout's secrets.cfg, or a zope.conf."`
	Port     int      `name:"server-port" placeholder:"PORT" default:"5322" help:"The loopback port that Prosody's port for clients is moved to (default 5322)."`
	Write    bool     `help:"Write the files. Without it nothing is touched."`
	Users    string   `placeholder:"DOMAIN" help:"Print the users of DOMAIN who have left something on the server, for xtokend accounts add."`
}

// Run shows what takes the place of the Lua modules, and writes it if told to.
func (c *migrateCommand) Run(p *process) error {
	o := migrate.Options{Path: c.Settings, Folder: c.Folder, Issuers: c.Issuer, ServerPort: c.Port}
	if c.Users != "" {
		return c.users(p, o)
	}
	plan, err := migrate.Make(o)
	switch {
	case errors.Is(err, migrate.ErrMigrated):
		fmt.Fprintf(p.stdout, "%s: nothing to do: %v\n", c.Settings, err)
		return nil
	case errors.Is(err, migrate.ErrNoTokens):
		return usage("name the settings that Prosody runs with", "%s: %v", c.Settings, err)
	case errors.Is(err, migrate.ErrPartly):
		return usage("make by hand what was left to you then; or put the settings back that were kept, "+c.Settings+".before-xtokend, and migrate all at once",
			"%s: %v", c.Settings, err)
	case err != nil:
		return &failure{status: exitUsage, text: err.Error(), cause: err}
	}
	if err := c.otherDomains(plan.Domains); err != nil {
		return err
	}
	if info, err := os.Stat(c.Folder); c.Write && (err != nil || !info.IsDir()) {
		return usage("make it: install -d -m 750 -g xtokend "+c.Folder, "there is no folder %s", c.Folder)
	}
	showPlan(p, plan)
	if own := plan.Own[0]; own.Before != own.After && c.serves(plan.Domains) {
		p.say("warning", own.Path+" serves these users already, and is replaced",
			"carry over what you want of it; above all the account secret, if it is another: without it nobody gets into an account that it has made")
	}
	if c.Write {
		if err := writePlan(p, plan); err != nil {
			return err
		}
	}
	c.next(p, plan)
	if c.Write {
		// What is wrong with the new settings is told last, to be seen.
		cfg, err := config.Load(c.path(), config.Options{Need: config.Everything})
		p.warn(cfg.Warnings)
		if err != nil {
			return err
		}
	}
	if len(plan.ByHand) > 0 {
		return &failure{status: exitFailure}
	}
	return nil
}

// showPlan prints the changes, and what is left to the administrator.
func showPlan(p *process, plan *migrate.Plan) {
	fmt.Fprint(p.stdout, plan.Diff())
	for _, text := range plan.Left {
		p.say("warning", text, "")
	}
	for _, b := range plan.ByHand {
		host := "of " + b.Host
		if b.Host == "*" {
			host = "of the whole server"
		}
		p.say("error", fmt.Sprintf("%s: cannot be changed here: %s", b.Place, b.Why), fmt.Sprintf("write by hand, %s: %s", host, b.Line))
	}
}

// otherDomains refuses to write settings in the place of some that serve a domain
// which is not migrated now. The example that the program is installed with is no such.
func (c *migrateCommand) otherDomains(domains []string) error {
	cfg, _ := config.Load(c.path(), config.Options{}) // what there is of it
	for _, d := range cfg.Domains {
		if d.Name != "" && !reserved(d.Name) && !slices.Contains(domains, d.Name) {
			return usage("name another folder with --folder, and copy the new [[domain]] by hand", "%s serves %s too", c.path(), d.Name)
		}
	}
	return nil
}

// serves reports whether settings that are there serve one of these domains.
func (c *migrateCommand) serves(domains []string) bool {
	cfg, _ := config.Load(c.path(), config.Options{}) // what there is of it
	return slices.ContainsFunc(cfg.Domains, func(d config.Domain) bool { return slices.Contains(domains, d.Name) })
}

// reserved says whether a name is for documents, so that nobody's users have it (RFC
// 2606 §2, §3).
func reserved(domain string) bool {
	return slices.ContainsFunc([]string{"example", "example.com", "example.net", "example.org"}, func(name string) bool {
		return domain == name || strings.HasSuffix(domain, "."+name)
	})
}

// writePlan writes all files, and names those that it has kept.
func writePlan(p *process, plan *migrate.Plan) error {
	backups, err := plan.Write()
	for _, path := range backups {
		fmt.Fprintf(p.stdout, "kept: %s\n", path)
	}
	return err
}

func (c *migrateCommand) path() string { return filepath.Join(c.Folder, "xtokend.toml") }

// next says what is to be done then, in its order.
func (c *migrateCommand) next(p *process, plan *migrate.Plan) {
	fmt.Fprintln(p.stdout, "\nnext:")
	step := func(format string, args ...any) { fmt.Fprintf(p.stdout, "  "+format+"\n", args...) }
	if !c.Write {
		step("the same command with --write")
	}
	step("xtokend check --config %s", c.path())
	step("systemctl restart prosody")
	for _, domain := range plan.Domains {
		step("xtokend migrate --users %s %s | xtokend accounts --config %s --domain %s add", domain, c.Settings, c.path(), domain)
	}
	step("systemctl enable --now xtokend") // it holds the component's name, which accounts need
	step("xtokend check --live --config %s", c.path())
}

// users prints the names of those who need an account.
func (c *migrateCommand) users(p *process, o migrate.Options) error {
	users, queries, err := migrate.Users(o, c.Users)
	if errors.Is(err, migrate.ErrNoData) {
		return usage(`write data_path = "…" there, with the folder that "prosodyctl about" names`, "%s: %v", c.Settings, err)
	}
	if err != nil {
		return &failure{status: exitUsage, text: err.Error(), cause: err}
	}
	for _, user := range users {
		fmt.Fprintln(p.stdout, user)
	}
	for _, query := range queries {
		p.say("warning", "other users are in Prosody's database: ask it, and give the names to xtokend accounts add", query)
	}
	return nil
}
