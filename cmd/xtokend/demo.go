package main

import (
	"cmp"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"time"

	"mellium.im/xmpp/jid"

	"xtokend/auth"
	"xtokend/auth/replay"
	"xtokend/cmd/xtokend/internal/config"
	"xtokend/cmd/xtokend/internal/demo"
	"xtokend/component"
	"xtokend/component/web"
)

type demoCommand struct {
	Listen      string   `placeholder:"ADDR" default:"localhost:5280" help:"Where browsers connect: localhost, 127.0.0.1 or [::1] and a port, 0 for any free one (default localhost:5280)."`
	XMPP        string   `name:"xmpp" placeholder:"ADDR" help:"Where native clients connect by TCP, localhost:5222, say (default: nowhere)."`
	Domain      string   `placeholder:"NAME" default:"localhost" help:"The domain of the users (default localhost)."`
	Key         string   `placeholder:"FILE" help:"The [[domain.key]] that tokens are signed with, as xtokend keygen prints it (default: a new one)."`
	Converse    string   `placeholder:"DIR" default:"node_modules/converse.js" help:"Where the npm package converse.js lies (default node_modules/converse.js)."`
	NoPage      bool     `help:"Do without the page, and without converse.js."`
	AllowOrigin []string `placeholder:"ORIGIN" help:"Pages that may log in anybody beside the demonstration's own, http://localhost:8000, say. May be given more than once."`
	Log         string   `placeholder:"LEVEL" enum:"debug,info,warn,error" default:"warn" help:"debug, info, warn or error (default warn); info says why a login is refused."`
	Command     []string `arg:"" optional:"" help:"A command to run once clients are served, after --: its exit status becomes that of the demonstration."`
}

// Run serves until SIGTERM, SIGINT or SIGHUP, or until the command that it was given ends.
func (c *demoCommand) Run(p *process) error {
	d, err := c.prepare(p)
	if err != nil {
		return err
	}
	signals := make(chan os.Signal, 4) // of which none is lost: each is for the command
	signal.Notify(signals, endingSignals()...)
	defer signal.Stop(signals)
	return d.run(p, signals, func() { signal.Stop(signals) })
}

// demonstration is what a command line asks for.
type demonstration struct {
	http     loopbackAddress
	xmpp     *loopbackAddress // nil: none
	domain   config.Domain
	converse fs.FS    // nil: no page
	origins  []string // of pages beside its own
	log      *slog.Logger
	command  []string
	terminal bool                                 // what is typed there is for the command as well as for us
	after    func(time.Duration) <-chan time.Time // time.After, but in tests
}

// prepare reports what is wrong with the command line before anything is opened.
func (c *demoCommand) prepare(p *process) (*demonstration, error) {
	d := &demonstration{command: c.Command, terminal: atTerminal(), after: time.After}
	var err error
	if d.http, err = parseLoopback("listen", c.Listen); err != nil {
		return nil, err
	}
	if c.XMPP != "" {
		xmpp, err := parseLoopback("xmpp", c.XMPP)
		if err != nil {
			return nil, err
		}
		d.xmpp = &xmpp
	}
	if d.domain, err = c.domain(p); err != nil {
		return nil, err
	}
	for _, text := range c.AllowOrigin {
		origin, err := web.ParseOrigin(text)
		if err != nil {
			return nil, usage("write http://localhost:8000, say: what the address of the page begins with", "--allow-origin: %q %v", text, err)
		}
		d.origins = append(d.origins, origin)
	}
	if !c.NoPage {
		if d.converse, err = demo.OpenConverse(c.Converse); err != nil {
			return nil, &failure{status: exitFailure, text: fmt.Sprintf("there is no converse.js in %s", c.Converse),
				hint: "run `npm install converse.js@14.0.0` here, name its folder with --converse, or do without the page with --no-page"}
		}
	}
	if len(d.command) > 0 {
		if _, err := exec.LookPath(d.command[0]); err != nil {
			return nil, usage("", "cannot run %q: %v", d.command[0], err)
		}
	}
	var level slog.Level
	if err := level.UnmarshalText([]byte(c.Log)); err != nil {
		return nil, err
	}
	d.log, _ = newLogger(p.stderr, config.Log{Level: level, Format: config.LogText})
	return d, nil
}

// domain returns the only domain, which the host serves from memory.
func (c *demoCommand) domain(p *process) (d config.Domain, err error) {
	name, err := jid.New("", c.Domain, "")
	rooms, roomsErr := jid.New("", "rooms."+c.Domain, "")
	if cmp.Or(err, roomsErr) != nil || c.Domain == "" {
		return d, usage("write --domain example.org, say", "--domain: %q is not the name of a domain", c.Domain)
	}
	d = config.Domain{
		Name: name.Domainpart(), Skew: auth.DefaultSkew,
		Upstream: config.UpstreamHost, Host: config.Host{Rooms: rooms.Domainpart()},
	}
	if c.Key == "" {
		seed, secret, err := auth.GenerateKey()
		if err != nil {
			return d, err
		}
		key, err := auth.NewKey(seed, secret, time.Time{})
		d.Keys = []config.Key{{Key: key}}
		return d, err
	}
	keys, warnings, err := config.LoadKeys(c.Key, config.Options{})
	p.warn(warnings)
	d.Keys = keys
	return d, err
}

// build makes the parts, none of which keeps anything on disk.
func (d *demonstration) build() (_ *parts, err error) {
	p := &parts{log: d.log, store: replay.NewMemory(replay.MemoryOptions{})}
	defer func() {
		if err != nil {
			p.close()
		}
	}()
	h, err := p.host(&d.domain, config.Limits{})
	if err != nil {
		return nil, err
	}
	domain, err := p.domain(&d.domain, h)
	if err != nil {
		return nil, err
	}
	if p.front, err = component.New(component.Config{Domains: []component.Domain{domain}, Logger: d.log}); err != nil {
		return nil, err
	}
	p.web, err = web.New(web.Config{
		Front:          p.front,
		Domains:        []web.Domain{{Name: d.domain.Name}},
		AllowedOrigins: d.allowedOrigins(),
		Hosts:          loopbackHosts,
		Pages:          d.pages(),
		Logger:         d.log,
	})
	return p, err
}

// allowedOrigins has the page's own origins among others: without them none are
// listed, and they need not be either.
func (d *demonstration) allowedOrigins() []string {
	if len(d.origins) == 0 {
		return nil
	}
	return slices.Concat(d.origins, d.http.ownOrigins())
}

func (d *demonstration) pages() http.Handler {
	return demo.New(demo.Config{
		Domain:   d.domain.Name,
		Rooms:    d.domain.Host.Rooms,
		Converse: d.converse,
		Issue: func(name auth.Name) (string, error) {
			return issue(&d.domain, name, time.Now())
		},
	})
}
