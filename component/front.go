package component

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"xtokend/auth"
	"xtokend/component/upstream"
	"xtokend/internal/storm"
	"xtokend/internal/tally"
)

// Domain is one XMPP domain that the front serves.
type Domain struct {
	// Name is the domainpart, prepared (RFC 7622 §3.2).
	Name string
	// Verifier decides about tokens; its Domain must equal Name.
	Verifier *auth.Verifier
	// Mechanisms are offered in this order; none means all that exist.
	Mechanisms []string
	// Upstream opens streams for authenticated users. Nil: another server has them, and
	// asks by Authenticate; clients of the front are told host-unknown.
	Upstream upstream.Upstream
}

// Config is what a Front is made of. Domains must hold at least one entry; the
// zero value of every other field is usable.
type Config struct {
	Domains []Domain
	// TrustedProxies are believed about the clients that they connect for: they
	// may begin a connection with a header of the PROXY protocol.
	TrustedProxies []netip.Prefix
	// TLS is for STARTTLS and direct TLS. Nil: no TLS is offered, so clients
	// can log in over loopback alone.
	TLS *tls.Config
	// Limits bound what peers may use up; zero fields get the default.
	Limits Limits
	// Logger gets one line for each refusal and for each closed session. Nil
	// discards.
	Logger *slog.Logger
	// Observe is told of each attempt to log in that is answered; nil: nobody is.
	// It is called from the sessions' goroutines and must not block.
	Observe func(Attempt)
	// Now tells the time to the limit on failed attempts and to the closing
	// lines; nil means time.Now. Deadlines of connections are real time.
	Now func() time.Time
}

// Front accepts clients, authenticates them and relays them to their upstream.
// Its methods may be called from any goroutine.
type Front struct {
	settings atomic.Pointer[settings] // see Reload
	log      *slog.Logger
	storms   *storm.Log
	now      func() time.Time
	streams  *registry
	attempts atomic.Pointer[attempts]
	panics   atomic.Int64
	draining atomic.Bool
	observer func(Attempt) // may be nil
	reached  tally.Tally   // limits

	ctx    context.Context
	cancel context.CancelCauseFunc

	reloading sync.Mutex // held by Reload
	mu        sync.Mutex
	listeners map[net.Listener]struct{}
	sessions  sync.WaitGroup
}

// New returns a Front that serves nothing yet. It returns an error if a domain
// is missing, doubled, lacks a verifier, or offers a mechanism that takes no
// token.
func New(c Config) (*Front, error) {
	settings, err := newSettings(c)
	if err != nil {
		return nil, err
	}
	f := &Front{log: c.Logger, now: c.Now, observer: c.Observe, listeners: make(map[net.Listener]struct{})}
	if f.log == nil {
		f.log = slog.New(slog.DiscardHandler)
	}
	if f.now == nil {
		f.now = time.Now
	}
	f.settings.Store(settings)
	f.storms = storm.New(f.now)
	f.streams = newRegistry(settings.limits, f.reached.Add)
	f.attempts.Store(newAttempts(settings.limits, f.now))
	f.ctx, f.cancel = context.WithCancelCause(context.Background())
	return f, nil
}

// Panics is the number of sessions that a fault in the program has ended; each
// left a line with its stack in the log.
func (f *Front) Panics() int64 { return f.panics.Load() }

// Shutdown stops accepting, ends every client stream with system-shutdown
// (RFC 6120 §4.9.3.19), and drops the upstream connections without a stream
// end, so that resumable sessions stay resumable (XEP-0198 §5). It returns
// when all sessions have ended, or with ctx's error if they have not by then.
// The listeners given to Serve are closed.
func (f *Front) Shutdown(ctx context.Context) error {
	f.mu.Lock()
	f.cancel(errShutdown)
	f.streams.interruptRelays()
	for l := range f.listeners {
		l.Close()
	}
	f.mu.Unlock()
	done := make(chan struct{})
	go func() {
		f.sessions.Wait()
		close(done)
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("component: %d sessions still open: %w", f.streams.count(), ctx.Err())
	}
}
