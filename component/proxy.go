package component

import (
	"errors"
	"net"
	"time"

	"xtokend/internal/proxyheader"
	"xtokend/internal/socket"
)

// accepted is a connection as it was accepted: from a trusted proxy, one that may
// begin with a PROXY header.
func (f *Front) accepted(conn net.Conn, s *settings) net.Conn {
	return proxyheader.From(socket.Wrap(conn), s.trusted, func(peer net.Addr, err error) {
		if omitted, ok := f.storms.Allow("proxy header"); ok {
			f.log.Warn("a trusted proxy has sent a PROXY header that is none: its connection is closed",
				"proxy", peer.String(), "error", err, "similar_lines_omitted", omitted)
		}
	})
}

// identify finds out whom a trusted proxy connects for. One that sends no header
// is the client itself. Who is behind a proxy is on another machine, unless the
// header says otherwise, and may authenticate only if the header says that it
// has come over TLS, or once TLS has begun here.
func (s *session) identify() error {
	t := s.transport
	conn, ok := t.raw.(*proxyheader.Conn)
	if !ok {
		return nil
	}
	header, err := conn.Header()
	if errors.Is(err, proxyheader.ErrBroken) {
		return errProxyHeader
	}
	if err != nil {
		return err
	}
	proxy := t.address
	if header != nil && !s.front.settings.Load().trusts(proxy) { // a reload has come between
		return errTrustTaken
	}
	t.address = header.Client(proxy)
	t.loopback = t.loopback && !header.NamesAnother(proxy)
	if header != nil && header.TLS && t.directTLS == nil {
		t.secure, t.proxyTLS = true, true
	}
	if s.verdict == refused {
		s.address = t.address
		return nil
	}
	switch s.verdict = s.front.streams.identify(s, t.address); s.verdict {
	case dropped:
		return errOverLimit
	case refused:
		t.setReadDeadline(time.Now().Add(closeTimeout))
	}
	return nil
}
