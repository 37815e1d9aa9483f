package main

import (
	"errors"
	"reflect"
	"slices"

	"xtokend/cmd/xtokend/internal/config"
)

// reload reads the settings again and uses them for what begins from now on. If
// anything is wrong with them nothing changes, and the log says what it is.
func (d *daemon) reload(p *parts, l *listening) error {
	path := p.begun.Path
	cfg, err := config.Load(path, config.Options{Need: config.Everything})
	logWarnings(d.log, cfg.Warnings)
	if err == nil {
		err = p.reload(&cfg, l)
	}
	p.metrics.Reloaded(err == nil)
	if err != nil {
		d.logFaults(err)
		d.log.Error("the settings cannot be used: all stays as it was", "path", path, "hint", "mend them, and send SIGHUP again")
		return err
	}
	d.level.Set(cfg.Log.Level)
	d.log.Info("the settings were read again", "path", path)
	l.sockets.tell(cfg.Listeners, d.log)
	return nil
}

// logFaults writes each thing that is wrong to the log.
func (d *daemon) logFaults(err error) {
	var faults config.Faults
	var f *failure
	switch several := joined(err); {
	case several != nil:
		for _, e := range several {
			d.logFaults(e)
		}
	case errors.As(err, &faults):
		for _, fault := range faults {
			d.log.Error("settings: "+fault.String(), "hint", fault.Hint)
		}
	case errors.As(err, &f):
		d.log.Error(f.text, "hint", f.hint)
	default:
		d.log.Error(err.Error())
	}
}

// reload uses other settings for all that can be changed while the program runs,
// and says in the log what cannot. An error leaves everything as it was.
func (p *parts) reload(cfg *config.Config, l *listening) error {
	next, err := p.plan(cfg)
	if err != nil {
		return err
	}
	wanted := cfg.Listeners
	if p.front.Draining() { // nobody new is let in
		wanted = l.settings()
	}
	changed, err := l.prepare(wanted)
	if err != nil {
		return errors.Join(err, p.discard(next))
	}
	before := p.current()
	if err := p.use(next, before); err != nil {
		changed.undo()
		return errors.Join(err, p.discard(next))
	}
	l.commit(changed)
	p.replaceLinks(before, next)
	p.tell(before.cfg, cfg)
	return nil
}

// use has a plan take the place of the one before, or neither of its parts.
func (p *parts) use(next, before *plan) error {
	if err := p.web.Reload(next.web); err != nil {
		return err
	}
	if err := p.front.Reload(next.front); err != nil {
		return errors.Join(err, p.web.Reload(before.web))
	}
	p.adopt(next)
	return nil
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

// tell tells the log and the metrics what a reload has changed, and what not.
func (p *parts) tell(before, now *config.Config) {
	for _, s := range []struct {
		key     string
		changed bool
	}{
		{"replay", !sameReplay(p.begun.Replay, now.Replay)},
		{"node", p.begun.Node != now.Node},
		{"admin", p.begun.Admin != now.Admin},
		{"metrics", p.begun.Metrics != now.Metrics},
		{"http_auth", !reflect.DeepEqual(p.begun.HTTPAuth, now.HTTPAuth)},
		{"log.format", p.begun.Log.Format != now.Log.Format},
	} {
		if s.changed {
			p.log.Warn("a setting has changed that is used from the next start on: restart to use it", "key", s.key)
		}
	}
	served := make(map[string]*config.Domain)
	for i := range now.Domains {
		d := &now.Domains[i]
		served[d.Name] = d
		p.tellHost(d, now.Limits)
	}
	for _, old := range before.Domains {
		d := served[old.Name]
		switch {
		case d == nil:
			p.metrics.Forget(old.Name)
			p.log.Info("a domain is served no more; who is logged in stays so", "domain", old.Name)
		case !slices.EqualFunc(old.Keys, d.Keys, func(a, b config.Key) bool { return a.Equal(b.Key) }):
			p.metrics.ForgetKeys(old.Name)
			p.log.Info("the keys of a domain have changed", "domain", d.Name, "keys", len(d.Keys))
		}
	}
}

// tellHost tells what of a host's settings waits for a restart.
func (p *parts) tellHost(d *config.Domain, l config.Limits) {
	h := p.hosts[d.Name]
	if h == nil || d.Upstream != config.UpstreamHost {
		return
	}
	if h.settings != d.Host {
		p.log.Warn("the settings of a host have changed: restart to use them", "domain", d.Name, "key", "domain.host")
	}
	if h.limits != hostLimits(l) {
		p.log.Warn("limits have changed that a host keeps until a restart", "domain", d.Name,
			"keys", "limits.element_bytes limits.element_depth limits.upstream_element_bytes")
	}
}

func sameReplay(a, b config.Replay) bool {
	if !a.Redis.RootCAs.Equal(b.Redis.RootCAs) {
		return false
	}
	a.Redis.RootCAs, b.Redis.RootCAs = nil, nil // cannot be compared field by field
	return reflect.DeepEqual(a, b)
}
