package server

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"golang.org/x/sync/semaphore"
	"mellium.im/xmpp/jid"

	"xtokend/internal/socket"
)

// dialTimeout bounds the wait for one address, so that one that swallows
// packets leaves time for the next.
const dialTimeout = 3 * time.Second

// openingsAtOnce bounds the streams that are being opened at one address, so that
// when thousands of users come at once, each waits its turn here and none of the
// connections is lost in the server's backlog (128 on Prosody). More at once would
// not make a server faster.
const openingsAtOnce = 64

// alpn is the protocol name of XEP-0368 §3.
const alpn = "xmpp-client"

// dialer opens streams to the server, up to its features.
type dialer struct {
	domain    jid.JID
	addresses []string
	next      roundRobin
	mode      TLSMode
	tls       *tls.Config // nil with TLSNone
	sendProxy bool
	openings  *semaphore.Weighted // serves in order of arrival
}

func newDialer(c Config) (*dialer, error) {
	domain, err := jid.New("", c.Domain, "")
	if err != nil {
		return nil, fmt.Errorf("server: domain %q: %w", c.Domain, err)
	}
	if len(c.Addresses) == 0 {
		return nil, errors.New("server: no address")
	}
	for _, address := range c.Addresses {
		host, _, err := net.SplitHostPort(address)
		if err != nil {
			return nil, fmt.Errorf("server: address %q: %w", address, err)
		}
		if c.TLS == TLSNone && !isLoopback(host) {
			return nil, fmt.Errorf("server: address %q is not loopback, so it needs TLS", address)
		}
	}
	d := &dialer{domain: domain, addresses: append([]string(nil), c.Addresses...), mode: c.TLS, sendProxy: c.SendProxy,
		openings: semaphore.NewWeighted(int64(openingsAtOnce * len(c.Addresses)))}
	switch c.TLS {
	case TLSNone:
	case StartTLS, DirectTLS:
		d.tls = tlsConfig(c)
	default:
		return nil, fmt.Errorf("server: unknown TLS mode %d", c.TLS)
	}
	return d, nil
}

func isLoopback(host string) bool {
	return strings.EqualFold(host, "localhost") || net.ParseIP(host).IsLoopback()
}

func tlsConfig(c Config) *tls.Config {
	t := &tls.Config{}
	if c.TLSConfig != nil {
		t = c.TLSConfig.Clone()
	}
	if t.ServerName == "" {
		t.ServerName = c.Domain
	}
	if t.MinVersion == 0 {
		t.MinVersion = tls.VersionTLS12
	}
	if t.NextProtos == nil && c.TLS == DirectTLS {
		t.NextProtos = []string{alpn}
	}
	return t
}

// dial connects to the next address that can be reached.
func (d *dialer) dial(ctx context.Context) (net.Conn, string, error) {
	var errs []error
	first := d.next.start(len(d.addresses))
	for i := range d.addresses {
		address := d.addresses[(first+i)%len(d.addresses)]
		conn, err := (&net.Dialer{Timeout: dialTimeout}).DialContext(ctx, "tcp", address)
		if err == nil {
			return socket.Wrap(conn), address, nil
		}
		errs = append(errs, err)
	}
	return nil, "", fmt.Errorf("server: connect: %w", errors.Join(errs...))
}

// withStream opens a stream, protected as the settings say, and runs use on it
// once its features are read. The connection is closed unless use takes it by
// [stream.handOver]. ctx interrupts every read and write. Errors name the
// address.
func (d *dialer) withStream(ctx context.Context, user jid.JID, use func(*stream) error) error {
	if err := d.openings.Acquire(ctx, 1); err != nil {
		return fmt.Errorf("server: it opens streams for others, and this one's turn has not come: %w", err)
	}
	defer d.openings.Release(1)
	conn, address, err := d.dial(ctx)
	if err != nil {
		return err
	}
	// No deadline of ctx is set apart: when it passes, ctx is done.
	release := context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })
	if d.sendProxy {
		err = sendProxyHeader(ctx, conn)
	}
	st := newStream(conn, d.domain, user)
	if err == nil {
		err = d.openStream(ctx, st)
	}
	if err == nil {
		err = use(st)
	}
	if !release() && err == nil {
		err = ctx.Err()
	}
	if err != nil || !st.handedOver {
		conn.Close()
	}
	if err == nil {
		return nil
	}
	// What a read reports after an interruption is a time-out, whose cause is
	// that of the context.
	if cause := ctx.Err(); cause != nil && !errors.Is(err, cause) {
		err = fmt.Errorf("%w: %w", cause, err)
	}
	return fmt.Errorf("server %s: %w", address, err)
}

// openStream leads from a fresh connection to the features that come before
// SASL. A stream is told who its user is once nobody can listen
// (RFC 6120 §4.7.1).
func (d *dialer) openStream(ctx context.Context, st *stream) error {
	switch d.mode {
	case DirectTLS:
		if err := st.handshake(ctx, d.tls); err != nil {
			return err
		}
	case StartTLS:
		if err := st.open(false); err != nil {
			return err
		}
		if err := st.startTLS(); err != nil {
			return fmt.Errorf("STARTTLS: %w", err)
		}
		if err := st.handshake(ctx, d.tls); err != nil {
			return err
		}
	}
	return st.open(true)
}
