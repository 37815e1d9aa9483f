package systemd

import (
	"context"
	"time"
)

// Beat calls look, and tell with what it has returned, at once and then at each
// interval, until ctx ends. A look that does not return is waited for: nothing is
// told meanwhile, and a watchdog takes that for what it is.
func Beat[T any](ctx context.Context, interval time.Duration, look func() T, tell func(T)) {
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for {
		seen := make(chan T, 1)
		go func() { seen <- look() }()
		select {
		case v := <-seen:
			tell(v)
		case <-ctx.Done():
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}
