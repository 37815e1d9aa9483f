package component

import (
	"cmp"
	"context"
	"errors"
	"net"
	"net/netip"
	"time"
)

// alpnClient is the ALPN name of a client-to-server stream (XEP-0368 §4).
const alpnClient = "xmpp-client"

// acceptPause is how long accepting rests after a passing failure, such as
// running out of descriptors.
const acceptPause = 50 * time.Millisecond

// ErrClosed is returned by Serve and ServeTLS once Shutdown was called.
var ErrClosed = errors.New("component: the front is shut down")

// Serve accepts connections that begin in clear and may be upgraded by
// STARTTLS (RFC 6120 §5). Over anything but loopback they must be, before
// authentication. It blocks until the listener fails or Shutdown is called,
// and then returns ErrClosed.
func (f *Front) Serve(l net.Listener) error {
	return f.accept(l, func(conn net.Conn, s *settings) *transport {
		return newTransport(conn, isLoopback(l.Addr()) && isLoopback(conn.RemoteAddr()), s.limits)
	})
}

// ServeTLS accepts connections that begin with a TLS handshake (XEP-0368).
// Otherwise it is like Serve. It returns an error at once if the front was
// made without a TLS configuration.
func (f *Front) ServeTLS(l net.Listener) error {
	first := f.settings.Load().tls
	if first == nil {
		return errors.New("component: direct TLS needs a TLS configuration")
	}
	return f.accept(l, func(conn net.Conn, s *settings) *transport {
		t := newTransport(conn, false, s.limits)
		t.directTLS = cmp.Or(s.tls, first) // never in clear
		return t
	})
}

func (f *Front) accept(l net.Listener, wrap func(net.Conn, *settings) *transport) error {
	f.mu.Lock()
	if f.closed() {
		f.mu.Unlock()
		l.Close() // or clients would wait in its queue for nobody
		return ErrClosed
	}
	f.listeners[l] = struct{}{}
	f.mu.Unlock()
	defer func() {
		f.mu.Lock()
		delete(f.listeners, l)
		f.mu.Unlock()
	}()
	for {
		conn, err := l.Accept()
		if f.closed() {
			if err == nil {
				conn.Close()
			}
			return ErrClosed
		}
		if err != nil {
			var ne net.Error
			if errors.As(err, &ne) && !errors.Is(err, net.ErrClosed) {
				if omitted, ok := f.storms.Allow("accept " + l.Addr().String()); ok {
					f.log.Warn("accepting connections failed, trying again", "listener", l.Addr().String(), "error", err, "similar_lines_omitted", omitted)
				}
				pause := time.NewTimer(acceptPause)
				select {
				case <-pause.C:
				case <-f.ctx.Done():
					pause.Stop()
				}
				continue
			}
			return err
		}
		settings := f.settings.Load()
		f.start(wrap(f.accepted(conn, settings), settings), settings)
	}
}

// start serves one connection in a goroutine of its own, if it is admitted.
func (f *Front) start(t *transport, settings *settings) {
	ctx, cancel := context.WithCancel(f.ctx)
	s := &session{front: f, transport: t, settings: settings, cancel: cancel, began: f.now(), address: t.address}
	if s.verdict = f.streams.add(s, t.mayBeProxied()); s.verdict == dropped {
		cancel()
		t.Close()
		if omitted, ok := f.storms.Allow("dropped"); ok {
			f.log.Warn("connections beyond the limits are closed without a word", "limit", s.limit, "address", s.address.String(), "similar_lines_omitted", omitted)
		}
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed() { // Shutdown waits for no session begun after it
		f.streams.remove(s)
		cancel()
		t.Close()
		return
	}
	f.sessions.Go(func() {
		s.serve(ctx, func() { f.streams.remove(s) })
	})
}

func addressOf(conn net.Conn) netip.Addr {
	if a, ok := conn.RemoteAddr().(*net.TCPAddr); ok {
		return a.AddrPort().Addr().Unmap()
	}
	return netip.Addr{}
}

func isLoopback(a net.Addr) bool {
	t, ok := a.(*net.TCPAddr)
	return ok && t.IP.IsLoopback()
}
