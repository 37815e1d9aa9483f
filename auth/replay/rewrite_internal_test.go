package replay

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// usedUp uses tokens of advancing steps, of which but the last are released, and revokes a user.
func usedUp(t *testing.T, f *File, uses int) {
	t.Helper()
	for n := range uses {
		wantErr(t, f, testUse(n, testStep+int64(n/8)), nil)
	}
	last := testUse(0, testStep+int64(uses-1)/8)
	err := f.Revoke(context.Background(), Revocation{Domain: last.Domain, Address: "bob", Through: last.Window.Last, Window: last.Window})
	if err != nil {
		t.Fatal(err)
	}
}

// wantUsedUp holds that a store knows all that usedUp has done.
func wantUsedUp(t *testing.T, f *File, uses int) {
	t.Helper()
	if f.Lost() != "" {
		t.Fatal(f.Lost())
	}
	last := testStep + int64(uses-1)/8
	for n := range uses {
		u := testUse(n, testStep+int64(n/8))
		want := ErrReplayed
		if u.Step < last-1 {
			want = ErrReleased
		}
		wantErr(t, f, u, want)
	}
	bob := testUse(uses, last)
	bob.Address = "bob"
	wantErr(t, f, bob, ErrRevoked)
	wantErr(t, f, testUse(uses+1, last), nil)
}

// A log stays small, and goes on as what it was.
func TestRewriting(t *testing.T) {
	path := filepath.Join(t.TempDir(), "replay.db")
	f := newFile(path, testOptions())
	f.rewriteFrom = 2000
	if err := f.open(testOptions()); err != nil {
		t.Fatal(err)
	}
	go f.commitLoop()
	t.Cleanup(func() { _ = f.Close() })
	const uses = 300
	usedUp(t, f, uses)
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if f.log.end > 4000 {
		t.Errorf("after %d uses the log has %d octets", uses, f.log.end)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 || !os.SameFile(info, f.log.info) {
		t.Errorf("%v, %v", info, err)
	}
	wantUsedUp(t, asKilled(t, path), uses)
	wantUsedUp(t, openTest(t, path), uses)
}

// A process may be killed at any moment of a rewrite: there is the old file or the new one, and each knows everything.
func TestKilledWhileRewriting(t *testing.T) {
	const uses = 40
	path := filepath.Join(t.TempDir(), "replay.db")
	f := openTest(t, path)
	usedUp(t, f, uses)
	next, _, err := f.createNext() // no commit runs meanwhile
	if err != nil {
		t.Fatal(err)
	}
	wantUsedUp(t, asKilled(t, path), uses)
	whole, err := os.ReadFile(path + newSuffix)
	if err != nil {
		t.Fatal(err)
	}
	for _, length := range []int{0, 1, headerBytes, headerBytes + 1, int(next.end) - 1, int(next.end), int(next.end) + 1, len(whole) - 1} {
		if err := os.Truncate(path+newSuffix, int64(length)); err != nil {
			t.Fatal(err)
		}
		wantUsedUp(t, asKilled(t, path), uses)
	}
	if err := os.WriteFile(path+newSuffix, whole, 0); err != nil {
		t.Fatal(err)
	}
	if err := f.install(next, f.log.info); err != nil {
		t.Fatal(err)
	}
	wantUsedUp(t, asKilled(t, path), uses)
	if _, err := os.Stat(path + newSuffix); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the new file still has its first name: %v", err)
	}
	_ = f.log.file.Close()
	f.begin(next)
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	wantUsedUp(t, openTest(t, path), uses)
}

// At no moment is the lock on what the path names free.
func TestRewritingKeepsTheLock(t *testing.T) {
	path := filepath.Join(t.TempDir(), "replay.db")
	f := openTest(t, path)
	wantLocked := func(when string) {
		t.Helper()
		other, err := OpenFile(path, testOptions())
		if err == nil {
			_ = other.Close()
			t.Fatalf("%s: opened", when)
		}
		if !strings.Contains(err.Error(), "another xtokend holds") {
			t.Fatalf("%s: %v", when, err)
		}
	}
	next, _, err := f.createNext()
	if err != nil {
		t.Fatal(err)
	}
	wantLocked("before the new file is in its place")
	if err := f.install(next, f.log.info); err != nil {
		t.Fatal(err)
	}
	wantLocked("with both files open")
	_ = f.log.file.Close()
	wantLocked("with the new file alone")
	f.begin(next)
}

// A rewrite that fails is made up for later.
func TestRewritingFails(t *testing.T) {
	path := filepath.Join(t.TempDir(), "replay.db")
	f := openTest(t, path)
	const uses = 40
	usedUp(t, f, uses)
	inTheWay := filepath.Join(path+newSuffix, "file")
	if err := errors.Join(os.Mkdir(path+newSuffix, 0o700), os.WriteFile(inTheWay, nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	before := f.log
	f.rewrite() // no commit runs meanwhile
	if f.log != before || f.rewriteAt <= f.log.end {
		t.Error("it has not failed, or will at once be tried again")
	}
	wantUsedUp(t, f, uses)
	if err := os.RemoveAll(path + newSuffix); err != nil {
		t.Fatal(err)
	}
	f.rewrite()
	if f.log == before {
		t.Error("it has failed again")
	}
	wantErr(t, asKilled(t, path), testUse(0, testStep), ErrReleased)
}

// A file that is no longer at its path would be unknown after a restart.
func TestRewritingOfAMovedFile(t *testing.T) {
	cases := []struct {
		name string
		move func(path string) error
	}{
		{"moved away", func(path string) error { return os.Rename(path, path+".moved") }},
		{"replaced", func(path string) error {
			return errors.Join(os.Remove(path), os.WriteFile(path, []byte("other"), 0o600))
		}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "replay.db")
			f := openTest(t, path)
			wantErr(t, f, testUse(1, testStep), nil)
			if err := c.move(path); err != nil {
				t.Fatal(err)
			}
			f.rewrite()
			if err := f.Use(context.Background(), testUse(2, testStep)); !errors.Is(err, errDamaged) || !strings.Contains(err.Error(), "restart") {
				t.Errorf("use: %v", err)
			}
			if err := f.Close(); !errors.Is(err, errDamaged) {
				t.Errorf("close: %v", err)
			}
			if data, err := os.ReadFile(path); err == nil && string(data) != "other" {
				t.Error("what was put in its place is gone")
			}
		})
	}
}
