package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"xtokend/cmd/xtokend/internal/config"
	"xtokend/component"
	"xtokend/component/web"
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
	cfg, err := config.Load(c.Config, config.Options{Need: config.Everything})
	if err != nil {
		p.warn(cfg.Warnings)
		return err
	}
	log := newLogger(p.stderr, cfg.Log)
	for _, w := range cfg.Warnings {
		log.Warn("settings: "+w.String(), "hint", w.Hint)
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP)
	defer close(hangup)
	defer signal.Stop(hangup)
	go func() {
		for range hangup {
			log.Info("SIGHUP: a changed certificate is read by itself; restart to use other changed settings")
		}
	}()
	return serve(ctx, &cfg, log, stop)
}

// serve runs until ctx ends or a listener fails. It calls stopping when it
// begins to shut down, from when on a second signal ends the process at once.
func serve(ctx context.Context, cfg *config.Config, log *slog.Logger, stopping func()) (err error) {
	parts, err := build(cfg, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, parts.close()) }()
	opened, err := listen(cfg.Listeners)
	if err != nil {
		return err
	}
	ops, err := openOperations(ctx, parts, cfg, log)
	if err != nil {
		for _, l := range opened {
			l.Close()
		}
		return err
	}
	defer func() { err = errors.Join(err, ops.close()) }()
	ops.begin()
	listeners := make([]listener, len(opened))
	for i, l := range opened {
		listeners[i] = listener{l, cfg.Listeners[i].Scheme, parts.acceptor(cfg.Listeners[i])}
	}
	ready := func() {
		ops.served()
		log.Info("ready")
	}
	return parts.run(ctx, listeners, log, ready, func() {
		ops.stop()
		stopping()
	})
}

// listener is open, and serve is what its connections are for.
type listener struct {
	net.Listener
	scheme config.Scheme
	serve  func(net.Listener) error
}

// run serves until ctx ends or a listener fails, and ends all sessions then. It
// calls ready when clients are served, and stopping when they are no more. The
// listeners are closed.
func (p *parts) run(ctx context.Context, listeners []listener, log *slog.Logger, ready, stopping func()) error {
	linkContext, stopLinks := context.WithCancel(context.Background())
	var running sync.WaitGroup
	for _, l := range p.links {
		running.Go(func() { l.Run(linkContext) })
	}
	running.Go(func() { p.followRevocations(linkContext, log) })
	defer running.Wait()
	defer stopLinks()

	p.awaitLinks(ctx)
	if ctx.Err() != nil {
		log.Info("shutting down")
		stopping()
		for _, l := range listeners {
			l.Close()
		}
		return nil
	}

	failed := make(chan error, len(listeners))
	for _, l := range listeners {
		running.Go(func() {
			if err := l.serve(l.Listener); !errors.Is(err, component.ErrClosed) && !errors.Is(err, web.ErrClosed) {
				failed <- fmt.Errorf("%s: %w", l.Addr(), err)
			}
		})
		log.Info("listening", "address", l.Addr().String(), "scheme", string(l.scheme))
	}
	ready()

	var err error
	select {
	case <-ctx.Done():
		log.Info("shutting down")
	case err = <-failed:
		log.Error("a listener failed, shutting down", "error", err)
	}
	stopping()
	deadline, done := context.WithTimeout(context.Background(), shutdownTimeout)
	defer done()
	return errors.Join(err, p.shutdown(deadline))
}

// acceptor returns what serves the connections of a listener.
func (p *parts) acceptor(l config.Listener) func(net.Listener) error {
	switch {
	case l.Scheme == config.XMPPS:
		return p.front.ServeTLS
	case l.Scheme == config.HTTPS:
		return p.web.ServeTLS
	case l.Scheme == config.HTTP && !l.Loopback:
		return p.web.ServeProxies
	case l.IsWeb():
		return p.web.Serve
	}
	return p.front.Serve
}

// shutdown ends all sessions first: HTTP requests wait for what they have to say.
func (p *parts) shutdown(ctx context.Context) error {
	err := p.front.Shutdown(ctx)
	if p.web != nil {
		err = errors.Join(err, p.web.Shutdown(ctx))
	}
	return err
}

// listen opens all listeners, or none.
func listen(wanted []config.Listener) ([]net.Listener, error) {
	var opened []net.Listener
	var errs []error
	for _, w := range wanted {
		network := "tcp"
		if w.Address.Addr().Is4() {
			network = "tcp4" // "tcp" would take 0.0.0.0 for both families
		}
		l, err := net.Listen(network, w.Address.String())
		if err != nil {
			errs = append(errs, listenError(w, err))
			continue
		}
		opened = append(opened, l)
	}
	if len(errs) > 0 {
		for _, l := range opened {
			l.Close()
		}
		return nil, errors.Join(errs...)
	}
	return opened, nil
}

func listenError(w config.Listener, err error) error {
	f := &failure{status: exitFailure, text: fmt.Sprintf("cannot listen on %s: %v", w, errors.Unwrap(err))}
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		f.hint = "another program has this port; is it the server that should stand behind xtokend?"
	case errors.Is(err, syscall.EACCES):
		f.hint = "ports below 1024 need CAP_NET_BIND_SERVICE"
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		f.hint = "no interface of this machine has this address"
	}
	return f
}
