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

	metrics  *metrics.Server
	admin    *admin.Server
	httpAuth *httpauth.Server
	opened   [operationListeners]net.Listener // nil where the settings want none
	running  sync.WaitGroup
}

// The listeners of operations.
const (
	metricsListener = iota
	adminListener
	httpAuthListener
	operationListeners
)

// openOperations opens what the settings want, or nothing. It answers nobody yet.
func openOperations(ctx context.Context, p *parts, cfg *config.Config, log *slog.Logger) (*operations, error) {
	o := &operations{parts: p, log: log}
	p.watch()
	o.metrics = metrics.NewServer(p.metrics, metrics.Health{Alive: func() { p.front.Stats() }, NotReady: o.notReady}, log)
	o.admin = admin.NewServer(o, log)
	o.httpAuth = httpauth.NewServer(p.httpAuth(cfg))
	var failed error
	if cfg.Metrics.IsValid() {
		l, err := listenAt(cfg.Metrics)
		if err != nil {
			return nil, metricsError(cfg.Metrics, err)
		}
		o.opened[metricsListener] = l
	}
	if cfg.Admin != "" {
		if o.opened[adminListener], failed = admin.Listen(ctx, cfg.Admin); failed != nil {
			o.opened[adminListener] = nil
			o.close()
			return nil, adminError(cfg.Admin, failed)
		}
	}
	if cfg.HTTPAuth != nil {
		l, err := openListener(cfg.HTTPAuth.Listener)
		if err != nil {
			o.close()
			return nil, err
		}
		o.opened[httpAuthListener] = l
	}
	return o, nil
}

// begin begins to answer. Nobody is told that clients are served before served is
// called.
func (o *operations) begin() {
	serveHTTPAuth := o.httpAuth.Serve
	if a := o.parts.begun.HTTPAuth; a != nil && a.Listener.Scheme == config.HTTPS {
		serveHTTPAuth = o.httpAuth.ServeTLS
	}
	for i, serve := range [operationListeners]func(net.Listener) error{o.metrics.Serve, o.admin.Serve, serveHTTPAuth} {
		l := o.opened[i]
		if l == nil {
			continue
		}
		o.log.Info("listening", "address", l.Addr().String(), "scheme", [operationListeners]string{"metrics", "admin", "http_auth"}[i])
		o.running.Go(func() {
			if err := serve(l); !errors.Is(err, http.ErrServerClosed) {
				o.log.Error("a listener failed; clients are served all the same", "address", l.Addr().String(), "error", err)
			}
		})
	}
}

// served says that clients are served from now on, and stop that they are no more.
func (o *operations) served() { o.serving.Store(true) }
func (o *operations) stop()   { o.stopping.Store(true) }

// close answers nobody any more.
func (o *operations) close() error {
	err := errors.Join(o.metrics.Close(), o.admin.Close(), o.httpAuth.Close())
	for _, l := range o.opened {
		if l != nil {
			l.Close() // if it was not served; else it is closed
		}
	}
	o.running.Wait()
	return err
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
