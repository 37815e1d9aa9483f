package component_test

import (
	"context"
	"errors"
	"testing"

	"xtokend/auth/replay"
	"xtokend/internal/fronttest"
	"xtokend/internal/transcript"
)

// slowDisk is a replay store whose uses are recorded when a test says so.
type slowDisk struct {
	replay.Store
	waited   chan struct{} // gets one when somebody begins to wait
	recorded chan error
}

func (s *slowDisk) UseEarly(ctx context.Context, u replay.Use) (replay.Receipt, error) {
	return s, s.Use(ctx, u)
}

func (s *slowDisk) Wait(ctx context.Context) error {
	s.waited <- struct{}{}
	select {
	case err := <-s.recorded:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// The server is asked while a use is on its way to disk, but nobody is told of success before it is there.
func TestNoSuccessBeforeTheUseIsRecorded(t *testing.T) {
	for name, outcome := range map[string]error{"recorded": nil, "a full disk": errors.New("no room")} {
		t.Run(name, func(t *testing.T) {
			disk := &slowDisk{Store: replay.NewMemory(replay.MemoryOptions{}), waited: make(chan struct{}), recorded: make(chan error)}
			up := &fronttest.Echo{}
			sc := (&scene{store: disk, upstream: up}).start(t)
			c := sc.dial(t, "tcp")
			c.open()
			token := sc.token(t, "alice", 0)
			c.send(transcript.AuthElement("X-TOKEN", "", "alice", token))
			<-disk.waited
			if opened := up.Opened(); len(opened) != 1 {
				t.Errorf("opened for %q meanwhile", opened)
			}
			other := sc.dial(t, "tcp")
			other.open()
			other.send(transcript.AuthElement("X-TOKEN", "", "alice", token))
			other.expect("<failure xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><not-authorized/>…</failure>")
			disk.recorded <- outcome
			if outcome == nil {
				c.expect("<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>")
				return
			}
			c.expect("<failure xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><temporary-auth-failure/>…</failure>")
			if ends := up.Ends(); len(ends) != 1 || ends[0] == nil {
				t.Errorf("the server's stream ended with %v, want one that was cut", ends)
			}
		})
	}
}
