package replay_test

import (
	"errors"
	"math/rand/v2"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"xtokend/auth/replay"
	"xtokend/internal/redistest"
)

// chaosRounds is how often something may go wrong, unless the variable says another
// number.
const (
	chaosRounds         = 80
	chaosRoundsVariable = "XTOKEND_REPLAY_FAULTS"
)

// chaos is three nodes with one Redis, and somebody who presents each token again
// and again, wherever and whenever.
type chaos struct {
	t      *testing.T
	server *redistest.Server
	random *rand.Rand
	step   atomic.Int64 // of the right clock
	nodes  [3]*replay.Redis
	ahead  [3]int64 // the nodes' clocks differ by a step

	issued   []replay.Use
	mu       sync.Mutex
	admitted map[[32]byte]int
}

func (c *chaos) now(node int) func() time.Time {
	return func() time.Time { return time.Unix((c.step.Load()+c.ahead[node])*replay.StepSeconds, 0) }
}

// open opens a node, or opens it again.
func (c *chaos) open(node int) {
	if c.nodes[node] != nil {
		if err := c.nodes[node].Close(); err != nil {
			c.t.Error(err)
		}
	}
	c.nodes[node] = openRedis(c.t, replay.RedisOptions{Addresses: []string{c.server.Address}, Now: c.now(node), Timeout: 300 * time.Millisecond})
}

// issue makes tokens of steps in the window.
func (c *chaos) issue(n int) {
	for range n {
		c.issued = append(c.issued, use(len(c.issued), c.step.Load()+c.random.Int64N(3)-1))
	}
}

// present presents the youngest tokens, and some older ones, at all nodes at once.
func (c *chaos) present(group *sync.WaitGroup) {
	youngest := c.issued[max(0, len(c.issued)-40):]
	for node, store := range c.nodes {
		order := c.random.Perm(len(youngest))
		group.Go(func() {
			for _, n := range order {
				u := youngest[n]
				clock := c.step.Load() + c.ahead[node]
				u.Window = replay.Window{First: clock - 1, Current: clock, Last: clock + 1}
				if u.Step < u.Window.First || u.Step > u.Window.Last {
					continue // the verifier would not ask
				}
				if store.Use(c.t.Context(), u) == nil {
					c.mu.Lock()
					c.admitted[u.ID]++
					c.mu.Unlock()
				}
			}
		})
	}
}

// faults are what may happen while tokens are presented. None looks at the nodes
// that are presented with them.
var faults = []struct {
	name string
	do   func(*redistest.Server)
}{
	{"wiped", func(s *redistest.Server) { s.Command("FLUSHALL") }},
	{"killed", func(s *redistest.Server) { s.Kill(); s.Restart() }},
	{"stopped", func(s *redistest.Server) { s.Stop(); s.Restart() }},
	{"snapshot taken", func(s *redistest.Server) { s.Command("SAVE") }},
	{"frozen", func(s *redistest.Server) { s.Freeze(); s.Thaw() }},
	{"scripts forgotten", func(s *redistest.Server) { s.Command("SCRIPT", "FLUSH") }},
	{"clients cut", func(s *redistest.Server) { s.Command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes") }},
	{"memory full", func(s *redistest.Server) {
		s.Command("CONFIG", "SET", "maxmemory", "1")
		s.Command("CONFIG", "SET", "maxmemory", "0")
	}},
	{"policy changed", func(s *redistest.Server) {
		s.Command("CONFIG", "SET", "maxmemory-policy", "allkeys-random")
		s.Command("CONFIG", "SET", "maxmemory-policy", "noeviction")
	}},
}

// Whatever happens to Redis and to the nodes, in the middle of uses, no token is
// admitted twice, and tokens are admitted again soon after.
func TestRedisAdmitsOnceWhateverHappens(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	c := &chaos{
		t: t, server: redistest.Start(t, redistest.Options{}), random: rand.New(rand.NewPCG(seed, 0)),
		ahead: [3]int64{0, 0, 1}, admitted: make(map[[32]byte]int),
	}
	c.step.Store(1000)
	for node := range c.nodes {
		c.open(node)
	}
	rounds := chaosRounds
	if text := os.Getenv(chaosRoundsVariable); text != "" {
		var err error
		if rounds, err = strconv.Atoi(text); err != nil {
			t.Fatalf("%s: %v", chaosRoundsVariable, err)
		}
	}
	happened := make(map[string]int)
	for range rounds {
		c.step.Add(c.random.Int64N(3))
		c.issue(10)
		var uses sync.WaitGroup
		c.present(&uses)
		if c.random.IntN(3) == 0 {
			fault := faults[c.random.IntN(len(faults))]
			fault.do(c.server)
			happened[fault.name]++
		}
		uses.Wait()
		if c.random.IntN(8) == 0 {
			if c.random.IntN(2) == 0 {
				c.server.Command("FLUSHALL")
			}
			c.open(c.random.IntN(len(c.nodes)))
			happened["node started again"]++
		}
	}
	t.Logf("%d of %d tokens were admitted; %v", len(c.admitted), len(c.issued), happened)
	if len(c.admitted) == 0 {
		t.Error("no token was admitted")
	}
	for id, times := range c.admitted {
		if times > 1 {
			t.Errorf("token %x was admitted %d times", id[:8], times)
		}
	}

	for node, store := range c.nodes {
		c.awaitAnswer(node, store)
	}
	c.step.Add(5) // beyond every floor
	for node, store := range c.nodes {
		u := use(9_000_000+node, c.step.Load())
		if err := store.Use(t.Context(), u); err != nil {
			t.Errorf("after recovery, at node %d: %v", node, err)
		}
		if err := store.Use(t.Context(), u); !errors.Is(err, replay.ErrReplayed) {
			t.Errorf("after recovery, again at node %d: %v", node, err)
		}
	}
}

// awaitAnswer returns when a node has heard of Redis again: for up to a second it
// does not try to connect after many failures.
func (c *chaos) awaitAnswer(node int, store replay.Store) {
	c.t.Helper()
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	deadline := time.After(20 * time.Second)
	for n := 1_000_000 * (1 + node); ; n++ {
		err := store.Use(c.t.Context(), use(n, c.step.Load()))
		if err == nil || errors.Is(err, replay.ErrLost) || errors.Is(err, replay.ErrReleased) {
			return
		}
		select {
		case <-again.C:
		case <-deadline:
			c.t.Fatalf("node %d: %v", node, err)
		}
	}
}
