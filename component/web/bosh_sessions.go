package web

import (
	"container/list"
	"sync"
	"time"

	"xtokend/internal/bosh"
)

const (
	boshWait = 60 * time.Second
	// boshInactivity is longer than the minute for which browsers put off the
	// timers of a page in the background.
	boshInactivity        = 75 * time.Second
	boshPollingInactivity = 90 * time.Second
	boshPolling           = 5 * time.Second
	boshMaxPause          = 120 * time.Second
	// bodyTimeout bounds the reading of a request's body.
	bodyTimeout = 20 * time.Second
)

// boshSessions finds sessions by their sid, and bounds how many there are.
type boshSessions struct {
	limit       int
	config      bosh.Config // of each
	bodyTimeout time.Duration

	mu              sync.Mutex
	bySID           map[string]*boshSession
	unauthenticated *list.List // of *boshSession, the oldest first
	full            bool       // and somebody was turned away since
}

func newBOSHSessions(l Limits) *boshSessions {
	return &boshSessions{
		limit: l.BOSHSessions, bodyTimeout: bodyTimeout,
		config: bosh.Config{
			Wait: boshWait, Inactivity: boshInactivity, PollingInactivity: boshPollingInactivity,
			Polling: boshPolling, MaxPause: boshMaxPause,
			OutBytes: l.BOSHBufferBytes, InBytes: l.BOSHBufferBytes,
		},
		bySID: make(map[string]*boshSession), unauthenticated: list.New(),
	}
}

func (t *boshSessions) find(sid string) *boshSession {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.bySID[sid]
}

// add lets a new session in. At the limit the oldest of those that have not
// logged in goes, else a flood of them would shut everybody out. If there is
// none, it is refused; the first refusal in a row is worth a line in the log.
func (t *boshSessions) add(s *boshSession) (ok, first bool) {
	t.mu.Lock()
	var victim *boshSession
	if len(t.bySID) >= t.limit {
		oldest := t.unauthenticated.Front()
		if oldest == nil {
			first, t.full = !t.full, true
			t.mu.Unlock()
			return false, first
		}
		victim = oldest.Value.(*boshSession)
		t.drop(victim)
	}
	t.bySID[s.sid] = s
	s.waiting = t.unauthenticated.PushBack(s)
	t.mu.Unlock()
	if victim != nil {
		victim.abort(bosh.InternalServerError)
	}
	return true, false
}

// authenticated says that s is no longer among those that may have to go.
func (t *boshSessions) authenticated(s *boshSession) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.settle(s)
}

// remove takes a session out that is over. It may be called again.
func (t *boshSessions) remove(s *boshSession) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.drop(s)
}

func (t *boshSessions) drop(s *boshSession) {
	t.settle(s)
	if t.bySID[s.sid] == s {
		delete(t.bySID, s.sid)
		t.full = false
	}
}

func (t *boshSessions) settle(s *boshSession) {
	if s.waiting != nil {
		t.unauthenticated.Remove(s.waiting)
		s.waiting = nil
	}
}
