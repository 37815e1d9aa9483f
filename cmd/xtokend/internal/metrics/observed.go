package metrics

import (
	"context"
	"errors"
	"net"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"mellium.im/xmpp/jid"

	"xtokend/auth/replay"
	"xtokend/component/upstream"
)

const (
	operationUse    = "use"
	operationRevoke = "revoke"
)

// fairTime is how long somebody must be given to answer for a missing answer to
// say anything of him: a client that logs in with the last moment of its time must
// not make the node look as if it could serve nobody.
const fairTime = time.Second

// Store returns s, observed.
func (m *Metrics) Store(s replay.Store) replay.Store {
	return &observedStore{
		Store: s, metrics: m,
		use: m.store.WithLabelValues(operationUse), revoke: m.store.WithLabelValues(operationRevoke),
	}
}

// StoreState is what is known of the replay store.
func (m *Metrics) StoreState() State { return m.storeOutcome.state() }

type observedStore struct {
	replay.Store
	metrics     *Metrics
	use, revoke prometheus.Observer
}

// Use implements [replay.Store].
func (s *observedStore) Use(ctx context.Context, u replay.Use) error {
	receipt, err := s.UseEarly(ctx, u)
	if receipt == nil {
		return err
	}
	return receipt.Wait(ctx)
}

// UseEarly implements [replay.EarlyStore]. What is observed is the time that somebody
// has waited.
func (s *observedStore) UseEarly(ctx context.Context, u replay.Use) (replay.Receipt, error) {
	began := time.Now()
	receipt, err := replay.UseEarly(ctx, s.Store, u)
	took := time.Since(began)
	if err == nil && receipt != nil {
		return &observedReceipt{Receipt: receipt, store: s, took: took}, nil
	}
	s.use.Observe(took.Seconds())
	s.done(ctx, began, operationUse, err)
	return nil, err
}

// observedReceipt is for a use that was taken by the store in a time.
type observedReceipt struct {
	replay.Receipt
	store *observedStore
	took  time.Duration
}

// Wait implements [replay.Receipt].
func (r *observedReceipt) Wait(ctx context.Context) error {
	began := time.Now()
	err := r.Receipt.Wait(ctx)
	r.store.use.Observe((r.took + time.Since(began)).Seconds())
	r.store.done(ctx, began, operationUse, err)
	return err
}

// Revoke implements [replay.Store].
func (s *observedStore) Revoke(ctx context.Context, r replay.Revocation) error {
	began := time.Now()
	err := s.Store.Revoke(ctx, r)
	s.revoke.Observe(time.Since(began).Seconds())
	s.done(ctx, began, operationRevoke, err)
	return err
}

func (s *observedStore) done(ctx context.Context, began time.Time, operation string, err error) {
	for _, verdict := range []error{replay.ErrReplayed, replay.ErrRevoked, replay.ErrReleased, replay.ErrLost} {
		if errors.Is(err, verdict) {
			err = nil // it has answered
		}
	}
	if err == nil {
		s.metrics.storeOutcome.set(true)
		return
	}
	if gone(ctx, began) {
		return
	}
	s.metrics.storeFailures.WithLabelValues(operation).Inc()
	s.metrics.storeOutcome.set(false)
}

// Upstream returns u, observed as that of a domain.
func (m *Metrics) Upstream(domain string, u upstream.Upstream) upstream.Upstream {
	return &observedUpstream{
		upstream: u, outcome: m.upstreamStates.of(domain),
		opening: m.opening.WithLabelValues(domain), failures: m.openFailures.WithLabelValues(domain),
	}
}

// UpstreamState is what is known of a domain's upstream.
func (m *Metrics) UpstreamState(domain string) State { return m.upstreamStates.of(domain).state() }

type observedUpstream struct {
	upstream upstream.Upstream
	outcome  *outcome
	opening  prometheus.Observer
	failures prometheus.Counter
}

// Open implements [upstream.Upstream].
func (u *observedUpstream) Open(ctx context.Context, user jid.JID) (net.Conn, error) {
	began := time.Now()
	conn, err := u.upstream.Open(ctx, user)
	u.opening.Observe(time.Since(began).Seconds())
	var refusal *upstream.Refusal
	switch {
	case err == nil, errors.As(err, &refusal): // it has answered
		u.outcome.set(true)
	case !gone(ctx, began):
		u.failures.Inc()
		u.outcome.set(false)
	}
	return conn, err
}

// gone says whether whoever asked did not wait for the answer, or not long enough.
func gone(ctx context.Context, began time.Time) bool {
	if errors.Is(ctx.Err(), context.Canceled) {
		return true
	}
	deadline, bounded := ctx.Deadline()
	return bounded && ctx.Err() != nil && deadline.Sub(began) < fairTime
}
