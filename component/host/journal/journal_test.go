package journal_test

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"xtokend/component/host/journal"
)

func TestMain(m *testing.M) {
	runChild()
	goleak.VerifyTestMain(m)
}

// open opens a journal and closes it with the test.
func open(t testing.TB, path string, o journal.Options) *journal.Journal {
	t.Helper()
	j, err := journal.Open(path, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := j.Close(); err != nil {
			t.Error(err)
		}
	})
	return j
}

func newPath(t testing.TB) string { return filepath.Join(t.TempDir(), "host.db") }

// load returns the records of a bucket as key=value, in the order in which they come.
func load(t *testing.T, j *journal.Journal, bucket string) []string {
	t.Helper()
	var all []string
	err := j.Load(bucket, func(key string, value []byte) error {
		all = append(all, key+"="+string(value))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func wait(t testing.TB, j *journal.Journal) {
	t.Helper()
	m := j.Mark()
	if err := j.Wait(m, nil); err != nil {
		t.Fatal(err)
	}
	if !j.Done(m) {
		t.Fatal("waited for, but not done")
	}
}

func wantRecords(t *testing.T, j *journal.Journal, bucket string, want ...string) {
	t.Helper()
	if diff := cmp.Diff(want, load(t, j, bucket)); diff != "" {
		t.Fatalf("%s: %s", bucket, diff)
	}
}

// reopened closes a journal and opens its file again.
func reopened(t *testing.T, j *journal.Journal, path string) *journal.Journal {
	t.Helper()
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	return open(t, path, journal.Options{})
}

func TestRecordsOutliveTheJournal(t *testing.T) {
	path := newPath(t)
	j := open(t, path, journal.Options{})
	j.Put("rosters", "bob", []byte("friend"))
	j.Put("rosters", "alice", []byte("colleague"))
	j.Put("vcards", "alice", nil)
	wait(t, j)
	j.Put("rosters", "bob", []byte("foe"))
	j.Put("rosters", "carol", []byte("unknown"))
	j.Delete("rosters", "alice")
	j.Delete("rosters", "nobody")
	j.Delete("elsewhere", "nobody")
	j = reopened(t, j, path) // Close commits what waits
	wantRecords(t, j, "rosters", "bob=foe", "carol=unknown")
	wantRecords(t, j, "vcards", "alice=")
	wantRecords(t, j, "elsewhere")
	wantRecords(t, j, "never named")
}

func TestLoadGivesCopies(t *testing.T) {
	path := newPath(t)
	j := open(t, path, journal.Options{})
	j.Put("rosters", "bob", []byte("friend"))
	j = reopened(t, j, path)
	var kept []byte
	err := j.Load("rosters", func(_ string, value []byte) error {
		kept = value
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	copy(kept, "FRIEND")
	wantRecords(t, j, "rosters", "bob=friend")
}

func TestLoadPassesErrorsOn(t *testing.T) {
	path := newPath(t)
	j := open(t, path, journal.Options{})
	j.Put("rosters", "alice", nil)
	j.Put("rosters", "bob", nil)
	j = reopened(t, j, path)
	want := errors.New("not understood")
	calls := 0
	err := j.Load("rosters", func(string, []byte) error {
		calls++
		return want
	})
	if !errors.Is(err, want) || calls != 1 {
		t.Fatalf("%v after %d calls", err, calls)
	}
}

// The last of many changes to a key is the one that is kept, whichever of them went to disk.
func TestLastChangeIsKept(t *testing.T) {
	path := newPath(t)
	j := open(t, path, journal.Options{})
	want := make(map[string]string)
	for n := range 2000 {
		key := fmt.Sprint(n % 7)
		if n%5 == 4 {
			j.Delete("messages", key)
			delete(want, key)
			continue
		}
		j.Put("messages", key, fmt.Append(nil, n))
		want[key] = fmt.Sprint(n)
	}
	j = reopened(t, j, path)
	got := make(map[string]string)
	err := j.Load("messages", func(key string, value []byte) error {
		got[key] = string(value)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if !maps.Equal(got, want) {
		t.Fatal(cmp.Diff(want, got))
	}
}

func TestMark(t *testing.T) {
	j := open(t, newPath(t), journal.Options{})
	if !j.Done(0) || !j.Done(j.Mark()) {
		t.Error("nothing was put, but something is not on disk")
	}
	before := j.Mark()
	j.Put("rosters", "bob", nil)
	after := j.Mark()
	if before >= after {
		t.Errorf("mark %d, then %d", before, after)
	}
	if !j.Done(before) {
		t.Error("a later change takes an earlier mark back")
	}
	wait(t, j)
	if !j.Done(after) {
		t.Error("not done after Wait")
	}
}

func TestInMemory(t *testing.T) {
	j := open(t, "", journal.Options{MaxPending: 1})
	for n := range 10 {
		j.Put("rosters", fmt.Sprint(n), nil)
		j.Delete("rosters", fmt.Sprint(n+1))
	}
	if !j.Done(j.Mark()) || !j.Done(1<<40) {
		t.Error("memory is waited for")
	}
	expired := make(chan struct{})
	close(expired)
	if err := j.Wait(j.Mark(), expired); err != nil {
		t.Error(err)
	}
	if j.Crowded() {
		t.Error("crowded")
	}
	wantRecords(t, j, "rosters")
}

func TestPutAfterClose(t *testing.T) {
	path := newPath(t)
	j := open(t, path, journal.Options{})
	j.Put("rosters", "alice", nil)
	kept := j.Mark()
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	j.Put("rosters", "bob", nil)
	if err := j.Wait(kept, nil); err != nil {
		t.Error(err)
	}
	if err := j.Wait(j.Mark(), nil); !errors.Is(err, journal.ErrClosed) || j.Done(j.Mark()) {
		t.Errorf("put after Close: %v", err)
	}
	if err := j.Close(); err != nil {
		t.Error(err)
	}
	wantRecords(t, open(t, path, journal.Options{}), "rosters", "alice=")
}

func TestKeysHaveBounds(t *testing.T) {
	j := open(t, newPath(t), journal.Options{})
	longest := strings.Repeat("k", journal.MaxKeyBytes)
	cases := []struct {
		name        string
		bucket, key string
		panics      bool
	}{
		{"longest key", "rosters", longest, false},
		{"longest bucket", longest, "alice", false},
		{"longer key", "rosters", longest + "k", true},
		{"longer bucket", longest + "b", "alice", true},
		{"no key", "rosters", "", true},
		{"no bucket", "", "alice", true},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			for _, change := range []func(){
				func() { j.Put(c.bucket, c.key, nil) },
				func() { j.Delete(c.bucket, c.key) },
			} {
				if got := panics(change); got != c.panics {
					t.Errorf("panics: %t", got)
				}
				wait(t, j)
			}
		})
	}
}

func panics(do func()) (panicked bool) {
	defer func() { panicked = recover() != nil }()
	do()
	return false
}

func TestFileMode(t *testing.T) {
	path := newPath(t)
	open(t, path, journal.Options{})
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o600 {
		t.Fatalf("mode %v", info.Mode())
	}
}

// A healthy journal has nothing to say, and names of users and what they wrote are never said.
func TestNothingIsLogged(t *testing.T) {
	var log bytes.Buffer
	path := newPath(t)
	j := open(t, path, journal.Options{Log: slog.New(slog.NewTextHandler(&log, nil))})
	j.Put("rosters", "alice", []byte("secret"))
	wait(t, j)
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	if log.Len() > 0 {
		t.Error(log.String())
	}
}
