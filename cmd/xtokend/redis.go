package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"

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
// until ctx ends.
func (p *parts) followRevocations(ctx context.Context, log *slog.Logger) {
	if p.shared == nil {
		return
	}
	p.shared.Revocations(ctx, p.domains(), func(r replay.Revocation) {
		user, err := jid.New(r.Address, r.Domain, "")
		if err != nil {
			log.Warn("a node has revoked a user whose name is none", "error", err)
			return
		}
		if ended := p.front.EndSessions(user); ended > 0 {
			log.Info("sessions ended: their user is revoked", "user", user.String(), "sessions", ended)
		}
	})
}

// storeIsDown reports whether the replay store is known not to answer: by the last
// login, or by a shared store's own look.
func (p *parts) storeIsDown() bool {
	return p.metrics.StoreState() == metrics.Down || p.shared != nil && p.shared.Err() != nil
}
