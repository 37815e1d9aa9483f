package main

import (
	"sync"
	"time"

	"xtokend/bench/result"
)

// runStorm has all clients connect at once, each in a goroutine of its own that is ready
// before. They stay until the last one is bound or has failed.
func runStorm(cfg *config) (*result.Run, error) {
	var (
		mu      sync.Mutex
		bound   times
		clients []*client
		failed  failures
		ready   sync.WaitGroup
		ended   sync.WaitGroup
		begin   = make(chan struct{})
	)
	for i := range cfg.n {
		ready.Add(1)
		ended.Go(func() {
			user := cfg.user(i)
			ready.Done()
			<-begin
			c, err := login(cfg, user)
			if err != nil {
				failed.add(kind(err))
				return
			}
			c.setDeadline(time.Time{})
			mu.Lock()
			defer mu.Unlock()
			bound.add(c)
			clients = append(clients, c)
		})
	}
	ready.Wait()
	from, err := cfg.readClocks()
	if err != nil {
		return nil, err
	}
	close(begin)
	ended.Wait()
	to, err := cfg.readClocks()
	if err != nil {
		return nil, err
	}
	run := report(from, to, len(clients))
	bound.report(run)
	run.Errors = failed.counts()
	for _, c := range clients {
		c.abort()
	}
	return run, nil
}
