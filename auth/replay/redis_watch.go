package replay

import (
	"context"
	"encoding/json"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"
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

// missedSteps is for how long after it a revocation is told to a node that was cut off from Redis when it was made.
const missedSteps = 2

// Revocations calls f with each revocation that any node makes from now on, one after the other, until ctx ends or the
// store is closed; their Window is zero. It is for ending sessions: uses are refused by the record of the revocation,
// whether or not a node has heard of it.
//
// A message is lost while the connection is. So whenever it is there, or there again, f is called with the revocations
// of about the last minute in those that domains returns then, some of which it may know. Those of a longer time
// without Redis are not told, which the log says.
func (r *Redis) Revocations(ctx context.Context, domains func() []string, f func(Revocation)) {
	if _, open := r.seen(); !open {
		return
	}
	subscription := r.client.Subscribe(ctx, redisChannel) // connects again by itself
	defer subscription.Close()
	messages := subscription.ChannelWithSubscriptions()
	again := false
	for {
		select {
		case <-ctx.Done():
			return
		case <-r.done:
			return
		case message, ok := <-messages:
			switch message := message.(type) {
			case *redis.Subscription:
				if again {
					r.log.Warn("replay: the connection to Redis was lost; revocations of that time, if it was more than a minute, " +
						"have ended no sessions here: make them again")
				}
				again = true
				r.missed(ctx, domains(), f)
			case *redis.Message:
				var v revocationMessage
				if err := json.Unmarshal([]byte(message.Payload), &v); err != nil {
					r.log.Warn("replay: somebody else writes to our channel in Redis", "channel", redisChannel)
					continue
				}
				f(Revocation{Domain: v.Domain, Address: v.Address, Through: v.Through})
			}
			if !ok {
				return
			}
		}
	}
}

// missed calls f with the revocations of late. One that is older may be of a user who has logged in since.
func (r *Redis) missed(ctx context.Context, domains []string, f func(Revocation)) {
	ctx, cancel := context.WithTimeout(ctx, r.timeout)
	defer cancel()
	since := strconv.FormatInt(r.now().Unix()/StepSeconds-missedSteps, 10)
	for _, domain := range domains {
		records, err := r.client.ZRangeByScoreWithScores(ctx, redisRevocations(domain), &redis.ZRangeBy{Min: since, Max: "+inf"}).Result()
		if err != nil {
			r.log.Warn("replay: revocations that were made while Redis could not be reached from here may have ended no "+
				"sessions here: make them again", "error", err)
			return
		}
		for _, record := range records {
			if address, ok := record.Member.(string); ok {
				f(Revocation{Domain: domain, Address: address, Through: int64(record.Score)})
			}
		}
	}
}
