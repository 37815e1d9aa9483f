package web

import (
	"container/list"
	"net/netip"
	"sync"
	"time"

	"xtokend/internal/bosh"
	"xtokend/internal/longestqueue"
)

const (
	boshWait = 60 * time.Second
	// boshInactivity is longer than the minute for which browsers put off the
	// timers of a page in the background.
	boshInactivity        = 75 * time.Second
	boshPollingInactivity = 90 * time.Second
	boshPolling           = 5 * time.Second
	boshMaxPause          = 120 * time.Second
	// boshResponseBytes keeps responses short enough for slow connections: what is
	// lost under way is sent again as a whole.
	boshResponseBytes = 65536
	// bodyTimeout bounds the reading of a request's body, besides what its length
	// takes at bodyRate.
	bodyTimeout = 10 * time.Second
)

// boshSessions finds sessions by their sid, and bounds how many there are.
type boshSessions struct {
	reached     func(limit string)
	bodyTimeout time.Duration

	mu     sync.Mutex
	most   int
	config bosh.Config // of each new one
	bySID  map[string]*boshSession
	// Those that make room for others: first those that are over, the oldest first.
	over    list.List // of *boshSession
	spare   longestqueue.Set[netip.Prefix, *boshSession]
	refused bool // somebody was, since there was room
}

func newBOSHSessions(l Limits, reached func(string)) *boshSessions {
	t := &boshSessions{reached: reached, bodyTimeout: bodyTimeout, bySID: make(map[string]*boshSession)}
	t.limit(l)
	return t
}

// limit changes the limits for sessions that begin from now on.
func (t *boshSessions) limit(l Limits) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.most = l.BOSHSessions
	t.config = bosh.Config{
		Wait: boshWait, Inactivity: boshInactivity, PollingInactivity: boshPollingInactivity,
		Polling: boshPolling, MaxPause: boshMaxPause,
		OutBytes: l.BOSHBufferBytes, ResponseBytes: boshResponseBytes, InBytes: l.BOSHBufferBytes,
	}
}

// terms are those of a session that begins now.
func (t *boshSessions) terms() bosh.Config {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.config
}

func (t *boshSessions) find(sid string) *boshSession {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.bySID[sid]
}

// add lets a new session in if there is room. At the limit one goes that has not
// logged in, the oldest of the address that has most of them, else a flood of
// them would shut everybody out; before it one that has ended, and whose client
// does not come to hear of it.
func (t *boshSessions) add(s *boshSession) bool {
	victim, ok := t.insert(s)
	if victim != nil {
		victim.abort(bosh.InternalServerError)
	}
	return ok
}

func (t *boshSessions) insert(s *boshSession) (victim *boshSession, ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.bySID) >= t.most {
		t.reached("bosh_sessions")
		if front := t.over.Front(); front != nil {
			victim = front.Value.(*boshSession)
		} else if oldest := t.spare.Victim(); oldest != nil {
			victim = oldest.Value
		} else {
			return nil, false
		}
		t.drop(victim)
	}
	t.bySID[s.sid] = s
	s.spare = t.spare.Push(s.holder, s)
	return victim, true
}

// firstRefusal says whether a refusal is the first since there was room: worth
// a line in the log.
func (t *boshSessions) firstRefusal() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	first := !t.refused
	t.refused = true
	return first
}

// authenticated says that s makes room for nobody any more.
func (t *boshSessions) authenticated(s *boshSession) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.keep(s)
}

// ended says that s only waits for its client to hear so.
func (t *boshSessions) ended(s *boshSession) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.bySID[s.sid] == s {
		t.keep(s)
		s.over = t.over.PushBack(s)
	}
}

// remove takes a session out that is over. It may be called again.
func (t *boshSessions) remove(s *boshSession) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.drop(s)
}

func (t *boshSessions) drop(s *boshSession) {
	t.keep(s)
	if t.bySID[s.sid] == s {
		delete(t.bySID, s.sid)
		t.refused = false
	}
}

func (t *boshSessions) keep(s *boshSession) {
	t.spare.Remove(s.spare)
	s.spare = nil
	if s.over != nil {
		t.over.Remove(s.over)
		s.over = nil
	}
}
