// Package tally counts events by a few names.
package tally

import (
	"maps"
	"sync"
)

// Tally counts. The zero value is ready; its methods may be called from any
// goroutine, and its lock is a leaf.
type Tally struct {
	mu     sync.Mutex
	counts map[string]int64
}

// Add counts one. Names are our own words, never a peer's: each is kept.
func (t *Tally) Add(name string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.counts == nil {
		t.counts = make(map[string]int64)
	}
	t.counts[name]++
}

// Counts is a copy of all that has been counted.
func (t *Tally) Counts() map[string]int64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return maps.Clone(t.counts)
}
