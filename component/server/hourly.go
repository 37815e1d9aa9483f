package server

import (
	"sync"
	"time"
)

// maxHourly bounds the names that an hourly remembers.
const maxHourly = 100_000

// hourly allows an act once an hour for each name.
type hourly struct {
	now func() time.Time

	mu   sync.Mutex
	last map[string]time.Time
}

func newHourly(now func() time.Time) *hourly {
	return &hourly{now: now, last: make(map[string]time.Time)}
}

// allow says whether the act may be done for name now, and takes it for done
// if so. While more names than can be remembered had theirs within the hour, it
// allows none.
func (h *hourly) allow(name string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	now := h.now()
	if last, ok := h.last[name]; ok && now.Sub(last) < time.Hour {
		return false
	}
	if len(h.last) >= maxHourly {
		for n, last := range h.last {
			if now.Sub(last) >= time.Hour {
				delete(h.last, n)
			}
		}
		if len(h.last) >= maxHourly {
			return false
		}
	}
	h.last[name] = now
	return true
}
