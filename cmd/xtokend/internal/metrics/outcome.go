package metrics

import (
	"sync"
	"time"
)

// State is what is known of something that is asked only when somebody logs in.
type State string

// Unknown is also the state of what failed a while ago and was not asked since:
// if nobody is sent here for the failure, nobody would ever find out that it is
// over.
const (
	Unknown State = "unknown"
	Up      State = "up"
	Down    State = "down"
)

// failureCounts is how long a failure tells anything.
const failureCounts = 30 * time.Second

// outcome is how the last question to something ended. The clock alone must be
// set; its lock is a leaf.
type outcome struct {
	now func() time.Time

	mu    sync.Mutex
	asked bool
	ok    bool
	at    time.Time
}

func (o *outcome) set(ok bool) {
	now := o.now()
	o.mu.Lock()
	defer o.mu.Unlock()
	o.asked, o.ok, o.at = true, ok, now
}

// last is the outcome whenever it was; asked is false if there was none.
func (o *outcome) last() (ok, asked bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.ok, o.asked
}

func (o *outcome) state() State {
	now := o.now()
	o.mu.Lock()
	defer o.mu.Unlock()
	switch {
	case o.ok:
		return Up
	case o.asked && now.Sub(o.at).Abs() < failureCounts:
		return Down
	}
	return Unknown
}

// outcomes are those of each domain's upstream.
type outcomes struct {
	now func() time.Time

	mu       sync.Mutex
	byDomain map[string]*outcome
}

func (o *outcomes) forget(domain string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.byDomain, domain)
}

func (o *outcomes) of(domain string) *outcome {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.byDomain == nil {
		o.byDomain = make(map[string]*outcome)
	}
	if o.byDomain[domain] == nil {
		o.byDomain[domain] = &outcome{now: o.now}
	}
	return o.byDomain[domain]
}
