package replay

import (
	"context"
	"encoding/json"
	"time"
)

// watch looks at the server from time to time, until ctx ends: a loss is found, and its floor set, although nobody logs
// in. err is the outcome of the first look.
func (r *Redis) watch(ctx context.Context, err error) {
	again := time.NewTicker(r.interval)
	defer again.Stop()
	available := true
	for {
		switch {
		case err != nil && available:
			r.log.Error("replay: Redis is unavailable; logins are refused until it is back", "error", err)
		case err == nil && !available:
			r.log.Info("replay: Redis is available again")
		}
		available = err == nil
		select {
		case <-ctx.Done():
			return
		case <-again.C:
		}
		if err = r.mark(ctx); ctx.Err() != nil {
			return
		}
		r.mu.Lock()
		r.err = err
		r.mu.Unlock()
	}
}

// Err says why the store could not answer when it looked last, on its own, every few seconds; nil if it could.
func (r *Redis) Err() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.err
}

// revocationMessage is what nodes tell each other.
type revocationMessage struct {
	Domain  string `json:"domain"`
	Address string `json:"address"`
	Through int64  `json:"through"`
}

// Revocations calls f with each revocation that any node makes from now on, one after the other, until ctx ends or the
// store is closed; their Window is zero. It is for ending sessions: uses are refused by the record of the revocation,
// whether or not a node has heard of it. What is revoked while Redis cannot be reached from here is not told.
func (r *Redis) Revocations(ctx context.Context, f func(Revocation)) {
	if _, open := r.seen(); !open {
		return
	}
	subscription := r.client.Subscribe(ctx, redisChannel) // connects again by itself
	defer subscription.Close()
	messages := subscription.Channel()
	for {
		select {
		case <-ctx.Done():
			return
		case <-r.done:
			return
		case message, ok := <-messages:
			if !ok {
				return
			}
			var v revocationMessage
			if err := json.Unmarshal([]byte(message.Payload), &v); err != nil {
				r.log.Warn("replay: somebody else writes to our channel in Redis", "channel", redisChannel)
				continue
			}
			f(Revocation{Domain: v.Domain, Address: v.Address, Through: v.Through})
		}
	}
}
