package bosh

import "time"

// version is the newest one of XEP-0124 that is followed here.
var version = Version{1, 11}

// maxHold is how many requests are held at most: one waits for what comes, the
// other is for what the client sends.
const maxHold = 1

// Config is what a service grants to its sessions, and what they may take up.
// Every field must be positive.
type Config struct {
	Wait              time.Duration // the longest that a request is held
	Inactivity        time.Duration // the longest without a request
	PollingInactivity time.Duration // the same for polling sessions (XEP-0124 §12)
	Polling           time.Duration // the shortest between two empty requests
	MaxPause          time.Duration
	// OutBytes, as the other fields in bytes, counts [UnitOverhead] for each unit.
	// It bounds what waits to be fetched and what is kept to be repeated,
	// together. One unit may exceed it if no other waits.
	OutBytes int
	// ResponseBytes bounds the payload of a response, that of the last one aside.
	// One unit may exceed it.
	ResponseBytes int
	// InBytes bounds what was received and not read yet. One request may exceed
	// it if nothing else waits; besides, up to as many requests as the client may
	// make at once are kept unprocessed.
	InBytes int
}

// Terms are what a session was granted: attributes of the creation response
// (XEP-0124 §7.2).
type Terms struct {
	SID                                 string
	Ver                                 Version
	Wait, Polling, Inactivity, MaxPause time.Duration
	Hold, Requests                      int
}

// polls says whether the session is a polling one (XEP-0124 §12).
func (t *Terms) polls() bool { return t.Wait == 0 || t.Hold == 0 }

// grant answers what a creation request asks for.
func grant(c Config, sid string, r *Request) Terms {
	t := Terms{SID: sid, Ver: version, Wait: c.Wait, Hold: maxHold,
		Polling: c.Polling, Inactivity: c.Inactivity, MaxPause: c.MaxPause}
	if r.Ver != nil && r.Ver.less(t.Ver) {
		t.Ver = *r.Ver
	}
	if r.Wait >= 0 {
		t.Wait = min(t.Wait, r.Wait)
	}
	if r.Hold >= 0 {
		t.Hold = min(t.Hold, r.Hold)
	}
	t.Requests = t.Hold + 1
	if t.polls() {
		t.Inactivity = c.PollingInactivity
	}
	return t
}
