package link

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"time"

	"mellium.im/xmpp/jid"
)

const (
	// negotiateTimeout bounds the way from dialling to the accepted handshake.
	negotiateTimeout = 10 * time.Second

	// requestTimeout bounds a request whose context has no end of its own.
	requestTimeout = 30 * time.Second

	// firstBackoff doubles with each attempt that fails, up to mostBackoff.
	firstBackoff = 500 * time.Millisecond
	mostBackoff  = 10 * time.Second
)

// ErrDown: there is no connection to the server, or it broke before the answer
// came. Whether the server did what was asked is then unknown.
var ErrDown = errors.New("the component link is down")

// Config says where the server is and who the component is.
type Config struct {
	// Address is host:port of the server's component port.
	Address string

	// Name is the component's domainpart. Every node needs one of its own.
	Name string

	// Secret is the one that the server's settings hold for Name.
	Secret []byte

	// Domain is the domainpart whose accounts are kept.
	Domain string

	// TLS protects the connection from its first byte. Nil: not at all, which
	// only a loopback address may do. A zero ServerName means Domain.
	TLS *tls.Config

	// Log receives the comings and goings of the connection. Nil: none is
	// written.
	Log *slog.Logger

	// Admins may use the component's ad-hoc commands (XEP-0050): bare JIDs. Others
	// are told that they may not.
	Admins []jid.JID

	// Operations are what those commands do. They may be nil without Admins.
	Operations Operations

	// Version is what the component says of its software (XEP-0092).
	Version string

	// Now tells the time to the bounds on what others ask the component. Nil:
	// time.Now.
	Now func() time.Time

	// After waits between attempts to connect. Nil: time.After.
	After func(time.Duration) <-chan time.Time
}

// Link is a component link. Its methods may be called from any goroutine.
type Link struct {
	address string
	name    jid.JID
	secret  []byte
	domain  jid.JID
	face    *face
	tls     *tls.Config
	log     *slog.Logger
	after   func(time.Duration) <-chan time.Time

	mu      sync.Mutex
	session *session      // nil while the link is down
	cause   error         // why it is down; nil before the first attempt
	changed chan struct{} // closed and replaced at each change of the above
}

// New checks the settings. Nothing is dialled before Run.
func New(c Config) (*Link, error) {
	host, _, err := net.SplitHostPort(c.Address)
	if err != nil {
		return nil, fmt.Errorf("link: address %q: %w", c.Address, err)
	}
	if c.TLS == nil && !strings.EqualFold(host, "localhost") && !net.ParseIP(host).IsLoopback() {
		return nil, fmt.Errorf("link: address %q is not loopback, so it needs TLS", c.Address)
	}
	l := &Link{address: c.Address, secret: append([]byte(nil), c.Secret...), log: c.Log, after: c.After, changed: make(chan struct{})}
	if l.name, err = domainpart(c.Name); err != nil {
		return nil, fmt.Errorf("link: name %q: %w", c.Name, err)
	}
	if l.domain, err = domainpart(c.Domain); err != nil {
		return nil, fmt.Errorf("link: domain %q: %w", c.Domain, err)
	}
	if len(c.Secret) == 0 {
		return nil, errors.New("link: the component secret is empty")
	}
	if c.TLS != nil {
		l.tls = c.TLS.Clone()
		if l.tls.ServerName == "" {
			l.tls.ServerName = c.Domain
		}
		if l.tls.MinVersion == 0 {
			l.tls.MinVersion = tls.VersionTLS12
		}
	}
	if l.log == nil {
		l.log = slog.New(slog.DiscardHandler)
	}
	if l.after == nil {
		l.after = time.After
	}
	if len(c.Admins) > 0 && c.Operations == nil {
		return nil, errors.New("link: admins without operations")
	}
	for _, a := range c.Admins {
		if a.Localpart() == "" || a.Resourcepart() != "" {
			return nil, fmt.Errorf("link: admin %q: give a user's bare JID", a)
		}
	}
	l.face = newFace(c, l)
	return l, nil
}

// domainpart also refuses what would break out of the stream header, where
// names are written as they are.
func domainpart(s string) (jid.JID, error) {
	if strings.ContainsAny(s, `<>&'"`) {
		return jid.JID{}, errors.New("not a domain")
	}
	return jid.New("", s, "")
}

// Run keeps the link up until ctx ends, and then closes it and returns nil. It
// must be called once.
func (l *Link) Run(ctx context.Context) error {
	backoff, said := firstBackoff, ""
	for {
		wasUp, err := l.serve(ctx)
		if ctx.Err() != nil {
			l.set(nil, ctx.Err())
			return nil
		}
		l.set(nil, err)
		if wasUp {
			backoff, said = firstBackoff, ""
		}
		// The same trouble is not told at every attempt.
		if text := err.Error(); text != said {
			l.log.Warn("component link is down", "address", l.address, "name", l.name.String(), "err", text)
			said = text
		}
		// Half of the wait is random, lest many links come back at one moment.
		wait := backoff/2 + rand.N(backoff/2)
		backoff = min(2*backoff, mostBackoff)
		select {
		case <-l.after(wait):
		case <-ctx.Done():
			return nil
		}
	}
}

// Up says whether the link is connected.
func (l *Link) Up() bool {
	s, _, _ := l.state()
	return s != nil
}

// Domain is the one whose accounts are kept.
func (l *Link) Domain() string { return l.domain.String() }

// Wait returns nil once the link is connected, or an error that says why it is
// not when ctx ends.
func (l *Link) Wait(ctx context.Context) error {
	for {
		s, changed, cause := l.state()
		if s != nil {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return down(cause)
		}
	}
}

// firstSession returns the session that is up. While the first attempt to connect
// is still to end it waits for that, so that nothing fails because a link is new.
func (l *Link) firstSession(ctx context.Context) (*session, error) {
	for {
		s, changed, cause := l.state()
		switch {
		case s != nil:
			return s, nil
		case cause != nil:
			return nil, down(cause)
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, ErrDown
		}
	}
}

func (l *Link) state() (s *session, changed <-chan struct{}, cause error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.session, l.changed, l.cause
}

func (l *Link) set(s *session, cause error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.session, l.cause = s, cause
	close(l.changed)
	l.changed = make(chan struct{})
}

func down(cause error) error {
	if cause == nil {
		return ErrDown
	}
	return fmt.Errorf("%w: %w", ErrDown, cause)
}
