package replay

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// model drives a store by chance, and knows what was answered.
type model struct {
	t      *testing.T
	random *rand.Rand
	f      *File
	clock  int64
	latest int64 // that the clock has shown
	boot   int
	uses   []Use
	used   map[int]bool // by the place in uses
	gone   map[[2]string]int64

	admitted, refused, lost int
}

func (m *model) options() FileOptions {
	o := testOptions()
	o.BootID = fmt.Sprint("boot ", m.boot)
	clock := m.clock
	o.Now = func() time.Time { return stepTime(clock) }
	return o
}

func (m *model) open(path string) {
	m.t.Helper()
	f := newFile(path, m.options())
	f.rewriteFrom = 1 << 40 // the model says when
	if err := f.open(m.options()); err != nil {
		m.t.Fatal(err)
	}
	go f.commitLoop()
	if f.Lost() != "" {
		m.lost++
	}
	m.f = f
}

// kill leaves the store and opens what is on disk of it, perhaps after a loss of power or with an octet changed.
func (m *model) kill() {
	m.t.Helper()
	dir := m.t.TempDir()
	for _, suffix := range []string{"", newSuffix} {
		data, err := os.ReadFile(m.f.path + suffix)
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err == nil && suffix == "" && m.clock == m.latest && m.random.IntN(3) == 0 {
			// With a clock that was set back, what the file no longer tells may lie ahead.
			data[m.random.Int64N(m.f.log.end)] ^= 1 << m.random.IntN(8)
		}
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, "replay.db"+suffix), data, 0o600)
		}
		if err != nil {
			m.t.Fatal(err)
		}
	}
	_ = m.f.Close()
	if m.random.IntN(5) == 0 {
		m.boot++
	}
	m.open(filepath.Join(dir, "replay.db"))
}

func (m *model) window() Window {
	return Window{First: m.clock - 1, Current: m.clock, Last: m.clock + 1}
}

// use presents a new token, or one that was presented before.
func (m *model) use() {
	m.t.Helper()
	n := len(m.uses)
	if n > 0 && m.random.IntN(3) == 0 {
		n = max(0, n-1-m.random.IntN(20))
	} else {
		u := Use{
			Domain:  fmt.Sprint("domain", m.random.IntN(3)),
			Address: fmt.Sprint("user", m.random.IntN(10)),
			Step:    m.clock - 1 + m.random.Int64N(3),
		}
		binary.BigEndian.PutUint64(u.ID[:], uint64(n))
		binary.BigEndian.PutUint64(u.ID[24:], m.random.Uint64())
		m.uses = append(m.uses, u)
	}
	u := m.uses[n]
	u.Window = m.window()
	through, revoked := m.gone[[2]string{u.Domain, u.Address}]
	switch err := m.f.Use(context.Background(), u); {
	case err != nil:
		m.refused++
	case m.used[n]:
		m.t.Fatalf("use %d of step %d was admitted twice", n, u.Step)
	case revoked && u.Step <= through:
		m.t.Fatalf("use %d of step %d was admitted although its user was revoked through %d", n, u.Step, through)
	default:
		m.used[n] = true
		m.admitted++
	}
}

func (m *model) revoke() {
	r := Revocation{
		Domain:  fmt.Sprint("domain", m.random.IntN(3)),
		Address: fmt.Sprint("user", m.random.IntN(10)),
		Through: m.clock + 1,
		Window:  m.window(),
	}
	if err := m.f.Revoke(context.Background(), r); err == nil {
		key := [2]string{r.Domain, r.Address}
		m.gone[key] = max(m.gone[key], r.Through)
	}
}

// fail has the writes of one use fail, after some octets or after all.
func (m *model) fail() {
	sound := m.f.log.file
	m.f.log.file = &faulty{disk: sound, fail: func(octets []byte) (int, error) {
		return m.random.IntN(len(octets) + 1), syscall.EIO
	}}
	m.use()
	m.f.log.file = sound
}

func (m *model) act() {
	m.latest = max(m.latest, m.clock)
	switch n := m.random.IntN(100); {
	case n < 70:
		m.use()
	case n < 73:
		m.revoke()
	case n < 83:
		m.clock++
	case n < 84:
		m.clock += m.random.Int64N(20) - 10
	case n < 90:
		m.fail()
	case n < 94:
		m.f.rewrite() // no commit runs meanwhile
	case n < 97:
		m.kill()
	default:
		path := m.f.path
		if err := m.f.Close(); err != nil {
			m.t.Fatal(err)
		}
		m.open(path)
		if m.f.Lost() != "" {
			m.t.Fatalf("uses were lost by closing: %s", m.f.Lost())
		}
	}
}

// Whatever happens in whatever order, no token is admitted twice, and none of a user who was revoked.
func TestFileByChance(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	var admitted, refused, lost int
	for round := range uint64(5) {
		m := &model{t: t, random: rand.New(rand.NewPCG(seed, round)), clock: testStep, used: make(map[int]bool), gone: make(map[[2]string]int64)}
		m.open(filepath.Join(t.TempDir(), "replay.db"))
		for range 500 {
			m.act()
		}
		_ = m.f.Close()
		admitted, refused, lost = admitted+m.admitted, refused+m.refused, lost+m.lost
	}
	t.Logf("%d uses admitted, %d refused; uses were lost %d times", admitted, refused, lost)
	if admitted == 0 || refused == 0 || lost == 0 {
		t.Error("something never happened")
	}
}
