package main

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"

	"xtokend/cmd/xtokend/internal/config"
	"xtokend/cmd/xtokend/internal/systemd"
)

const (
	// shutdownTimeout bounds the end of all sessions after SIGTERM.
	shutdownTimeout = 15 * time.Second
	// linkPatience is how long the start waits for the component links, so that
	// the first login of a new user need not fail.
	linkPatience = 2 * time.Second
)

type serveCommand struct {
	settingsFlag
}

// Run serves clients until SIGTERM or SIGINT.
func (c *serveCommand) Run(p *process) error {
	env, err := systemd.Inherit()
	if err != nil {
		return &failure{status: exitFailure, text: "the service manager: " + err.Error(), hint: "see sd_listen_fds(3) and sd_watchdog_enabled(3)"}
	}
	cfg, err := config.Load(c.Config, config.Options{Need: config.Everything})
	if err != nil {
		p.warn(cfg.Warnings)
		return err
	}
	log, level := newLogger(p.stderr, cfg.Log)
	logWarnings(log, cfg.Warnings)
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP)
	defer signal.Stop(hangup)
	d := &daemon{log: log, level: level, hangup: hangup, stopping: stop, manager: env}
	return d.serve(ctx, &cfg)
}

// daemon is what `xtokend serve` runs.
type daemon struct {
	log     *slog.Logger
	level   *slog.LevelVar
	hangup  <-chan os.Signal    // the settings are read again; nil: never
	manager systemd.Environment // the zero value: there is none
	// stopping is called when the shutdown begins, from when on a second signal
	// ends the process at once.
	stopping func()
}

// serve runs until ctx ends or a listener fails.
func (d *daemon) serve(ctx context.Context, cfg *config.Config) (err error) {
	sockets := sockets(d.manager.Sockets)
	defer sockets.close()
	parts, err := build(cfg, d.log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, parts.close()) }()
	opened, err := listen(cfg.Listeners, sockets)
	if err != nil {
		return err
	}
	ops, err := openOperations(ctx, parts, cfg, d.log)
	if err != nil {
		closeAll(opened)
		return err
	}
	defer func() { err = errors.Join(err, ops.close()) }()
	sockets.tell(cfg.Listeners, d.log)
	listening := newListening(parts, opened, sockets)
	ops.turnAway = listening.turnAway
	ops.begin()
	told := newSupervision(d.manager, ops, listening)
	defer told.close()
	return parts.run(ctx, listening, occasions{
		ready: func() {
			ops.served()
			d.log.Info("ready")
			told.ready()
		},
		stopping: func() {
			ops.stop()
			told.stopping()
			d.stopping()
		},
		hangup: d.hangup,
		reload: func() { told.reload(func() error { return d.reload(parts, listening) }) },
	})
}

// occasions are what run is told, and what it tells.
type occasions struct {
	ready    func()           // clients are served
	stopping func()           // they are no more
	hangup   <-chan os.Signal // reload is to be called; nil: never
	reload   func()
}

// run serves until ctx ends or a listener fails, and ends all sessions then. The
// listeners are closed.
func (p *parts) run(ctx context.Context, l *listening, o occasions) error {
	defer l.wait()
	p.startLinks()
	defer p.endLinks()
	defer p.followRevocations()()
	defer p.returnMemory()()

	p.awaitLinks(ctx)
	if ctx.Err() != nil {
		p.log.Info("shutting down")
		o.stopping()
		l.close()
		return nil
	}
	l.serve()
	o.ready()

	err := p.attend(ctx, l, o)
	o.stopping()
	deadline, done := context.WithTimeout(context.Background(), shutdownTimeout)
	defer done()
	l.handBack(deadline)
	return errors.Join(err, p.shutdown(deadline))
}

// attend returns when it is time to shut down, with an error if a listener has failed.
func (p *parts) attend(ctx context.Context, l *listening, o occasions) error {
	for {
		select {
		case <-ctx.Done():
			p.log.Info("shutting down")
			return nil
		case err := <-l.failed:
			p.log.Error("a listener failed, shutting down", "error", err)
			return err
		case <-o.hangup:
			o.reload()
		}
	}
}

// shutdown ends all sessions first: HTTP requests wait for what they have to say.
func (p *parts) shutdown(ctx context.Context) error {
	return errors.Join(p.front.Shutdown(ctx), p.web.Shutdown(ctx))
}

// logWarnings writes the settings' warnings to the log.
func logWarnings(log *slog.Logger, warnings []config.Finding) {
	for _, w := range warnings {
		log.Warn("settings: "+w.String(), "hint", w.Hint)
	}
}
