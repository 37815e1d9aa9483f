package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"time"

	"xtokend/cmd/xtokend/internal/config"
	"xtokend/cmd/xtokend/internal/systemd"
)

// turnAwayPause is how long turning away rests after a failure, such as running out
// of descriptors.
const turnAwayPause = 50 * time.Millisecond

// sockets are what the service manager has opened. They stay open until the program
// ends, also those that nobody accepts at: nobody else could open one that a reload
// wants again.
type sockets []*systemd.Socket

// serve says whether there are sockets for an address of the settings.
func (s sockets) serve(a netip.AddrPort) bool {
	return slices.ContainsFunc(s, func(socket *systemd.Socket) bool { return isFor(socket, a) })
}

// isFor says whether a socket is what an address of the settings means. One that
// takes more clients than the address does is not. [::] is every address of the
// machine, which may be two sockets, and without IPv6 is 0.0.0.0 alone.
func isFor(s *systemd.Socket, a netip.AddrPort) bool {
	return a.Port() != 0 && s.Address.Port() == a.Port() &&
		(s.Address == a || a.Addr() == netip.IPv6Unspecified() && s.Address.Addr() == netip.IPv4Unspecified())
}

// open opens what w wants: on the manager's sockets, or by itself if there are none.
func (s sockets) open(w config.Listener) (opened []*listener, err error) {
	for _, socket := range s {
		if !isFor(socket, w.Address) {
			continue
		}
		l, err := socket.Listen()
		if err != nil {
			closeAll(opened)
			return nil, listenError(w, fmt.Errorf("the service manager's socket %s: %w", socket.Name, err))
		}
		opened = append(opened, &listener{Listener: l, settings: w, socket: socket})
	}
	if len(opened) > 0 {
		return opened, nil
	}
	l, err := openListener(w)
	if err != nil {
		return nil, s.explain(w, err)
	}
	return []*listener{l}, nil
}

// explain adds to an error what the manager has to do with it.
func (s sockets) explain(w config.Listener, err error) error {
	i := slices.IndexFunc(s, func(socket *systemd.Socket) bool { return socket.Address.Port() == w.Address.Port() })
	if f := (*failure)(nil); i >= 0 && w.Address.Port() != 0 && errors.As(err, &f) {
		f.hint = fmt.Sprintf("the service manager has this port at another address, %s: write ListenStream=%s in %s, or that address in listen",
			s[i].Address, w.Address, s[i].Name)
	}
	return err
}

// tell tells the log which sockets are of no use to the listeners that are wanted, and
// what they lack.
func (s sockets) tell(wanted []config.Listener, log *slog.Logger) {
	for _, socket := range s {
		if slices.ContainsFunc(wanted, func(w config.Listener) bool { return isFor(socket, w.Address) }) {
			continue
		}
		if !socket.Address.IsValid() {
			log.Warn("a socket of the service manager is none for TCP, and is not used", "socket", socket.Name,
				"hint", "take it out of the socket unit: xtokend makes its admin socket itself")
			continue
		}
		log.Warn("the service manager listens at an address that listen does not name: who connects there is not answered",
			"socket", socket.Name, "address", socket.Address.String(), "hint", "add the address to listen, or take it out of the socket unit")
	}
	for _, w := range wanted {
		if w.Address.Addr() == netip.IPv6Unspecified() && s.serve(w.Address) && !s.takesIPv4(w.Address) {
			log.Warn("the service manager's socket takes IPv6 alone: clients that have IPv4 cannot connect",
				"listener", w.String(), "hint", "write BindIPv6Only=both in the socket unit")
		}
	}
}

func (s sockets) takesIPv4(a netip.AddrPort) bool {
	return slices.ContainsFunc(s, func(socket *systemd.Socket) bool { return isFor(socket, a) && !socket.IPv6Only })
}

func (s sockets) close() {
	for _, socket := range s {
		socket.Close()
	}
}

// handBack has nobody accept any more at the sockets that the service manager holds
// as well: who connects from then on waits for the next process. It returns when
// whoever has been accepted is in the front's hands, or when ctx ends.
func (g *listening) handBack(ctx context.Context) {
	g.endTurningAway()
	for _, l := range g.listeners {
		if l.socket != nil {
			l.retired.Store(true)
			l.Close()
		}
	}
	for _, l := range g.listeners {
		if l.socket == nil {
			continue
		}
		select {
		case <-l.loop.ended:
		case <-ctx.Done():
			return
		}
	}
}

// turnAway closes at once what clients open, at those of the manager's sockets that
// the front accepts at no more because it drains. Nobody else could have them try
// another node: the manager's socket goes on listening. It may be called from any
// goroutine.
func (g *listening) turnAway() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.over || g.turningAway != nil {
		return
	}
	for _, l := range g.listeners {
		if l.socket == nil || l.settings.IsWeb() {
			continue
		}
		away, err := l.socket.Listen()
		if err != nil {
			g.parts.log.Warn("clients at a socket of the service manager cannot be turned away, and wait", "socket", l.socket.Name, "error", err)
			continue
		}
		g.turningAway = append(g.turningAway, away)
		g.accepting.Go(func() { turnAway(away) })
	}
}

func (g *listening) endTurningAway() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.over = true
	closeAll(g.turningAway)
}

// turnAway resets all connections until the listener is closed.
func turnAway(l net.Listener) {
	for {
		conn, err := l.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			time.Sleep(turnAwayPause)
			continue
		}
		conn.(*net.TCPConn).SetLinger(0)
		conn.Close()
	}
}

// stuck is an error if somebody who accepts does not come back for the next client.
// It is for one goroutine, which may be another one.
func (g *listening) stuck() error {
	g.mu.Lock()
	listeners := g.listeners
	g.mu.Unlock()
	var err error
	for _, l := range listeners {
		if l.loop.stuck() {
			err = fmt.Errorf("nobody accepts at %s", l.settings)
		}
	}
	return err
}
