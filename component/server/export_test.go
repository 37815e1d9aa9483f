package server

// KeptKeys is how many sets of keys s keeps.
func KeptKeys(s *Server) int {
	s.keys.mu.Lock()
	defer s.keys.mu.Unlock()
	return len(s.keys.byID)
}

// MaxHourly bounds takeovers and warnings.
const MaxHourly = maxHourly

// TakesNobody says whether all turns to open a stream are taken.
func TakesNobody(s *Server) bool {
	if !s.dialer.openings.TryAcquire(1) {
		return true
	}
	s.dialer.openings.Release(1)
	return false
}
