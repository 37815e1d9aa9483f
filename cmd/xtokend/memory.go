package main

import (
	"context"
	"runtime"
	"runtime/debug"
	"sync"
	"time"
)

// memoryInterval is how often is looked whether memory can be given back.
const memoryInterval = 5 * time.Second

// ballastBytes count as live for the collector, which runs whenever the heap has grown by
// as much as is live. That is 4 MB without sessions, so that it ran 20 times a second
// under a load of logins, and took a sixth of their time. Ballast is never touched and so
// takes no memory; but that much more garbage can be there.
const ballastBytes = 16 << 20

// calm tells when a wave of logins or of ends is over. What logins needed for
// themselves is then garbage, a third of what an idle session seems to cost, which
// the runtime would collect only with the next wave and return to the system slowly.
type calm struct{ last, returned int }

// after says whether now, at this number of sessions, memory is to be given back:
// when the number has come to rest, and at another than the last time.
func (c *calm) after(sessions int) bool {
	few := max(100, c.last/50)
	atRest := abs(sessions-c.last) < few
	c.last = sessions
	if !atRest || abs(sessions-c.returned) < max(100, c.returned/10) {
		return false
	}
	c.returned = sessions
	return true
}

func abs(n int) int { return max(n, -n) }

// returnMemory lets the collector rest, and gives memory back to the system after waves,
// until the function that it returns is called.
func (p *parts) returnMemory() (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() {
		ballast := make([]byte, ballastBytes)
		defer runtime.KeepAlive(ballast)
		tick := time.NewTicker(memoryInterval)
		defer tick.Stop()
		var c calm
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			stats := p.front.Stats()
			if c.after(stats.Authenticated() + stats.Unauthenticated) {
				debug.FreeOSMemory()
			}
		}
	})
	return func() {
		cancel()
		running.Wait()
	}
}
