// Package replaytest holds the suite that every [replay.Store] must pass.
package replaytest

import (
	"context"
	"encoding/binary"
	"errors"
	"sync"
	"testing"
	"time"

	"xtokend/auth/replay"
)

// Opened is a store under test.
type Opened struct {
	Store replay.Store
	// Reopen closes Store and opens what it has kept. nil: the store keeps nothing beyond Close.
	Reopen func() replay.Store
}

// Run runs the suite. open returns an empty store that holds max uses, or its default if max is 0; it is called once
// for each case and closes what it opened through t.Cleanup.
func Run(t *testing.T, open func(t *testing.T, max int) Opened) {
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			opened := open(t, c.max)
			s := &script{t: t, store: opened.Store}
			c.run(s)
		})
	}
	t.Run("one of many concurrent uses is admitted", func(t *testing.T) { concurrent(t, open(t, 0).Store) })
	t.Run("concurrent uses and revocations", func(t *testing.T) { crowd(t, open(t, 0).Store) })
	t.Run("an ended context never admits twice", func(t *testing.T) { endedContext(t, open(t, 0).Store) })
	for _, c := range persistentCases {
		if opened := open(t, 0); opened.Reopen != nil {
			t.Run("reopened/"+c.name, func(t *testing.T) {
				s := &script{t: t, store: opened.Store}
				c.before(s)
				s.store = opened.Reopen()
				c.after(s)
			})
		}
	}
}

// script speaks to a store in the order of a case.
type script struct {
	t     *testing.T
	store replay.Store
}

const (
	domain = "example.org"

	// In steps.
	day   = 24 * 3600 / replay.StepSeconds
	years = 10_000_000
)

func id(n int) (id [32]byte) {
	binary.BigEndian.PutUint64(id[:], uint64(n))
	return id
}

// at is the window of a verifier with a skew of one, at a step.
func at(step int64) replay.Window {
	return replay.Window{First: step - 1, Current: step, Last: step + 1}
}

func (s *script) use(want error, w replay.Window, user string, n int, step int64) {
	s.t.Helper()
	s.useAt(want, w, domain, user, n, step)
}

func (s *script) useAt(want error, w replay.Window, domain, user string, n int, step int64) {
	s.t.Helper()
	err := s.store.Use(context.Background(), replay.Use{Domain: domain, Address: user, ID: id(n), Step: step, Window: w})
	if !errors.Is(err, want) {
		s.t.Fatalf("use of token %d of %s, step %d, in window %v: %v, want %v", n, user, step, w, err, want)
	}
}

func (s *script) revoke(want error, w replay.Window, user string, through int64) {
	s.t.Helper()
	err := s.store.Revoke(context.Background(), replay.Revocation{Domain: domain, Address: user, Through: through, Window: w})
	if !errors.Is(err, want) {
		s.t.Fatalf("revocation of %s through %d: %v, want %v", user, through, err, want)
	}
}

var cases = []struct {
	name string
	max  int
	run  func(*script)
}{
	{"a use is admitted once", 0, func(s *script) {
		s.use(nil, at(100), "alice", 1, 100)
		s.use(replay.ErrReplayed, at(100), "alice", 1, 100)
		s.use(nil, at(100), "alice", 2, 100)
		s.use(replay.ErrReplayed, at(100), "alice", 1, 100)
	}},
	{"a use is known under every step of its password", 0, func(s *script) {
		s.use(nil, at(100), "alice", 1, 101)
		s.use(replay.ErrReplayed, at(100), "alice", 1, 99)
	}},
	{"a use is known to the end of its window", 0, func(s *script) {
		s.use(nil, at(100), "alice", 1, 101)
		s.use(replay.ErrReplayed, at(102), "alice", 1, 101)
	}},
	{"domains are apart", 0, func(s *script) {
		s.useAt(nil, at(100), "example.org", "alice", 1, 100)
		s.useAt(nil, at(100), "example.net", "alice", 1, 100)
		s.useAt(nil, at(200), "example.net", "alice", 2, 200)
		s.useAt(replay.ErrReplayed, at(100), "example.org", "alice", 1, 100)
	}},
	{"what was let go stays refused when the clock is set back", 0, func(s *script) {
		s.use(nil, at(100), "alice", 1, 100)
		s.use(nil, at(104), "alice", 2, 104)
		s.use(replay.ErrReleased, at(100), "alice", 1, 100)
		s.use(replay.ErrReleased, at(100), "alice", 3, 100)
		s.use(replay.ErrReleased, at(100), "bob", 4, 100)
		s.use(nil, at(100), "alice", 5, 101)
	}},
	{"a use is kept while a window can hold its step again", 0, func(s *script) {
		// A zone that reads the clock 240 steps behind.
		late := func(step int64) replay.Window {
			return replay.Window{First: step - 241, Current: step, Last: step + 1}
		}
		s.use(nil, late(1000), "alice", 1, 1001)
		s.use(nil, late(1242), "alice", 2, 1242)
		s.use(replay.ErrReplayed, late(1242), "alice", 1, 1001)
		s.use(nil, late(1243), "alice", 3, 1243)
		s.use(replay.ErrReleased, late(1000), "alice", 1, 1001)
	}},
	{"a clock that was years ahead locks nobody out", 0, func(s *script) {
		s.use(nil, at(100), "alice", 1, 99)
		s.use(nil, at(years), "bob", 2, years)
		s.revoke(nil, at(years), "carol", years+1)
		s.use(nil, at(years+4), "bob", 3, years+4)
		s.use(replay.ErrReleased, at(100), "alice", 1, 99)
		s.use(nil, at(100), "alice", 4, 100)
		s.use(nil, at(100), "carol", 5, 100)
		s.use(nil, at(3000), "alice", 6, 3000)
		s.use(replay.ErrReleased, at(100), "alice", 4, 100)
		s.use(replay.ErrReleased, at(years), "bob", 2, years)
		s.use(replay.ErrReleased, at(years), "carol", 7, years+1)
		s.use(replay.ErrReplayed, at(years+4), "bob", 3, years+4)
	}},
	{"released steps within a day of each other are one run", 0, func(s *script) {
		s.use(nil, at(100), "alice", 1, 100)
		s.use(nil, at(100+day), "alice", 2, 100+day)
		s.use(nil, at(200+day), "alice", 3, 200+day)
		s.use(replay.ErrReleased, at(100), "alice", 4, 101)
		s.use(replay.ErrReleased, at(99+day), "alice", 5, 99+day)
		s.use(nil, at(99), "alice", 6, 99)
	}},
	{"a clock that jumps on and on forgets nothing", 0, func(s *script) {
		const jumps = 100
		for n := range jumps {
			s.use(nil, at(100+int64(n)*years), "alice", n, 100+int64(n)*years)
		}
		for n := range jumps - 1 {
			s.use(replay.ErrReleased, at(100+int64(n)*years), "alice", n, 100+int64(n)*years)
		}
		s.use(replay.ErrReplayed, at(100+(jumps-1)*years), "alice", jumps-1, 100+(jumps-1)*years)
	}},
	{"a refusal names the first moment that is not refused", 0, func(s *script) {
		s.use(nil, at(100), "alice", 1, 100)
		s.use(nil, at(104), "alice", 2, 104)
		err := s.store.Use(context.Background(), replay.Use{Domain: domain, Address: "alice", ID: id(1), Step: 100, Window: at(100)})
		var period *replay.PeriodError
		if !errors.As(err, &period) || !period.Until.Equal(time.Unix(101*replay.StepSeconds, 0)) {
			s.t.Fatalf("%v", err)
		}
	}},
	{"a window that has moved without uses releases nothing", 0, func(s *script) {
		s.use(nil, at(200), "alice", 1, 200)
		s.use(nil, at(100), "alice", 2, 100)
	}},
	{"a revocation refuses its user's steps", 0, func(s *script) {
		s.revoke(nil, at(100), "alice", 101)
		s.use(replay.ErrRevoked, at(100), "alice", 1, 99)
		s.use(replay.ErrRevoked, at(100), "alice", 1, 101)
		s.use(nil, at(101), "alice", 1, 102)
		s.use(nil, at(101), "bob", 2, 101)
	}},
	{"a revocation is of one domain", 0, func(s *script) {
		s.revoke(nil, at(100), "alice", 101)
		s.useAt(nil, at(100), "example.net", "alice", 1, 100)
	}},
	{"the furthest revocation counts", 0, func(s *script) {
		s.revoke(nil, at(100), "alice", 105)
		s.revoke(nil, at(100), "alice", 101)
		s.use(replay.ErrRevoked, at(104), "alice", 1, 105)
		s.use(nil, at(105), "alice", 2, 106)
	}},
	{"a revocation that was let go leaves its steps released", 0, func(s *script) {
		s.revoke(nil, at(100), "alice", 101)
		s.use(nil, at(103), "bob", 1, 103)
		s.use(replay.ErrReleased, at(100), "alice", 2, 101)
		s.use(replay.ErrReleased, at(101-2*day), "alice", 2, 101-2*day)
	}},
	{"a revocation of released steps changes nothing", 0, func(s *script) {
		s.revoke(nil, at(100), "alice", 101)
		s.use(nil, at(103), "bob", 1, 103)
		s.revoke(nil, at(100), "alice", 101)
		s.use(replay.ErrReleased, at(100), "alice", 2, 101)
	}},
	{"a revocation of steps beside released ones holds", 0, func(s *script) {
		s.use(nil, at(100), "alice", 1, 100)
		s.use(nil, at(104), "alice", 2, 104)
		s.revoke(nil, at(99), "alice", 100)
		s.use(replay.ErrRevoked, at(99), "alice", 3, 99)
	}},
	{"a revocation does not unspend", 0, func(s *script) {
		s.use(nil, at(100), "alice", 1, 101)
		s.revoke(nil, at(99), "alice", 100)
		s.use(replay.ErrReplayed, at(100), "alice", 1, 101)
	}},
	{"revoked is said before replayed", 0, func(s *script) {
		s.use(nil, at(100), "alice", 1, 100)
		s.revoke(nil, at(100), "alice", 101)
		s.use(replay.ErrRevoked, at(100), "alice", 1, 100)
	}},
	{"revoked is said before released", 0, func(s *script) {
		s.use(nil, at(100), "alice", 1, 100)
		s.revoke(nil, at(104), "alice", 105)
		s.use(nil, at(104), "bob", 2, 104)
		s.use(replay.ErrRevoked, at(100), "alice", 3, 100)
	}},
	{"a full store evicts nothing", 3, func(s *script) {
		for n := range 3 {
			s.use(nil, at(100), "alice", n, 100)
		}
		s.use(replay.ErrFull, at(100), "alice", 3, 100)
		s.useAt(replay.ErrFull, at(100), "example.net", "alice", 3, 100)
		for n := range 3 {
			s.use(replay.ErrReplayed, at(100), "alice", n, 100)
		}
	}},
	{"a full store has room again", 3, func(s *script) {
		for n := range 3 {
			s.use(nil, at(100), "alice", n, 100)
		}
		s.use(replay.ErrFull, at(101), "alice", 3, 101)
		s.use(nil, at(102), "alice", 4, 102)
		s.use(nil, at(102), "alice", 5, 102)
		s.use(nil, at(102), "alice", 6, 102)
		s.use(replay.ErrFull, at(102), "alice", 7, 102)
	}},
	{"revocations are bounded", 2, func(s *script) {
		s.revoke(nil, at(100), "alice", 101)
		s.revoke(nil, at(100), "bob", 101)
		s.revoke(nil, at(100), "bob", 102)
		s.revoke(replay.ErrFull, at(100), "carol", 101)
		s.use(replay.ErrRevoked, at(100), "alice", 1, 101)
		s.revoke(nil, at(103), "carol", 104)
	}},
	{"a closed store answers no more", 0, func(s *script) {
		s.use(nil, at(100), "alice", 1, 100)
		if err := s.store.Close(); err != nil {
			s.t.Fatal(err)
		}
		s.use(replay.ErrClosed, at(100), "alice", 1, 100)
		s.use(replay.ErrClosed, at(100), "alice", 2, 100)
		s.revoke(replay.ErrClosed, at(100), "alice", 100)
	}},
}

var persistentCases = []struct {
	name          string
	before, after func(*script)
}{
	{
		"a use is known",
		func(s *script) { s.use(nil, at(100), "alice", 1, 100) },
		func(s *script) {
			s.use(replay.ErrReplayed, at(100), "alice", 1, 100)
			s.use(nil, at(100), "alice", 2, 100)
			s.use(replay.ErrReplayed, at(101), "alice", 1, 100)
			s.use(nil, at(104), "alice", 3, 104)
			s.use(replay.ErrReleased, at(100), "alice", 1, 100)
		},
	},
	{
		"a revocation holds",
		func(s *script) {
			s.revoke(nil, at(100), "alice", 105)
			s.revoke(nil, at(100), "alice", 101)
		},
		func(s *script) {
			s.use(replay.ErrRevoked, at(100), "alice", 1, 101)
			s.use(replay.ErrRevoked, at(104), "alice", 1, 105)
			s.use(nil, at(105), "alice", 1, 106)
			s.use(nil, at(100), "bob", 2, 101)
		},
	},
	{
		"released steps stay so",
		func(s *script) {
			s.use(nil, at(100), "alice", 1, 100)
			s.use(nil, at(104), "alice", 2, 104)
		},
		func(s *script) {
			s.use(replay.ErrReleased, at(100), "alice", 1, 100)
			s.use(replay.ErrReleased, at(100), "alice", 3, 100)
			s.use(nil, at(100), "alice", 4, 101)
			s.use(replay.ErrReplayed, at(104), "alice", 2, 104)
		},
	},
	{
		"steps stay released that a refused use let go",
		func(s *script) {
			s.use(nil, at(100), "alice", 1, 100)
			s.use(nil, at(101), "alice", 2, 102)
			s.use(replay.ErrReplayed, at(103), "alice", 2, 102)
		},
		func(s *script) { s.use(replay.ErrReleased, at(100), "alice", 3, 100) },
	},
	{
		"a clock that was years ahead locks nobody out",
		func(s *script) {
			s.use(nil, at(100), "alice", 1, 100)
			s.use(nil, at(years), "bob", 2, years)
			s.use(nil, at(years+4), "bob", 3, years+4)
			s.use(nil, at(102), "alice", 4, 102)
		},
		func(s *script) {
			s.use(replay.ErrReplayed, at(103), "alice", 4, 102)
			s.use(nil, at(3000), "alice", 5, 3000)
			s.use(replay.ErrReleased, at(100), "alice", 1, 100)
			s.use(replay.ErrReleased, at(years), "bob", 2, years)
			s.use(replay.ErrReplayed, at(years+4), "bob", 3, years+4)
		},
	},
	{
		"a revocation holds beside released steps",
		func(s *script) {
			s.use(nil, at(100), "alice", 1, 100)
			s.use(nil, at(104), "alice", 2, 104)
			s.revoke(nil, at(99), "bob", 100)
			s.use(nil, at(99), "alice", 3, 102)
		},
		func(s *script) {
			s.use(replay.ErrRevoked, at(99), "bob", 4, 99)
			s.use(replay.ErrReleased, at(100), "alice", 1, 100)
		},
	},
	{
		"domains are apart",
		func(s *script) { s.useAt(nil, at(100), "example.net", "alice", 1, 100) },
		func(s *script) {
			s.useAt(nil, at(100), "example.org", "alice", 1, 100)
			s.useAt(replay.ErrReplayed, at(100), "example.net", "alice", 1, 100)
		},
	},
}

func concurrent(t *testing.T, store replay.Store) {
	const callers, tokens = 16, 32
	for n := range tokens {
		var mu sync.Mutex
		var group sync.WaitGroup
		admitted := 0
		for range callers {
			group.Go(func() {
				err := store.Use(context.Background(), replay.Use{Domain: domain, Address: "alice", ID: id(n), Step: 100, Window: at(100)})
				mu.Lock()
				defer mu.Unlock()
				switch {
				case err == nil:
					admitted++
				case !errors.Is(err, replay.ErrReplayed):
					t.Errorf("token %d: %v", n, err)
				}
			})
		}
		group.Wait()
		if admitted != 1 {
			t.Fatalf("token %d was admitted %d times", n, admitted)
		}
	}
}

// crowd uses many tokens of advancing steps at once. Each that was admitted must be refused afterwards.
func crowd(t *testing.T, store replay.Store) {
	const callers, uses = 8, 64
	var group sync.WaitGroup
	for caller := range callers {
		group.Go(func() {
			for n := range uses {
				step := int64(100 + n)
				u := replay.Use{Domain: domain, Address: "alice", ID: id(caller*uses + n), Step: step, Window: at(step)}
				first := store.Use(context.Background(), u)
				if first != nil && !errors.Is(first, replay.ErrReleased) {
					t.Errorf("step %d: %v", step, first)
				}
				if second := store.Use(context.Background(), u); second == nil {
					t.Errorf("step %d was admitted twice, first with %v", step, first)
				}
				r := replay.Revocation{Domain: domain, Address: "bob", Through: step, Window: at(step)}
				if err := store.Revoke(context.Background(), r); err != nil {
					t.Errorf("revocation through %d: %v", step, err)
				}
			}
		})
	}
	group.Wait()
}

// endedContext allows any answer to a use whose context has ended, but its token must not be admitted a second time
// after it was admitted.
func endedContext(t *testing.T, store replay.Store) {
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	u := replay.Use{Domain: domain, Address: "alice", ID: id(1), Step: 100, Window: at(100)}
	first := store.Use(ended, u)
	second := store.Use(context.Background(), u)
	third := store.Use(context.Background(), u)
	if first == nil && second == nil {
		t.Fatal("admitted twice")
	}
	if !errors.Is(third, replay.ErrReplayed) {
		t.Fatalf("third use: %v", third)
	}
}
