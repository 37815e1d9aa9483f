package e2e

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"xtokend/auth/replay"
	"xtokend/internal/redistest"
)

const (
	// shortFaults is how many things go wrong in each of these tests, unless
	// XTOKEND_KILLS says how many.
	shortFaults = 3
	// redisSites is how many sites share the faults of Redis at most: most of the
	// time each waits until tokens are too young to have been forgotten.
	redisSites = 10
)

// killsOr is what XTOKEND_KILLS says, else usual.
func killsOr(t *testing.T, usual int) int {
	t.Helper()
	text := os.Getenv(killsVariable)
	if text == "" {
		return usual
	}
	kills, err := strconv.Atoi(text)
	if err != nil {
		t.Fatalf("%s: %v", killsVariable, err)
	}
	return kills
}

// Whatever happens to xtokend or to its replay store in the middle of logins, no
// token is accepted twice, and tokens that nobody has used are accepted as soon as
// it is over.
func TestATokenIsAcceptedOnceWhateverHappens(t *testing.T) {
	t.Parallel() // most of its time it waits
	faults := killsOr(t, shortFaults)
	var running sync.WaitGroup
	run := func(name string, test func(t *testing.T)) { running.Go(func() { t.Run(name, test) }) }
	run("xtokend is killed", func(t *testing.T) {
		o := newOrdeal(t, func(s *site) { s.Skew = wideSkew })
		for n := range faults {
			o.play(n, mishap{"killed", o.kill, false})
		}
		o.report()
	})
	run("the disk is full", func(t *testing.T) {
		o := newOrdeal(t, func(s *site) { s.Skew = wideSkew })
		for n := range faults {
			o.play(n, o.fullDisk(n))
		}
		o.report()
	})
	sites := min(faults, redisSites)
	for n := range sites {
		run(fmt.Sprintf("Redis fails, site %d", n), func(t *testing.T) {
			server := redistest.Start(t, redistest.Options{Lines: "appendonly yes\nappendfsync always"})
			newLongAgo(t, server)
			o := newOrdeal(t, func(s *site) {
				s.Replay = map[string]any{"store": "redis", "url": "redis://" + server.Address + "/0"}
			})
			o.ahead = 30 // a step: its tokens live the longer
			for i := n; i < faults; i += sites {
				o.play(i, o.redisFault(i, server))
			}
			o.report()
		})
	}
	running.Wait()
}

// newLongAgo has a Redis know that it has lost nothing but in a distant past.
func newLongAgo(t *testing.T, server *redistest.Server) {
	t.Helper()
	store, err := replay.OpenRedis(t.Context(), replay.RedisOptions{
		Addresses: []string{server.Address}, Now: func() time.Time { return time.Unix(0, 0) },
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
}

// wideSkew keeps tokens from expiring within a round on a slow machine.
const wideSkew = 10

// mishap is something that goes wrong, and is over when do returns.
type mishap struct {
	name string
	do   func()
	// forgets says that earlier uses may be forgotten, so that no token that could
	// be one of them may be accepted.
	forgets bool
}

// kill ends xtokend as a loss of power would, and starts it again.
func (o *ordeal) kill() {
	o.s.endFront(syscall.SIGKILL)
	o.s.startFront()
}

// fullDisk is a disk that takes no more, until there is room again or, with every
// other one, until xtokend is killed as well.
func (o *ordeal) fullDisk(n int) mishap {
	return mishap{"full", func() {
		process := o.s.front.cmd.Process.Pid
		var limit unix.Rlimit
		if err := unix.Prlimit(process, unix.RLIMIT_FSIZE, nil, &limit); err != nil {
			o.t.Fatal(err)
		}
		// Most file systems still write where they have written before; those that
		// copy at each write (Btrfs, ZFS) cannot.
		full := unix.Rlimit{Cur: nothingFits, Max: limit.Max}
		if n%5 == 4 {
			info, err := os.Stat(filepath.Join(o.s.Dir, "replay.db"))
			if err != nil {
				o.t.Fatal(err)
			}
			full.Cur = uint64(info.Size())
		}
		if err := unix.Prlimit(process, unix.RLIMIT_FSIZE, &full, nil); err != nil {
			o.t.Fatal(err)
		}
		if o.awaitRefusal(full.Cur == nothingFits) {
			o.s.awaitLog("look for a full disk", 0)
		}
		if n%2 == 1 {
			o.kill()
		} else if err := unix.Prlimit(process, unix.RLIMIT_FSIZE, &limit, nil); err != nil {
			o.t.Fatal(err)
		}
	}, false}
}

// nothingFits is less than the shortest file of a store: it is only ever written behind that.
const nothingFits = 1

// redisFault is the nth of those that Redis and xtokend can have.
func (o *ordeal) redisFault(n int, server *redistest.Server) mishap {
	faults := []mishap{
		{"xtokend killed", o.kill, false},
		{"Redis wiped", func() { server.Command("FLUSHALL") }, true},
		{"Redis killed", func() { server.Kill(); server.Restart() }, true},
		{"Redis frozen", func() {
			server.Freeze()
			o.awaitRefusal(true)
			server.Thaw()
		}, false},
		{"Redis stopped", func() {
			server.Stop()
			o.awaitRefusal(true)
			server.Restart()
		}, true},
		{"Redis started with an empty disk", func() { server.Command("FLUSHALL"); server.Kill(); server.Restart() }, true},
		{"both killed", func() { server.Kill(); o.s.endFront(syscall.SIGKILL); server.Restart(); o.s.startFront() }, true},
	}
	return faults[n%len(faults)]
}

// ordeal is a site whose users log in while things go wrong.
type ordeal struct {
	t     *testing.T
	s     *site
	ahead int // seconds, of the issuer's clock

	mu      sync.Mutex
	round   []*trial
	moments int           // steps that logins have made in this round
	last    int           // the step in which things go wrong
	struck  chan struct{} // closed then
	mended  chan struct{} // closed when it is over

	// Of all rounds.
	presented, admitted, unanswered, unavailable, late int
}

func newOrdeal(t *testing.T, configure func(*site)) *ordeal {
	s := newSiteOn(t, builtInHost, func(s *site) {
		s.HostFile = ""
		s.Limits = map[string]any{"failed_per_minute_per_address": 0}
		configure(s)
	})
	return &ordeal{t: t, s: s}
}

func (o *ordeal) report() {
	o.t.Logf("%d tokens presented first: %d accepted, %d refused as temporary, %d not answered; of the last two kinds %d were accepted later",
		o.presented, o.admitted, o.unavailable, o.unanswered, o.late)
}

// play is a round: logins in which the fault strikes at a random moment, and then
// what became of each token.
func (o *ordeal) play(n int, f mishap) {
	o.t.Helper()
	o.s.lengthen(2 * testTimeout)
	o.mu.Lock()
	o.round, o.moments, o.last = nil, 0, 1+rand.IntN(loginsPerFault*momentsPerLogin)
	o.struck, o.mended = make(chan struct{}), make(chan struct{})
	o.mu.Unlock()
	for range unusedPerFault {
		o.fresh("unused")
	}
	var workers sync.WaitGroup
	for w := range faultWorkers {
		workers.Go(func() { o.work(w) })
	}
	select {
	case <-o.struck:
	case <-o.s.ctx.Done():
		o.t.Fatalf("round %d, %s: the logins do not come that far", n, f.name)
	}
	f.do()
	close(o.mended)
	workers.Wait()
	if f.forgets {
		o.presentAll()
	}
	o.awaitAdmission()
	o.presentAll()
	o.presentAll()
	o.judge(f)
	if o.t.Failed() {
		o.t.Fatalf("in round %d, %s, at moment %d", n, f.name, o.last)
	}
}
