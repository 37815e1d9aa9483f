package component

import (
	"sync"
	"time"

	"golang.org/x/time/rate"
)

const (
	// stormPerSecond and stormBurst bound the lines that one cause of trouble
	// may write: an outage makes every client try again and again.
	stormPerSecond = 1
	stormBurst     = 10
)

// storms thins out what each cause of trouble writes to the log. Causes are few
// and our own words, never a peer's.
type storms struct {
	now func() time.Time

	mu      sync.Mutex
	byCause map[string]*storm
}

type storm struct {
	limiter *rate.Limiter
	omitted int
}

func newStorms(now func() time.Time) *storms {
	return &storms{now: now, byCause: make(map[string]*storm)}
}

// allow says whether a line about cause may be written, and how many were left
// out since the last one.
func (s *storms) allow(cause string) (omitted int, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	of := s.byCause[cause]
	if of == nil {
		of = &storm{limiter: rate.NewLimiter(stormPerSecond, stormBurst)}
		s.byCause[cause] = of
	}
	if !of.limiter.AllowN(s.now(), 1) {
		of.omitted++
		return 0, false
	}
	omitted, of.omitted = of.omitted, 0
	return omitted, true
}
