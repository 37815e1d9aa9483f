package web

import (
	"time"

	"xtokend/internal/bosh"
)

// SetBOSH changes what sessions that begin from now on are granted.
func SetBOSH(s *Server, change func(*bosh.Config)) { change(&s.sessions.config) }

// SetBodyTimeout bounds the reading of a body anew.
func SetBodyTimeout(s *Server, d time.Duration) { s.sessions.bodyTimeout = d }

// AwaitBOSHRequests returns once n requests of a session wait for their replies.
func AwaitBOSHRequests(s *Server, sid string, n int) {
	session := s.sessions.find(sid)
	session.mu.Lock()
	defer session.mu.Unlock()
	for len(session.requests) != n {
		session.changed.Wait()
	}
}

// BOSHReceived is the number of requests of a session that were received.
func BOSHReceived(s *Server, sid string) int {
	session := s.sessions.find(sid)
	session.mu.Lock()
	defer session.mu.Unlock()
	return int(session.last)
}

// AwaitBOSHReceived returns once n requests of a session were received.
func AwaitBOSHReceived(s *Server, sid string, n int) {
	session := s.sessions.find(sid)
	session.mu.Lock()
	defer session.mu.Unlock()
	for int(session.last) < n {
		session.changed.Wait()
	}
}

// BOSHSessions is the number of sessions that are remembered.
func BOSHSessions(s *Server) int {
	s.sessions.mu.Lock()
	defer s.sessions.mu.Unlock()
	return len(s.sessions.bySID)
}
