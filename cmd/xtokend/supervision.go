package main

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"xtokend/cmd/xtokend/internal/systemd"
)

// statusInterval is the time between two looks at how the daemon is, at most.
const statusInterval = 10 * time.Second

// supervision tells the service manager, if there is one, how the daemon is.
type supervision struct {
	notifier  *systemd.Notifier // nil: there is none
	watchdog  time.Duration     // 0: nobody waits for a sign of life
	ops       *operations
	listening *listening

	refused atomic.Bool // the settings that were read last
	stuck   bool        // has been logged; for the goroutine that beats
	stop    context.CancelFunc
	beating sync.WaitGroup
}

func newSupervision(m systemd.Environment, o *operations, l *listening) *supervision {
	return &supervision{notifier: systemd.NewNotifier(m.NotifySocket, o.log), watchdog: m.Watchdog, ops: o, listening: l}
}

// sight is how the daemon is.
type sight struct {
	status string
	stuck  error
}

// look takes the locks of the front's registry, the metrics, the component links and
// the listeners. It asks no store, server or host: whatever one of them does, the
// others' clients are served.
func (s *supervision) look() sight { return sight{s.status(), s.listening.stuck()} }

// status is a line for administrators.
func (s *supervision) status() string {
	stats := s.ops.parts.front.Stats()
	line := fmt.Sprintf("sessions: %d, not logged in yet: %d", stats.Authenticated(), stats.Unauthenticated)
	missing := s.ops.notReady(context.Background())
	links := s.ops.parts.linksUp()
	for _, domain := range s.ops.parts.domains() {
		if up, ok := links[domain]; ok && !up {
			missing = append(missing, "the component link of "+domain+" is down")
		}
	}
	if s.refused.Load() {
		missing = append(missing, "the changed settings cannot be used, see the log")
	}
	return strings.Join(append(missing, line), "; ")
}

// ready says that clients are served, and from then on how it goes.
func (s *supervision) ready() {
	if s.notifier == nil {
		return
	}
	s.notifier.Notify(systemd.Ready, systemd.Status(s.status()))
	interval := statusInterval
	if s.watchdog > 0 {
		interval = min(interval, s.watchdog/2)
	}
	ctx, stop := context.WithCancel(context.Background())
	s.stop = stop
	s.beating.Go(func() { systemd.Beat(ctx, interval, s.look, s.tell) })
}

// tell leaves out the sign of life if there is none.
func (s *supervision) tell(seen sight) {
	if seen.stuck != nil {
		s.notifier.Notify(systemd.Status("stuck: " + seen.stuck.Error()))
		if !s.stuck {
			s.ops.log.Error("the program is stuck, and the service manager is not told that it is alive", "error", seen.stuck)
		}
	} else {
		s.notifier.Notify(systemd.Alive, systemd.Status(seen.status))
	}
	s.stuck = seen.stuck != nil
}

// reload says that reload is under way, and how it has ended.
func (s *supervision) reload(reload func() error) {
	s.notifier.Notify(systemd.Reloading(), systemd.Status("reading the settings again"))
	s.refused.Store(reload() != nil)
	s.notifier.Notify(systemd.Ready, systemd.Status(s.status()))
}

// stopping says that clients are served no more.
func (s *supervision) stopping() {
	s.notifier.Notify(systemd.Stopping, systemd.Status("ending all sessions"))
}

// close returns when nothing is told any more.
func (s *supervision) close() {
	if s.stop != nil {
		s.stop()
	}
	s.beating.Wait()
	s.notifier.Close()
}
