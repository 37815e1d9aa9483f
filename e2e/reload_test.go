package e2e

import "syscall"

// What xtokend logs when it has read its settings again.
const (
	reloaded  = "the settings were read again"
	unchanged = "the settings cannot be used: all stays as it was"
)

// reload has xtokend read the site's settings, and returns when it has logged the
// outcome.
func (s *site) reload(outcome string) {
	s.t.Helper()
	if _, err := s.WriteSettings(); err != nil {
		s.t.Fatal(err)
	}
	s.sendHangup(outcome)
}

func (s *site) sendHangup(outcome string) {
	s.t.Helper()
	offset := s.front.log.Len()
	s.front.signal(s.t, syscall.SIGHUP)
	s.awaitLog(outcome, offset)
}
