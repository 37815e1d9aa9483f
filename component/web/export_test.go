package web

import "time"

// SetTimeouts bounds the reading of a header and the time between two requests
// anew. It must be called before anything is served.
func SetTimeouts(s *Server, header, idle time.Duration) {
	s.http.ReadHeaderTimeout, s.http.IdleTimeout = header, idle
}
