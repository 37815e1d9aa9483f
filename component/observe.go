package component

import (
	"maps"

	"xtokend/auth"
)

// ReasonOK is the reason of an attempt that let its client in.
const ReasonOK = "ok"

// Attempt is one answered attempt to log in, as statistics may know it: nothing
// in it is the user's or a peer's, and each field has few values.
type Attempt struct {
	Domain    string // one of Config.Domains
	Mechanism string // one that the domain offers, or PLAIN with Authenticate; "" if the client named another, or none
	Transport string // as the log names it; with Authenticate the adapter
	Reason    string // ReasonOK, or as the log gives it
	// Acceptance is what the verifier said, with ReasonOK.
	Acceptance auth.Acceptance
}

// Stats is a snapshot of what a front has done and does.
type Stats struct {
	// Sessions counts those that have logged in.
	Sessions map[SessionKind]int
	// Unauthenticated counts those that have not.
	Unauthenticated int
	// FromClient and ToClient are the bytes relayed since the start.
	FromClient, ToClient int64
}

// SessionKind is what sessions are counted by.
type SessionKind struct{ Domain, Transport string }

// Authenticated is the number of sessions that have logged in.
func (s Stats) Authenticated() (n int) {
	for count := range maps.Values(s.Sessions) {
		n += count
	}
	return n
}

// Stats counts anew at each call; its cost grows with the number of sessions.
func (f *Front) Stats() Stats { return f.streams.stats() }

func (r *registry) stats() Stats {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := Stats{
		Sessions: make(map[SessionKind]int), Unauthenticated: r.unauthenticated.Len(),
		FromClient: r.ended.fromClient, ToClient: r.ended.toClient,
	}
	for e := r.named.Front(); e != nil; e = e.Next() {
		s := e.Value.(*session)
		if !s.authenticated {
			continue
		}
		all.Sessions[SessionKind{s.user.Domainpart(), s.transportName}]++
		all.FromClient += s.relayed.fromClient.Load()
		all.ToClient += s.relayed.toClient.Load()
	}
	return all
}

// observe reports an attempt, refused or not.
func (s *session) observe(mechanism, reason string, a auth.Acceptance) {
	s.front.observe(Attempt{
		Domain: s.domain.Name, Mechanism: mechanism, Transport: s.transport.name(), Reason: reason, Acceptance: a,
	})
}

func (f *Front) observe(a Attempt) {
	if f.observer != nil {
		f.observer(a)
	}
}
