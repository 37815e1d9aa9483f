package e2e

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
)

// Users log in, send themselves a message and drop their connection, as fast as
// they can, while the server ends and is started again. What they see is a
// login refused as temporary, or a session that ends with a stream error:
// never silence, never another refusal.
func TestTheServerEndsAndStartsAgainUnderLoad(t *testing.T) {
	onEachServer(t, func(t *testing.T, behind upstream) {
		t.Run("stopped", func(t *testing.T) {
			loadThroughOutage(t, behind, func(s *site) error { return s.Server.Stop(s.ctx) })
		})
		t.Run("killed", func(t *testing.T) {
			loadThroughOutage(t, behind, func(s *site) error { return s.Server.Kill() })
		})
	})
}

func loadThroughOutage(t *testing.T, behind upstream, end func(*site) error) {
	s := newSiteOn(t, behind, nil)
	const users = 6
	services, all := s.streamServices(), s.allServices()
	var watchers [users]*stream
	for i := range watchers {
		watchers[i] = s.mustBind(loadUser(i), all[i%len(all)])
	}

	load, stop := context.WithCancel(s.ctx)
	defer stop()
	var counted tally
	var running sync.WaitGroup
	for i := range users {
		running.Go(func() {
			for load.Err() == nil {
				counted.count(s.round(loadUser(i), services[i%len(services)]))
			}
		})
	}

	counted.await(s.ctx, t, &counted.completed, 5*users)
	offset := s.front.log.Len()
	if err := end(s); err != nil {
		t.Fatal(err)
	}
	for i, watcher := range watchers {
		err := readToEnd(watcher)
		if !isEndOfUpstream(err) {
			t.Errorf("the idle session of %s ended with %v", loadUser(i), err)
		}
	}
	counted.await(s.ctx, t, &counted.refused, 5*users)
	s.restartServer()
	counted.await(s.ctx, t, &counted.completed, 5*users)

	stop()
	running.Wait()
	// A killed ejabberd may have forgotten accounts that were just made.
	s.awaitLog(linkUp, offset)
	for i := range users {
		s.mustLogIn(loadUser(i), s.issuer.token(loadUser(i)))
	}
	for _, err := range counted.unexpected {
		t.Error(err)
	}
}

func TestXtokendStartedBeforeItsServerServesOnceThatIsThere(t *testing.T) {
	onEachServer(t, func(t *testing.T, behind upstream) {
		s := newSiteOn(t, behind, nil)
		s.mustLogIn("alice", s.issuer.token("alice"))
		s.stopFront()
		if err := s.Server.Stop(s.ctx); err != nil {
			t.Fatal(err)
		}
		s.launchFront()
		for _, user := range []string{"alice", "bob"} {
			s.mustRefuse(user, s.issuer.token(user), "temporary-auth-failure")
		}
		s.restartServer()
		s.awaitLog(linkUp, 0)
		for _, user := range []string{"alice", "bob"} {
			s.mustLogIn(user, s.issuer.token(user))
		}
	})
}

// A server that takes connections and answers nothing.
func TestALoginIsRefusedAsTemporaryWhileTheServerIsFrozen(t *testing.T) {
	onEachServer(t, func(t *testing.T, behind upstream) {
		s := newSiteOn(t, behind, nil)
		s.mustLogIn("alice", s.issuer.token("alice"))
		if err := s.Server.Freeze(); err != nil {
			t.Fatal(err)
		}
		s.mustRefuse("alice", s.issuer.token("alice"), "temporary-auth-failure")
		if err := s.Server.Thaw(); err != nil {
			t.Fatal(err)
		}
		s.mustLogIn("alice", s.issuer.token("alice"))
	})
}

func loadUser(i int) string { return fmt.Sprintf("user%d", i) }

// isEndOfUpstream tells whether err is how a session learns that its server is
// gone: by the server's own goodbye, or by the front's word when there was none.
func isEndOfUpstream(err error) bool {
	return errors.Is(err, streamError("remote-connection-failed")) || errors.Is(err, streamError("system-shutdown"))
}

// round logs in as user and sends itself a message.
func (s *site) round(user string, to service) error {
	stream, err := s.open(to)
	if err != nil {
		return fmt.Errorf("before authentication: %w", err)
	}
	defer stream.close()
	if err := stream.authenticate("X-TOKEN", user, s.issuer.token(user)); err != nil {
		return err
	}
	jid, err := stream.bind()
	if err != nil {
		return err
	}
	if err := stream.write("<message xmlns='jabber:client' to='%s' type='chat'><body>to myself</body></message>", jid); err != nil {
		return err
	}
	for {
		e, err := stream.read()
		if err != nil {
			return err
		}
		if e.is("jabber:client", "message") {
			return nil
		}
	}
}

// tally sorts the rounds' outcomes and lets a test wait for more of a kind.
type tally struct {
	completed, refused, ended atomic.Int64

	mu         sync.Mutex
	changed    chan struct{} // closed by the next count
	unexpected []error
}

func (c *tally) count(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case err == nil:
		c.completed.Add(1)
	case errors.Is(err, saslFailure("temporary-auth-failure")):
		c.refused.Add(1)
	case isEndOfUpstream(err):
		c.ended.Add(1)
	default:
		c.unexpected = append(c.unexpected, err)
	}
	if c.changed != nil {
		close(c.changed)
	}
	c.changed = make(chan struct{})
}

// await returns when more of the counter's kind have come since it was called.
func (c *tally) await(ctx context.Context, t testing.TB, counter *atomic.Int64, more int64) {
	t.Helper()
	goal := counter.Load() + more
	for {
		c.mu.Lock()
		if c.changed == nil {
			c.changed = make(chan struct{})
		}
		changed, reached, unexpected := c.changed, counter.Load() >= goal, len(c.unexpected)
		c.mu.Unlock()
		if reached {
			return
		}
		select {
		case <-changed:
		case <-ctx.Done():
			t.Fatalf("%d completed, %d refused, %d ended, %d unexpected: %v", c.completed.Load(), c.refused.Load(), c.ended.Load(), unexpected, ctx.Err())
		}
	}
}
