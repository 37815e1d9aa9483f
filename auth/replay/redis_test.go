package replay_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"xtokend/auth/replay"
	"xtokend/auth/replay/replaytest"
	"xtokend/internal/redistest"
)

// longAgo is when the tests' new stores begin, so that their floor is below all steps of the tests.
func longAgo() time.Time { return time.Unix(-1e9, 0) }

// openRedis opens a store that looks at its server only when a test wants it, and closes it with the test.
func openRedis(t testing.TB, o replay.RedisOptions) *replay.Redis {
	t.Helper()
	if o.Now == nil {
		o.Now = longAgo
	}
	if o.Interval == 0 {
		o.Interval = time.Hour
	}
	store, err := replay.OpenRedis(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	return store
}

// openNode opens a store in a server whose only peculiarity is its address.
func openNode(t testing.TB, s *redistest.Server) *replay.Redis {
	t.Helper()
	return openRedis(t, replay.RedisOptions{Addresses: []string{s.Address}})
}

// suite runs the suite in a database of its own for each case, or in database 0 if flush is to empty it.
func suite(t *testing.T, o replay.RedisOptions, flush func()) {
	var databases atomic.Int64
	replaytest.Run(t, func(t *testing.T, max int) replaytest.Opened {
		o := o
		o.Max = max
		if flush != nil {
			flush()
		} else {
			o.DB = int(databases.Add(1))
		}
		store := openRedis(t, o)
		return replaytest.Opened{
			Store: store,
			Reopen: func() replay.Store {
				if err := store.Close(); err != nil {
					t.Error(err)
				}
				return openRedis(t, o)
			},
		}
	})
}

func TestRedis(t *testing.T) {
	s := redistest.Start(t, redistest.Options{Lines: "databases 100"})
	suite(t, replay.RedisOptions{Addresses: []string{s.Address}}, nil)
}

// A cluster refuses a script whose keys are in more than one slot.
func TestRedisCluster(t *testing.T) {
	s := redistest.Start(t, redistest.Options{Cluster: true})
	for name, addresses := range map[string][]string{"as one server": {s.Address}, "as a cluster": {s.Address, s.Address}} {
		t.Run(name, func(t *testing.T) {
			s.Command("FLUSHALL")
			store := openRedis(t, replay.RedisOptions{Addresses: addresses})
			wantUse(t, store, use(1, start), nil)
			wantUse(t, store, use(1, start), replay.ErrReplayed)
			other := use(1, start)
			other.Domain = "example.net"
			wantUse(t, store, other, nil)
			revocation := replay.Revocation{Domain: other.Domain, Address: "alice", Through: start, Window: other.Window}
			if err := store.Revoke(context.Background(), revocation); err != nil {
				t.Fatal(err)
			}
			wantUse(t, store, other, replay.ErrRevoked)
		})
	}
}

// What the script does is what the ledger does.
func TestRedisEqualsMemory(t *testing.T) {
	s := redistest.Start(t, redistest.Options{})
	for seed := range uint64(4) {
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			s.Command("FLUSHALL")
			const max = 20
			inRedis := openRedis(t, replay.RedisOptions{Addresses: []string{s.Address}, Max: max})
			inMemory := replay.NewMemory(replay.MemoryOptions{Max: max})
			random := rand.New(rand.NewPCG(seed, 5))
			clock := int64(1000)
			answers := make(map[string]int)
			for n := range 4000 {
				switch dice := random.IntN(200); {
				case dice < 150:
				case dice < 188:
					clock++
				case dice < 194:
					clock -= random.Int64N(5)
				case dice < 199:
					clock += random.Int64N(100)
				default: // a clock that is wrong by hours, days or years
					clock += []int64{-500, 500, 3000, -3000, 10_000_000}[random.IntN(5)]
				}
				reach := []int64{1, 1, 1, 3}[random.IntN(4)]
				w := replay.Window{First: clock - reach, Current: clock, Last: clock + reach}
				domain := []string{"example.org", "example.net"}[random.IntN(2)]
				address := fmt.Sprintf("user%d", random.IntN(50))
				step := w.First + random.Int64N(w.Last-w.First+1)
				var want, got error
				if random.IntN(10) == 0 {
					r := replay.Revocation{Domain: domain, Address: address, Through: step, Window: w}
					want, got = inMemory.Revoke(t.Context(), r), inRedis.Revoke(t.Context(), r)
				} else {
					u := use(random.IntN(60), step)
					u.Domain, u.Address, u.Window = domain, address, w
					want, got = inMemory.Use(t.Context(), u), inRedis.Use(t.Context(), u)
				}
				if fmt.Sprint(want) != fmt.Sprint(got) {
					t.Fatalf("operation %d, step %d in %v: %v, in memory %v", n, step, w, got, want)
				}
				answers[kindOf(want)]++
			}
			t.Log(answers)
			for _, kind := range []error{nil, replay.ErrReplayed, replay.ErrReleased, replay.ErrRevoked, replay.ErrFull} {
				if answers[fmt.Sprint(kind)] == 0 {
					t.Errorf("no operation ended with %v", kind)
				}
			}
		})
	}
}

func kindOf(err error) string {
	if period, ok := errors.AsType[*replay.PeriodError](err); ok {
		err = period.Err
	}
	return fmt.Sprint(err)
}

func noDomains() []string { return nil }

func TestRedisTellsRevocations(t *testing.T) {
	s := redistest.Start(t, redistest.Options{})
	here, there := openNode(t, s), openNode(t, s)
	ctx, cancel := context.WithCancel(t.Context())
	told := make(chan replay.Revocation)
	var receivers sync.WaitGroup
	defer receivers.Wait()
	defer cancel()
	for _, node := range []*replay.Redis{here, there} {
		receivers.Go(func() {
			node.Revocations(ctx, noDomains, func(r replay.Revocation) {
				select {
				case told <- r:
				case <-ctx.Done():
				}
			})
		})
	}
	s.Await("xtokend:{replay}:revoked 2", "PUBSUB", "NUMSUB", "xtokend:{replay}:revoked")
	s.Command("PUBLISH", "xtokend:{replay}:revoked", "not ours")
	want := replay.Revocation{Domain: "example.org", Address: "alice", Through: start}
	made := want
	made.Window = use(1, start).Window
	if err := here.Revoke(t.Context(), made); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if got := <-told; got != want {
			t.Fatalf("told of %v", got)
		}
	}
	wantUse(t, there, use(1, start), replay.ErrRevoked)
}

// A revocation of late whose message was lost reaches a node when it is connected again. An older one may be of a user
// who has logged in since.
func TestRedisTellsMissedRevocations(t *testing.T) {
	s := redistest.Start(t, redistest.Options{})
	between := startCutter(t, s)
	here := openNode(t, s)
	var log logged
	there := openRedis(t, replay.RedisOptions{
		Addresses: []string{between.address}, Log: log.logger(),
		Now: func() time.Time { return time.Unix(start*replay.StepSeconds, 0) },
	})
	revoke := func(user string, through int64) {
		t.Helper()
		r := replay.Revocation{Domain: "example.org", Address: user, Through: through, Window: use(1, start-3).Window}
		if err := here.Revoke(t.Context(), r); err != nil {
			t.Fatal(err)
		}
	}
	revoke("bob", start-3)
	revoke("carol", start-1)
	ctx, cancel := context.WithCancel(t.Context())
	told := make(chan string)
	var receiver sync.WaitGroup
	defer receiver.Wait()
	defer cancel()
	receiver.Go(func() {
		there.Revocations(ctx, func() []string { return []string{"example.net", "example.org"} }, func(r replay.Revocation) {
			select {
			case told <- fmt.Sprintf("%s@%s %d", r.Address, r.Domain, r.Through-start):
			case <-ctx.Done():
			}
		})
	})
	hear := func(want string) {
		t.Helper()
		select {
		case got := <-told:
			if got != want {
				t.Errorf("told of %s, want %s", got, want)
			}
		case <-time.After(20 * time.Second):
			t.Fatal("told of nothing")
		}
	}
	hear("carol@example.org -1") // what it asks for at first is all answered
	between.losing.Store(true)
	revoke("alice", start-2)
	hear("alice@example.org -2")
	if between.losing.Load() {
		t.Error("no message was lost")
	}
	wantSoon(t, &log, "the connection to Redis was lost")
}

func TestRedisClosedWhileReceiving(t *testing.T) {
	s := redistest.Start(t, redistest.Options{})
	store := openNode(t, s)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		store.Revocations(context.Background(), noDomains, func(replay.Revocation) {})
	}()
	s.Await("xtokend:{replay}:revoked 1", "PUBSUB", "NUMSUB", "xtokend:{replay}:revoked")
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	<-ended
	store.Revocations(context.Background(), noDomains, func(replay.Revocation) {})
}

// logged is a log that a test may read while it is written.
type logged struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logged) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func (l *logged) logger() *slog.Logger { return slog.New(slog.NewTextHandler(l, nil)) }
