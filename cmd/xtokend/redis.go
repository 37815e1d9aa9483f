package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"sync"

	"mellium.im/xmpp/jid"

	"xtokend/auth/replay"
	"xtokend/cmd/xtokend/internal/config"
	"xtokend/cmd/xtokend/internal/metrics"
)

// openRedis opens the store that nodes share.
func openRedis(r config.Redis, log *slog.Logger) (*replay.Redis, error) {
	o := replay.RedisOptions{
		Addresses: r.Addresses,
		Master:    r.Sentinel,
		Username:  r.Username,
		Password:  r.Password.Reveal(),
		DB:        r.Database,
		Log:       log,
	}
	if r.TLS {
		o.TLS = &tls.Config{RootCAs: r.RootCAs, MinVersion: tls.VersionTLS12}
	}
	store, err := replay.OpenRedis(context.Background(), o)
	if err != nil {
		return nil, fmt.Errorf("replay.url: %w", err)
	}
	return store, nil
}

// followRevocations ends here the sessions of users who are revoked at any node,
// until stop is called, which waits until that has ended.
func (p *parts) followRevocations() (stop func()) {
	if p.shared == nil {
		return func() {}
	}
	ctx, cancel := context.WithCancel(context.Background())
	var following sync.WaitGroup
	following.Go(func() { p.shared.Revocations(ctx, p.domains, p.revoked) })
	return func() {
		cancel()
		following.Wait()
	}
}

// revoked ends the sessions of a user who is revoked.
func (p *parts) revoked(r replay.Revocation) {
	user, err := jid.New(r.Address, r.Domain, "")
	if err != nil {
		p.log.Warn("a node has revoked a user whose name is none", "error", err)
		return
	}
	if ended := p.front.EndSessions(user); ended > 0 {
		p.log.Info("sessions ended: their user is revoked", "user", user.String(), "sessions", ended)
	}
}

// storeIsDown reports whether the replay store is known not to answer: by the last
// login, or by a shared store's own look.
func (p *parts) storeIsDown() bool {
	return p.metrics.StoreState() == metrics.Down || p.shared != nil && p.shared.Err() != nil
}
