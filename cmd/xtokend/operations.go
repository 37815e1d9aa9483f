package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"

	"xtokend/cmd/xtokend/internal/admin"
	"xtokend/cmd/xtokend/internal/config"
	"xtokend/cmd/xtokend/internal/httpauth"
	"xtokend/cmd/xtokend/internal/metrics"
)

// operations are what can be seen and done from outside while the daemon runs.
type operations struct {
	parts *parts
	log   *slog.Logger
	// turnAway keeps new clients from waiting at what the front accepts at no more.
	turnAway func()

	serving, stopping atomic.Bool

	services []service
	running  sync.WaitGroup
}

// service answers those who are no clients.
type service struct {
	name     string // as the log has it
	listener net.Listener
	server   interface {
		Serve(net.Listener) error
		Close() error
		Panics() int64
	}
}

// openOperations opens what the settings want, or nothing. It answers nobody yet.
func openOperations(ctx context.Context, p *parts, cfg *config.Config, log *slog.Logger) (_ *operations, err error) {
	o := &operations{parts: p, log: log}
	p.watch(o)
	defer func() {
		if err != nil {
			o.close()
		}
	}()
	if cfg.Metrics.IsValid() {
		l, err := listenAt(cfg.Metrics)
		if err != nil {
			return nil, metricsError(cfg.Metrics, err)
		}
		health := metrics.Health{Alive: func() { p.front.Stats() }, NotReady: o.notReady}
		o.services = append(o.services, service{"metrics", l, metrics.NewServer(p.metrics, health, log)})
	}
	if cfg.Admin != "" {
		l, err := admin.Listen(ctx, cfg.Admin)
		if err != nil {
			return nil, adminError(cfg.Admin, err)
		}
		o.services = append(o.services, service{"admin", l, admin.NewServer(o, log)})
	}
	if cfg.HTTPAuth != nil {
		l, err := openListener(cfg.HTTPAuth.Listener)
		if err != nil {
			return nil, err
		}
		o.services = append(o.services, service{"http_auth", l, httpauth.NewServer(p.httpAuth(cfg.HTTPAuth))})
	}
	return o, nil
}

// begin begins to answer. Nobody is told that clients are served before served is
// called.
func (o *operations) begin() {
	for _, s := range o.services {
		o.log.Info("listening", "address", s.listener.Addr().String(), "scheme", s.name)
		o.running.Go(func() {
			if err := s.server.Serve(s.listener); !errors.Is(err, http.ErrServerClosed) {
				o.log.Error("a listener failed, and nobody is answered there any more; clients are served all the same",
					"address", s.listener.Addr().String(), "scheme", s.name, "error", err)
			}
		})
	}
}

// panics is the number of requests that a fault in the program has ended.
func (o *operations) panics() (n int64) {
	for _, s := range o.services {
		n += s.server.Panics()
	}
	return n
}

// served says that clients are served from now on, and stop that they are no more.
func (o *operations) served() { o.serving.Store(true) }
func (o *operations) stop()   { o.stopping.Store(true) }

// close answers nobody any more.
func (o *operations) close() error {
	var errs []error
	for _, s := range o.services {
		errs = append(errs, s.server.Close())
		s.listener.Close() // if it was not served; else it is closed
	}
	o.running.Wait()
	return errors.Join(errs...)
}

// notReady says what keeps clients from being served, as far as that is known.
func (o *operations) notReady(context.Context) (missing []string) {
	if !o.serving.Load() {
		missing = append(missing, "starting: clients are not served yet")
	}
	if o.stopping.Load() {
		missing = append(missing, "stopping")
	}
	if o.parts.front.Draining() {
		missing = append(missing, "draining: nobody new is let in")
	}
	if o.parts.storeIsDown() {
		missing = append(missing, "the replay store does not answer")
	}
	// One domain of several must not take the others' clients away.
	var down []string
	domains := o.parts.domains()
	for _, name := range domains {
		if o.parts.metrics.UpstreamState(name) == metrics.Down {
			down = append(down, "the server of "+name+" does not answer")
		}
	}
	if len(down) == len(domains) {
		missing = append(missing, down...)
	}
	return missing
}

func metricsError(address netip.AddrPort, err error) error {
	f := &failure{status: exitFailure, text: fmt.Sprintf("metrics: cannot listen on %s: %v", address, errors.Unwrap(err))}
	if errors.Is(err, syscall.EADDRINUSE) {
		f.hint = "another program has this port"
	}
	return f
}

func adminError(path string, err error) error {
	f := &failure{status: exitFailure, text: fmt.Sprintf("admin: cannot make the socket %s: %v", path, err)}
	switch {
	case errors.Is(err, admin.ErrRunning):
		f.hint = "an xtokend runs with this socket: stop it first, or give this one another"
	case errors.Is(err, admin.ErrNotSocket):
		f.hint = "remove it, or choose another path"
	case errors.Is(err, fs.ErrNotExist):
		f.hint = "make the folder " + filepath.Dir(path) + " for the user that xtokend runs as; with systemd it is RuntimeDirectory=xtokend"
	case errors.Is(err, fs.ErrPermission):
		f.hint = "the user that xtokend runs as must be able to write to the folder " + filepath.Dir(path)
	}
	return f
}
