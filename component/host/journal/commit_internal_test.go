package journal

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.etcd.io/bbolt"
)

// newIdle returns a journal without a committer, so that a test says when a commit begins and how it ends.
func newIdle(t *testing.T, o Options) *Journal {
	t.Helper()
	o.Log = nil
	j, err := Open("", o)
	if err != nil {
		t.Fatal(err)
	}
	j.path = filepath.Join(t.TempDir(), "host.db")
	j.pending, j.wake = newCommit(), make(chan struct{}, 1)
	if err := j.open(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := j.db.Close(); err != nil {
			t.Error(err)
		}
	})
	return j
}

// commitAll does what the committer does when it is woken.
func commitAll(t *testing.T, j *Journal) {
	t.Helper()
	c, _ := j.take()
	c.err = j.commit(c)
	j.tell(c.err)
	j.settle(c, false)
	if c.err != nil {
		t.Fatal(c.err)
	}
}

func loadAll(t *testing.T, j *Journal, bucket string) map[string]string {
	t.Helper()
	all := make(map[string]string)
	err := j.Load(bucket, func(key string, value []byte) error {
		all[key] = string(value)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestChangesToOneKeyAreOne(t *testing.T) {
	j := newIdle(t, Options{})
	for range 10 {
		j.Put("rosters", "alice", []byte("early"))
		j.Put("rosters", "alice", []byte("last"))
		j.Put("rosters", "bob", []byte("gone"))
		j.Delete("rosters", "bob")
	}
	if n, bytes := len(j.pending.changes), j.pending.bytes; n != 2 || bytes != len("last") {
		t.Errorf("%d changes with %d octets wait", n, bytes)
	}
	commitAll(t, j)
	if diff := cmp.Diff(map[string]string{"alice": "last"}, loadAll(t, j, "rosters")); diff != "" {
		t.Error(diff)
	}
	if !j.Done(j.Mark()) {
		t.Error("not done")
	}
}

func TestFailedCommitLiesUnderWhatCameLater(t *testing.T) {
	j := newIdle(t, Options{})
	j.Put("rosters", "alice", []byte("early"))
	j.Put("rosters", "bob", []byte("kept"))
	j.Put("rosters", "carol", []byte("early"))
	early := j.Mark()
	c, _ := j.take()
	j.Put("rosters", "alice", []byte("late"))
	j.Delete("rosters", "carol")
	late := j.Mark()
	c.err = ErrFailed
	j.settle(c, false)
	<-c.done
	if j.Done(early) || j.Done(late) {
		t.Error("done though it failed")
	}
	if n, bytes := len(j.pending.changes), j.pending.bytes; n != 3 || bytes != len("late")+len("kept") {
		t.Errorf("%d changes with %d octets wait", n, bytes)
	}
	for _, m := range []Mark{early, late} {
		if c, err := j.commitOf(m); c != j.pending {
			t.Errorf("mark %d does not wait for the next commit: %v", m, err)
		}
	}
	commitAll(t, j)
	if diff := cmp.Diff(map[string]string{"alice": "late", "bob": "kept"}, loadAll(t, j, "rosters")); diff != "" {
		t.Error(diff)
	}
	if !j.Done(late) {
		t.Error("not done")
	}
}

// A failed commit is tried again when somebody waits for it, even if nothing more is put.
func TestWaitWakesTheCommitter(t *testing.T) {
	j := newIdle(t, Options{})
	j.Put("rosters", "alice", nil)
	<-j.wake
	c, _ := j.take()
	c.err = ErrFailed
	j.settle(c, false)
	expired := make(chan struct{})
	close(expired)
	if err := j.Wait(j.Mark(), expired); !errors.Is(err, ErrExpired) {
		t.Fatal(err)
	}
	select {
	case <-j.wake:
	default:
		t.Fatal("the committer sleeps on")
	}
	commitAll(t, j)
}

func TestWaitIsForTheFirstCommitThatWillDo(t *testing.T) {
	j := newIdle(t, Options{})
	j.Put("rosters", "alice", nil)
	first := j.Mark()
	c, _ := j.take()
	j.Put("rosters", "bob", nil)
	second := j.Mark()
	if got, err := j.commitOf(first); got != c {
		t.Errorf("first: %v", err)
	}
	if got, err := j.commitOf(second); got != j.pending {
		t.Errorf("second: %v", err)
	}
	if got, err := j.commitOf(0); got != nil || err != nil {
		t.Errorf("the beginning: %v", err)
	}
	c.err = j.commit(c)
	j.settle(c, false)
	if !j.Done(first) || j.Done(second) {
		t.Errorf("first %t, second %t", j.Done(first), j.Done(second))
	}
}

func TestCrowded(t *testing.T) {
	cases := []struct {
		name string
		o    Options
		size int // of a value
		last int // the last change with which it is not crowded
	}{
		{"keys", Options{MaxPending: 3}, 1, 3},
		{"octets", Options{MaxPendingBytes: 500}, 100, 5},
		{"defaults", Options{}, 1 << 20, defaultMaxPendingBytes >> 20},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			j := newIdle(t, c.o)
			value := make([]byte, c.size)
			var taken *commit
			for n := 1; n <= c.last+1; n++ {
				if n == 2 { // what is being written counts too
					taken, _ = j.take()
				}
				j.Put("messages", string(rune('a'+n)), value)
				j.Put("messages", string(rune('a'+n)), value)
				if got, want := j.Crowded(), n > c.last; got != want {
					t.Errorf("after %d changes: %t", n, got)
				}
			}
			j.settle(taken, false)
			if j.Crowded() {
				t.Error("still crowded")
			}
		})
	}
}

// transaction is the number of the last one.
func transaction(t *testing.T, j *Journal) (id int) {
	t.Helper()
	if err := j.db.View(func(tx *bbolt.Tx) error { id = tx.ID(); return nil }); err != nil {
		t.Fatal(err)
	}
	return id
}

func TestWhatIsOnDiskIsNotWrittenAgain(t *testing.T) {
	j := newIdle(t, Options{})
	j.Put("rosters", "alice", []byte("friend"))
	commitAll(t, j)
	before := transaction(t, j)
	j.Put("rosters", "alice", []byte("friend"))
	j.Put("messages", "hello", nil)
	j.Delete("messages", "hello")
	commitAll(t, j)
	if got := transaction(t, j); got != before {
		t.Errorf("transaction %d after %d", got, before)
	}
	if !j.Done(j.Mark()) {
		t.Error("not done")
	}
	// After a commit whose sync failed, what is read may not be on disk.
	j.failing = true
	j.Put("rosters", "alice", []byte("friend"))
	commitAll(t, j)
	if got := transaction(t, j); got != before+1 {
		t.Errorf("transaction %d after %d and a failure", got, before)
	}
}

func openFile(t *testing.T) *Journal {
	t.Helper()
	j, err := Open(filepath.Join(t.TempDir(), "host.db"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	return j
}

// While the disk does not answer, Put goes on and Wait can be ended; then all is written.
func TestStuckDisk(t *testing.T) {
	j := openFile(t)
	stuck, err := j.db.Begin(true) // bbolt has one writer at a time
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"alice", "bob"} {
		j.Put("rosters", key, nil)
		expired := make(chan struct{})
		close(expired)
		if err := j.Wait(j.Mark(), expired); !errors.Is(err, ErrExpired) {
			t.Fatal(err)
		}
	}
	if j.Done(1) {
		t.Error("done while the disk is stuck")
	}
	if err := stuck.Rollback(); err != nil {
		t.Fatal(err)
	}
	if err := j.Wait(j.Mark(), nil); err != nil {
		t.Error(err)
	}
	if err := j.Close(); err != nil {
		t.Error(err)
	}
}

// Close does not end as if nothing were wrong when its commit fails.
func TestCloseTellsOfAFailedCommit(t *testing.T) {
	j := openFile(t)
	j.Put("rosters", "alice", nil)
	kept := j.Mark()
	if err := j.Wait(kept, nil); err != nil {
		t.Fatal(err)
	}
	if err := j.db.Close(); err != nil {
		t.Fatal(err)
	}
	j.Put("rosters", "bob", nil)
	if err := j.Close(); !errors.Is(err, ErrFailed) {
		t.Errorf("close: %v", err)
	}
	if err := j.Wait(j.Mark(), nil); !errors.Is(err, ErrClosed) {
		t.Errorf("what was lost: %v", err)
	}
	if !j.Done(kept) {
		t.Error("what was kept is not done any more")
	}
}

// A file that loses its pages while it is open is given up: no Wait tells of success again.
func TestCutWhileOpen(t *testing.T) {
	j := openFile(t)
	j.Put("rosters", "alice", nil)
	if err := j.Wait(j.Mark(), nil); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(j.path, 0); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		j.Put("rosters", "bob", nil)
		if err := j.Wait(j.Mark(), nil); !errors.Is(err, ErrFailed) || !strings.Contains(err.Error(), "damaged") {
			t.Fatal(err)
		}
	}
	if err := j.Close(); !errors.Is(err, ErrFailed) {
		t.Errorf("close: %v", err)
	}
}
