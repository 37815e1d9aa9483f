package main

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"

	"xtokend/cmd/xtokend/internal/config"
	"xtokend/cmd/xtokend/internal/systemd"
	"xtokend/component"
	"xtokend/component/web"
)

// listener is open for what its settings say.
type listener struct {
	net.Listener
	settings config.Listener
	socket   *systemd.Socket // that it is on, if the service manager has opened it
	retired  atomic.Bool     // closed on purpose
	loop     acceptLoop
}

// listening is the listeners and those who accept at them. Its methods are for
// one goroutine, unless they say otherwise; failed gets the error of a listener that
// has failed.
type listening struct {
	parts     *parts
	sockets   sockets
	accepting sync.WaitGroup
	failed    chan error

	mu        sync.Mutex // held by that goroutine to write, by others to read
	listeners []*listener

	turningAway []net.Listener // see turnAway
	over        bool           // nobody is turned away any more
}

func newListening(p *parts, listeners []*listener, s sockets) *listening {
	return &listening{parts: p, sockets: s, listeners: listeners, failed: make(chan error, 1)}
}

// serve begins to accept.
func (g *listening) serve() {
	for _, l := range g.listeners {
		g.accept(l)
	}
}

func (g *listening) accept(l *listener) {
	serve := g.parts.acceptor(l.settings)
	l.loop.begin()
	g.accepting.Go(func() {
		defer l.loop.end()
		err := serve(l)
		if l.retired.Load() || errors.Is(err, component.ErrClosed) || errors.Is(err, web.ErrClosed) {
			return
		}
		select {
		case g.failed <- fmt.Errorf("%s: %w", l.Addr(), err):
		default: // one is enough
		}
	})
	g.parts.log.Info("listening", "address", l.Addr().String(), "scheme", string(l.settings.Scheme))
}

// close closes all listeners, of which none accepts yet.
func (g *listening) close() {
	g.endTurningAway()
	closeAll(g.listeners)
}

// wait returns when nobody accepts any more.
func (g *listening) wait() { g.accepting.Wait() }

// settings are those of the listeners that are open.
func (g *listening) settings() []config.Listener {
	var all []config.Listener
	for _, l := range g.listeners {
		all = append(all, l.settings)
	}
	return all
}

// change is a set of listeners that are to take the place of others.
type change struct {
	kept, begun, gone []*listener
}

// prepare opens what is wanted and not open yet, all of it or nothing. An address
// whose scheme has changed keeps its socket, so that no client is refused.
func (g *listening) prepare(wanted []config.Listener) (*change, error) {
	c := &change{gone: slices.Clone(g.listeners)}
	var missing []config.Listener
	for _, w := range wanted {
		if !c.keep(w) {
			missing = append(missing, w)
		}
	}
	var errs []error
	for _, w := range missing {
		opened, err := g.open(w, c.gone)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		c.begun = append(c.begun, opened...)
	}
	if len(errs) > 0 {
		c.undo()
		return nil, errors.Join(errs...)
	}
	return c, nil
}

// keep keeps all that is open for w, which at port 0 is for one w alone.
func (c *change) keep(w config.Listener) bool {
	same := func(l *listener) bool { return l.settings == w }
	if w.Address.Port() != 0 && slices.ContainsFunc(c.kept, same) {
		return true
	}
	i := slices.IndexFunc(c.gone, same)
	found := i >= 0
	for i >= 0 {
		c.kept = append(c.kept, c.gone[i])
		c.gone = slices.Delete(c.gone, i, i+1)
		if w.Address.Port() == 0 {
			break
		}
		i = slices.IndexFunc(c.gone, same)
	}
	return found
}

// open opens what w wants, on the socket of a listener that will go if it has the
// address.
func (g *listening) open(w config.Listener, gone []*listener) ([]*listener, error) {
	if g.sockets.serve(w.Address) {
		return g.sockets.open(w)
	}
	for _, old := range gone {
		tcp, ok := old.Listener.(*net.TCPListener)
		if !ok || old.settings.Address != w.Address || w.Address.Port() == 0 {
			continue
		}
		file, err := tcp.File()
		if err != nil {
			return nil, listenError(w, err)
		}
		defer file.Close()
		l, err := net.FileListener(file)
		if err != nil {
			return nil, listenError(w, err)
		}
		return []*listener{{Listener: l, settings: w}}, nil
	}
	opened, err := g.sockets.open(w)
	samePort := func(old *listener) bool { return old.socket == nil && old.settings.Address.Port() == w.Address.Port() }
	if errors.Is(err, syscall.EADDRINUSE) && slices.ContainsFunc(gone, samePort) {
		err = &failure{
			status: exitFailure, text: err.Error(),
			hint: "a listener of now has this port at an address that overlaps: take it out first, and add this one with a second SIGHUP",
		}
	}
	return opened, err
}

// undo closes what was opened for nothing.
func (c *change) undo() { closeAll(c.begun) }

// commit takes up a change: sessions that came through a listener which goes live on.
func (g *listening) commit(c *change) {
	g.mu.Lock()
	g.listeners = slices.Concat(c.kept, c.begun)
	g.mu.Unlock()
	for _, l := range c.begun {
		g.accept(l)
	}
	for _, l := range c.gone {
		l.retired.Store(true)
		l.Close()
		g.parts.log.Info("listening no more", "address", l.Addr().String(), "scheme", string(l.settings.Scheme))
	}
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

// listen opens all listeners, or none.
func listen(wanted []config.Listener, s sockets) ([]*listener, error) {
	var opened []*listener
	var errs []error
	for _, w := range wanted {
		l, err := s.open(w)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		opened = append(opened, l...)
	}
	if len(errs) > 0 {
		closeAll(opened)
		return nil, errors.Join(errs...)
	}
	return opened, nil
}

func openListener(w config.Listener) (*listener, error) {
	l, err := listenAt(w.Address)
	if err != nil {
		return nil, listenError(w, err)
	}
	return &listener{Listener: l, settings: w}, nil
}

func listenAt(a netip.AddrPort) (net.Listener, error) {
	network := "tcp"
	if a.Addr().Is4() {
		network = "tcp4" // "tcp" would take 0.0.0.0 for both families
	}
	return net.Listen(network, a.String())
}

func closeAll[L net.Listener](listeners []L) {
	for _, l := range listeners {
		l.Close()
	}
}

func listenError(w config.Listener, err error) error {
	f := &failure{status: exitFailure, text: fmt.Sprintf("cannot listen on %s: %v", w, errors.Unwrap(err)), cause: err}
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
