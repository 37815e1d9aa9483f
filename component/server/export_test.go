package server

// KeptKeys is how many sets of keys s keeps.
func KeptKeys(s *Server) int {
	s.keys.mu.Lock()
	defer s.keys.mu.Unlock()
	return len(s.keys.byID)
}

// MaxHourly bounds takeovers and warnings.
const MaxHourly = maxHourly
