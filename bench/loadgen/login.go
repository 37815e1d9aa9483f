package main

import (
	"sync"
	"sync/atomic"
	"time"

	"xtokend/bench/result"
)

const (
	closeTimeout = 2 * time.Second       // for a server's end of a stream
	afterFailure = 10 * time.Millisecond // a server that refuses must not make a worker spin
)

// times are those of logins, one by one.
type times struct {
	total, connect, features, auth, bind []time.Duration
}

func (t *times) add(c *client) {
	t.total = append(t.total, c.bound.Sub(c.began))
	t.connect = append(t.connect, c.connected.Sub(c.began))
	t.features = append(t.features, c.offered.Sub(c.connected))
	t.auth = append(t.auth, c.authenticated.Sub(c.offered))
	t.bind = append(t.bind, c.bound.Sub(c.authenticated))
}

func (t *times) merge(more times) {
	t.total = append(t.total, more.total...)
	t.connect = append(t.connect, more.connect...)
	t.features = append(t.features, more.features...)
	t.auth = append(t.auth, more.auth...)
	t.bind = append(t.bind, more.bind...)
}

// report adds latency and phases to a run.
func (t *times) report(run *result.Run) {
	median := func(d []time.Duration) float64 { return result.NewLatency(d).P50 }
	run.Latency = result.NewLatency(t.total)
	run.Phases = &result.Phases{
		Connect:  median(t.connect),
		Features: median(t.features),
		Auth:     median(t.auth),
		Bind:     median(t.bind),
	}
}

// runLogin measures the logins that are over between two readings of the clocks.
func runLogin(cfg *config) (*result.Run, error) {
	var (
		mu        sync.Mutex
		all       times
		failed    failures
		measuring atomic.Bool
		stop      atomic.Bool
		workers   sync.WaitGroup
	)
	for w := range cfg.workers {
		workers.Go(func() {
			var mine times
			for !stop.Load() {
				c, err := login(cfg, cfg.user(w))
				if err != nil {
					if measuring.Load() {
						failed.add(kind(err))
					}
					time.Sleep(afterFailure)
					continue
				}
				if measuring.Load() {
					mine.add(c)
				}
				c.finish(closeTimeout)
			}
			mu.Lock()
			defer mu.Unlock()
			all.merge(mine)
		})
	}
	time.Sleep(cfg.warmup)
	from, err := cfg.readClocks()
	if err == nil {
		measuring.Store(true)
		time.Sleep(cfg.duration)
	}
	measuring.Store(false)
	to, errTo := cfg.readClocks()
	stop.Store(true)
	workers.Wait()
	if err == nil {
		err = errTo
	}
	if err != nil {
		return nil, err
	}
	run := report(from, to, len(all.total))
	all.report(run)
	run.Errors = failed.counts()
	return run, nil
}
