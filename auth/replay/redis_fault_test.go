package replay_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"xtokend/auth/replay"
	"xtokend/internal/redistest"
)

// wantUnavailable wants an error that is none of the contract's: the store cannot answer.
func wantUnavailable(t *testing.T, store replay.Store, u replay.Use) error {
	t.Helper()
	err := store.Use(context.Background(), u)
	contract := []error{
		replay.ErrLost, replay.ErrRevoked, replay.ErrReleased, replay.ErrReplayed, replay.ErrFull, replay.ErrClosed,
	}
	if err == nil || slices.ContainsFunc(contract, func(of error) bool { return errors.Is(err, of) }) {
		t.Fatalf("%v, want an error of a store that is unavailable", err)
	}
	return err
}

// wantLost wants the floor of a loss that a node found at a step: clocks of nodes may differ by one, and windows have
// reached one beyond them.
func wantLost(t *testing.T, store replay.Store, found int64) {
	t.Helper()
	const fresh = 1 << 40
	for step := found; step <= found+2; step++ {
		wantUse(t, store, use(fresh, step), replay.ErrLost)
	}
	err := store.Use(context.Background(), use(fresh, found))
	var period *replay.PeriodError
	if !errors.As(err, &period) || !period.Until.Equal(time.Unix((found+3)*replay.StepSeconds, 0)) {
		t.Fatalf("%v", err)
	}
	wantUse(t, store, use(fresh, found+3), nil)
}

func TestRedisLosesItsRecords(t *testing.T) {
	const always = "appendonly yes\nappendfsync always"
	cases := []struct {
		name  string
		lines string
		lose  func(*redistest.Server)
	}{
		{"wiped", "", func(s *redistest.Server) { s.Command("FLUSHALL") }},
		{"restarted without persistence", "", func(s *redistest.Server) { s.Stop(); s.Restart() }},
		{"killed and restarted with an old snapshot", "", func(s *redistest.Server) { s.Kill(); s.Restart() }},
		{"killed and restarted with all it had", always, func(s *redistest.Server) { s.Kill(); s.Restart() }},
		{"stopped and restarted with all it had", always, func(s *redistest.Server) { s.Stop(); s.Restart() }},
		{"evicted under another policy for a while", "", func(s *redistest.Server) {
			// It evicts what expires alone: that it was no record of ours, nobody can tell.
			s.Command("SET", "another", "key", "EX", "1000")
			s.Command("CONFIG", "SET", "maxmemory-policy", "volatile-ttl")
			s.Command("CONFIG", "SET", "maxmemory", "1")
			s.Await("evicted_keys:1", "INFO", "stats")
			s.Command("CONFIG", "SET", "maxmemory", "0")
			s.Command("CONFIG", "SET", "maxmemory-policy", "noeviction")
		}},
		{"wiped and used by a new node first", "", func(s *redistest.Server) {
			s.Command("FLUSHALL")
			openNode(t, s)
		}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			s := redistest.Start(t, redistest.Options{Lines: c.lines})
			here, there := openNode(t, s), openNode(t, s)
			wantUse(t, here, use(1, start), nil)
			s.Command("SAVE")
			wantUse(t, here, use(2, start+1), nil)
			wantUse(t, there, use(2, start+1), replay.ErrReplayed)
			c.lose(s)
			for n := range 2 {
				wantUse(t, there, use(1+n, start+int64(n)), replay.ErrLost)
				wantUse(t, here, use(1+n, start+int64(n)), replay.ErrLost)
			}
			wantLost(t, there, start)
			wantUse(t, here, use(3, start+4), nil)
			wantUse(t, there, use(3, start+4), replay.ErrReplayed)
		})
	}
}

// A node whose clock is behind finds the loss; one whose clock is right has used tokens of later steps.
func TestRedisLossUnderDifferentClocks(t *testing.T) {
	s := redistest.Start(t, redistest.Options{})
	behind, right := openNode(t, s), openNode(t, s)
	wantUse(t, right, use(1, start+10), nil)
	s.Command("FLUSHALL")
	wantUse(t, behind, use(2, start), replay.ErrLost)
	wantUse(t, right, use(1, start+10), replay.ErrLost)
	wantLost(t, behind, start+10)
}

// A new node cannot tell an empty Redis from a wiped one that another node has used before.
func TestRedisNew(t *testing.T) {
	s := redistest.Start(t, redistest.Options{})
	now := func() time.Time { return time.Unix(start*replay.StepSeconds, 0) }
	var log logged
	store := openRedis(t, replay.RedisOptions{Addresses: []string{s.Address}, Now: now, Log: log.logger()})
	if want := "until=1970-01-01T00:51:00.000Z"; !strings.Contains(log.String(), want) {
		t.Errorf("no %s in the log:\n%s", want, log.String())
	}
	wantLost(t, store, start)
	second := openRedis(t, replay.RedisOptions{Addresses: []string{s.Address}, Now: now})
	wantUse(t, second, use(1, start+3), nil)
}

// The floor is set without a login, so that the first one need not wait for its end.
func TestRedisLooksForLosses(t *testing.T) {
	s := redistest.Start(t, redistest.Options{})
	var log logged
	store := openRedis(t, replay.RedisOptions{
		Addresses: []string{s.Address}, Interval: 10 * time.Millisecond, Log: log.logger(),
		Now: func() time.Time { return time.Unix(start*replay.StepSeconds, 0) },
	})
	s.Command("FLUSHALL")
	s.Await(fmt.Sprint(start+1), "HGET", "xtokend:{replay}:state", "lost")
	s.Kill()
	wantSoon(t, &log, "unavailable")
	if store.Err() == nil {
		t.Error("no error of the last look")
	}
	s.Restart()
	wantSoon(t, &log, "available again")
	if err := store.Err(); err != nil {
		t.Error(err)
	}
}

// wantSoon waits until a log has a text.
func wantSoon(t *testing.T, log *logged, text string) {
	t.Helper()
	again := time.NewTicker(5 * time.Millisecond)
	defer again.Stop()
	deadline := time.After(20 * time.Second)
	for !strings.Contains(log.String(), text) {
		select {
		case <-again.C:
		case <-deadline:
			t.Fatalf("no %q in the log:\n%s", text, log.String())
		}
	}
}

func TestRedisGone(t *testing.T) {
	s := redistest.Start(t, redistest.Options{Lines: "appendonly yes\nappendfsync always"})
	store := openNode(t, s)
	wantUse(t, store, use(1, start), nil)
	s.Kill()
	wantUnavailable(t, store, use(2, start))
	late := openNode(t, s) // a node that starts meanwhile
	wantUnavailable(t, late, use(2, start))
	s.Restart()
	for _, node := range []replay.Store{store, late} {
		wantUse(t, node, use(1, start), replay.ErrLost)
		wantUse(t, node, use(2, start), replay.ErrLost)
	}
	wantUse(t, store, use(3, start+3), nil)
	wantUse(t, late, use(3, start+3), replay.ErrReplayed)
}

// Uses that a frozen server has taken are recorded when it wakes, though they were refused.
func TestRedisFrozen(t *testing.T) {
	s := redistest.Start(t, redistest.Options{})
	store := openRedis(t, replay.RedisOptions{Addresses: []string{s.Address}, Timeout: 100 * time.Millisecond})
	patient := openRedis(t, replay.RedisOptions{Addresses: []string{s.Address}, Timeout: time.Minute})
	wantUse(t, patient, use(1, start), nil)
	s.Freeze()
	var crowd sync.WaitGroup
	for n := range 100 { // more than the pool has connections
		crowd.Go(func() { wantUnavailable(t, store, use(n+2, start)) })
	}
	crowd.Go(func() {
		short, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		if err := patient.Use(short, use(200, start)); err == nil {
			t.Error("a frozen Redis has answered")
		}
	})
	crowd.Wait()
	s.Thaw()
	for n := range 101 {
		first, second := patient.Use(t.Context(), use(n+1, start)), patient.Use(t.Context(), use(n+1, start))
		if first != nil && !errors.Is(first, replay.ErrReplayed) || !errors.Is(second, replay.ErrReplayed) {
			t.Fatalf("token %d: %v, then %v", n+1, first, second)
		}
	}
	wantUse(t, store, use(300, start), nil)
}

// Redis forgets its scripts, which a client has loaded, at SCRIPT FLUSH.
func TestRedisForgetsScripts(t *testing.T) {
	s := redistest.Start(t, redistest.Options{})
	store := openNode(t, s)
	wantUse(t, store, use(1, start), nil)
	s.Command("SCRIPT", "FLUSH")
	wantUse(t, store, use(2, start), nil)
	wantUse(t, store, use(1, start), replay.ErrReplayed)
}

func TestRedisPolicy(t *testing.T) {
	s := redistest.Start(t, redistest.Options{Lines: "maxmemory-policy allkeys-lru"})
	if _, err := replay.OpenRedis(t.Context(), replay.RedisOptions{Addresses: []string{s.Address}}); err == nil ||
		!strings.Contains(err.Error(), "set it to noeviction") {
		t.Fatalf("%v", err)
	}
	s.Command("CONFIG", "SET", "maxmemory-policy", "noeviction")
	store := openNode(t, s)
	wantUse(t, store, use(1, start), nil)
	s.Command("CONFIG", "SET", "maxmemory-policy", "volatile-ttl")
	if err := wantUnavailable(t, store, use(2, start)); !strings.Contains(err.Error(), `"volatile-ttl"`) {
		t.Fatalf("%v", err)
	}
	s.Command("CONFIG", "SET", "maxmemory-policy", "noeviction")
	wantUse(t, store, use(1, start), replay.ErrReplayed)
	wantUse(t, store, use(2, start), nil)
}

func TestRedisFullMemory(t *testing.T) {
	s := redistest.Start(t, redistest.Options{})
	store := openNode(t, s)
	wantUse(t, store, use(1, start), nil)
	s.Command("CONFIG", "SET", "maxmemory", "1")
	if err := wantUnavailable(t, store, use(2, start)); !strings.Contains(err.Error(), "OOM") {
		t.Fatalf("%v", err)
	}
	wantUse(t, store, use(1, start), replay.ErrReplayed)
	// What the window leaves behind makes room by itself, and stays refused.
	wantUse(t, store, use(3, start+2), nil)
	wantUse(t, store, use(1, start), replay.ErrReleased)
	wantUnavailable(t, store, use(4, start+2))
	s.Command("CONFIG", "SET", "maxmemory", "0")
	wantUse(t, store, use(2, start+1), nil)
	wantUse(t, store, use(2, start+1), replay.ErrReplayed)
	wantUse(t, store, use(4, start+2), nil)
}

func TestRedisPassword(t *testing.T) {
	const secret = "a password with spaces"
	s := redistest.Start(t, redistest.Options{Password: secret, Lines: "user xtokend on >hush ~xtokend:* &xtokend:* +@all -@dangerous +info"})
	for _, c := range []struct{ name, username, password string }{
		{"none", "", ""}, {"wrong", "", "wrong-secret"}, {"of another user", "xtokend", secret},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := replay.RedisOptions{Addresses: []string{s.Address}, Username: c.username, Password: c.password}
			_, err := replay.OpenRedis(t.Context(), o)
			if err == nil {
				t.Fatal("Redis let us in")
			}
			if c.password != "" && strings.Contains(err.Error(), c.password) {
				t.Fatalf("the error has the password: %v", err)
			}
		})
	}
	store := openRedis(t, replay.RedisOptions{Addresses: []string{s.Address}, Password: secret})
	wantUse(t, store, use(1, start), nil)
	restricted := openRedis(t, replay.RedisOptions{Addresses: []string{s.Address}, Username: "xtokend", Password: "hush"})
	wantUse(t, restricted, use(1, start), replay.ErrReplayed)
}

func TestRedisTLS(t *testing.T) {
	s := redistest.Start(t, redistest.Options{TLS: true})
	store := openRedis(t, replay.RedisOptions{Addresses: []string{s.Address}, TLS: &tls.Config{RootCAs: s.Pair.Roots}})
	wantUse(t, store, use(1, start), nil)
	wantUse(t, store, use(1, start), replay.ErrReplayed)
	if _, err := replay.OpenRedis(t.Context(), replay.RedisOptions{Addresses: []string{s.Address}, TLS: &tls.Config{}}); err == nil {
		t.Fatal("a certificate of an unknown authority was accepted")
	}
}

// A failover to a replica that lacks the last use.
func TestRedisFailover(t *testing.T) {
	primary := redistest.Start(t, redistest.Options{Lines: "repl-diskless-sync-delay 0"})
	replica := redistest.Start(t, redistest.Options{Lines: fmt.Sprintf("replicaof %s %s", primary.Host, primary.Port)})
	replica.Await("master_link_status:up", "INFO", "replication")
	sentinel := redistest.Start(t, redistest.Options{Sentinel: true, Lines: fmt.Sprintf(
		"sentinel monitor chat %s %s 1\nsentinel down-after-milliseconds chat 60000", primary.Host, primary.Port)})
	sentinel.Await(replica.Port, "SENTINEL", "REPLICAS", "chat")
	o := replay.RedisOptions{Addresses: []string{sentinel.Address}, Master: "chat"}
	here, there := openRedis(t, o), openRedis(t, o)
	wantUse(t, here, use(1, start), nil)
	wantUse(t, there, use(1, start), replay.ErrReplayed)
	replica.Freeze()
	wantUse(t, here, use(2, start), nil)
	primary.Kill()
	replica.Thaw()
	// Refused while the replica has not answered since it was frozen.
	sentinel.Await("OK", "SENTINEL", "FAILOVER", "chat")
	replica.Await("role:master", "INFO", "replication")
	for n := range 2 {
		u := use(1+n, start)
		again := time.NewTicker(20 * time.Millisecond)
		defer again.Stop()
		deadline := time.After(20 * time.Second)
		for {
			err := there.Use(t.Context(), u)
			if errors.Is(err, replay.ErrLost) {
				break
			}
			if err == nil || errors.Is(err, replay.ErrReplayed) {
				t.Fatalf("token %d after the failover: %v", 1+n, err)
			}
			select {
			case <-again.C:
			case <-deadline:
				t.Fatalf("no failover: %v", err)
			}
		}
	}
	wantUse(t, there, use(3, start+3), nil)
}
