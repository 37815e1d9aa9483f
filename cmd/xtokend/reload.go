package main

import (
	"errors"
	"reflect"

	"xtokend/cmd/xtokend/internal/config"
)

// reload reads the settings again and uses them for what begins from now on. If
// anything is wrong with them nothing changes, and the log says what it is.
func (d *daemon) reload(p *parts, l *listening) {
	cfg, err := config.Load(p.current().cfg.Path, config.Options{Need: config.Everything})
	logWarnings(d.log, cfg.Warnings)
	if err == nil {
		err = p.reload(&cfg, l)
	}
	if err != nil {
		d.logFaults(err)
		d.log.Error("the settings cannot be used: all stays as it was", "path", p.current().cfg.Path, "hint", "mend them, and send SIGHUP again")
		return
	}
	d.level.Set(cfg.Log.Level)
	d.log.Info("the settings were read again", "path", cfg.Path)
}

// logFaults writes each thing that is wrong to the log.
func (d *daemon) logFaults(err error) {
	for _, e := range joined(errors.Join(err)) {
		var faults config.Faults
		var f *failure
		switch several := joined(e); {
		case several != nil:
			d.logFaults(e)
		case errors.As(e, &faults):
			for _, fault := range faults {
				d.log.Error("settings: "+fault.String(), "hint", fault.Hint)
			}
		case errors.As(e, &f):
			d.log.Error(f.text, "hint", f.hint)
		default:
			d.log.Error(e.Error())
		}
	}
}

// reload uses other settings for all that can be changed while the program runs,
// and says in the log what cannot. An error leaves everything as it was.
func (p *parts) reload(cfg *config.Config, l *listening) error {
	before := p.current()
	next, err := p.plan(cfg)
	if err != nil {
		return err
	}
	wanted := cfg.Listeners
	if p.front.Draining() { // nobody new is let in
		wanted = before.cfg.Listeners
	}
	changed, err := l.prepare(wanted)
	if err != nil {
		return err
	}
	if err := p.web.Reload(next.web); err != nil {
		changed.undo()
		return err
	}
	if err := p.front.Reload(next.front); err != nil {
		changed.undo()
		return errors.Join(err, p.web.Reload(before.web))
	}
	p.sayUnchanged(before.cfg, cfg)
	for name := range before.served {
		if next.served[name] == nil {
			p.log.Info("a domain is served no more; who is logged in stays so", "domain", name)
		}
	}
	p.adopt(next)
	l.commit(changed)
	for _, part := range before.served {
		if part.link != nil && (next.served[part.link.settings.Name] == nil || next.served[part.link.settings.Name].link != part.link) {
			part.link.end()
		}
	}
	p.startLinks()
	return nil
}

// sayUnchanged says which settings hold from the next start on.
func (p *parts) sayUnchanged(before, now *config.Config) {
	for _, s := range []struct {
		key     string
		changed bool
	}{
		{"replay", !reflect.DeepEqual(withoutPool(before.Replay), withoutPool(now.Replay)) || !before.Replay.Redis.RootCAs.Equal(now.Replay.Redis.RootCAs)},
		{"node", before.Node != now.Node},
		{"admin", before.Admin != now.Admin},
		{"metrics", before.Metrics != now.Metrics},
		{"log.format", before.Log.Format != now.Log.Format},
	} {
		if s.changed {
			p.log.Warn("a setting has changed that is used at the next start alone: restart to use it", "key", s.key)
		}
	}
}

// withoutPool returns r without what cannot be compared field by field.
func withoutPool(r config.Replay) config.Replay {
	r.Redis.RootCAs = nil
	return r
}

// adopt has a plan in use. What was asked of a link that is no part of it any more
// is asked of the one in its place.
func (p *parts) adopt(next *plan) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, part := range next.served {
		if part.link != nil {
			part.accounts.current.Store(part.link)
		}
	}
	p.inUse = next
}
