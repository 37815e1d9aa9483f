// Package storm thins out what trouble writes to the log: an outage or an attacker
// makes the same thing happen again and again.
package storm

import (
	"sync"
	"time"

	"golang.org/x/time/rate"
)

const (
	// perSecond and burst bound the lines that one cause of trouble may write.
	perSecond = 1
	burst     = 10
)

// Log says which lines of a log may be written. Its methods may be called from any
// goroutine, and its lock is a leaf.
type Log struct {
	now func() time.Time

	mu      sync.Mutex
	byCause map[string]*cause
}

type cause struct {
	limiter *rate.Limiter
	omitted int
}

// New returns a Log that has written nothing yet.
func New(now func() time.Time) *Log {
	return &Log{now: now, byCause: make(map[string]*cause)}
}

// Allow says whether a line about a cause may be written, and how many were left
// out since the last one. Each cause is remembered: they must be few and our own
// words, never a peer's.
func (l *Log) Allow(name string) (omitted int, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	of := l.byCause[name]
	if of == nil {
		of = &cause{limiter: rate.NewLimiter(perSecond, burst)}
		l.byCause[name] = of
	}
	if !of.limiter.AllowN(l.now(), 1) {
		of.omitted++
		return 0, false
	}
	omitted, of.omitted = of.omitted, 0
	return omitted, true
}
