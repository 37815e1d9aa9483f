package replay

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// faulty is a disk that fails.
type faulty struct {
	disk
	// fail is asked before each write; after an error as many octets are written as it says.
	fail func(octets []byte) (written int, err error)
}

func (d *faulty) WriteAt(octets []byte, at int64) (int, error) {
	n, err := d.fail(octets)
	if err == nil {
		return d.disk.WriteAt(octets, at)
	}
	if _, writeErr := d.disk.WriteAt(octets[:n], at); writeErr != nil {
		return 0, writeErr
	}
	return n, err
}

func testUse(n int, step int64) Use {
	u := Use{Domain: "example.org", Address: "alice", Step: step, Window: Window{First: step - 1, Current: step, Last: step + 1}}
	for i := range u.ID {
		u.ID[i] = 0xA7
	}
	binary.BigEndian.PutUint64(u.ID[:], uint64(n))
	return u
}

const testStep = 100

func testOptions() FileOptions {
	return FileOptions{BootID: "boot", Now: func() time.Time { return stepTime(testStep) }, LockTimeout: 100 * time.Millisecond}
}

func openTest(t testing.TB, path string) *File {
	t.Helper()
	f, err := OpenFile(path, testOptions())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	return f
}

// asKilled opens a copy of a file and of what lies beside it, as a process that is killed leaves them.
func asKilled(t *testing.T, path string) *File {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{path, path + newSuffix} {
		data, err := os.ReadFile(name)
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, filepath.Base(name)), data, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return openTest(t, filepath.Join(dir, filepath.Base(path)))
}

func wantErr(t *testing.T, f *File, u Use, want error) {
	t.Helper()
	if err := f.Use(context.Background(), u); !errors.Is(err, want) {
		t.Fatalf("use of step %d: %v, want %v", u.Step, err, want)
	}
}

// A write may fail after any number of octets. Its use is refused and takes no room, later ones are recorded in its place,
// and a process that is killed at any moment leaves a file that knows all that was answered, or says that it may not.
func TestWriteFailsHalfWay(t *testing.T) {
	const (
		frame       = frameHeaderBytes + kindBytes + numberBytes + stepBytes + idBytes
		lengthZeros = 3 // octets that a frame of this length begins with
	)
	for written := 0; written <= frame; written++ {
		path := filepath.Join(t.TempDir(), "replay.db")
		f := openTest(t, path)
		wantErr(t, f, testUse(1, testStep), nil)
		failing, sound := true, f.log.file
		f.log.file = &faulty{disk: sound, fail: func(octets []byte) (int, error) {
			if !failing {
				return 0, nil
			}
			if len(octets) != frame {
				return 0, fmt.Errorf("a write of %d octets", len(octets))
			}
			return written, syscall.ENOSPC
		}}
		if err := f.Use(context.Background(), testUse(2, testStep)); !errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), "full disk") {
			t.Fatalf("%d octets: %v", written, err)
		}
		killed := asKilled(t, path)
		want := ErrReplayed
		if written > lengthZeros && written < frame {
			want = ErrLost
		}
		if lost := killed.Lost() != ""; lost != (want == ErrLost) {
			t.Fatalf("killed after %d octets: %q", written, killed.Lost())
		}
		wantErr(t, killed, testUse(1, testStep), want)
		failing = false
		// Shorter than the one that failed, something of which would stay behind it.
		if err := f.commit(nil, growth{any: true, reach: 2}); err != nil {
			t.Fatal(err)
		}
		wantErr(t, asKilled(t, path), testUse(1, testStep), ErrReplayed)
		for _, u := range []Use{testUse(2, testStep), testUse(3, testStep)} {
			wantErr(t, f, u, nil)
		}
		after := asKilled(t, path)
		if after.Lost() != "" {
			t.Fatalf("after %d octets: %s", written, after.Lost())
		}
		for n := 1; n <= 3; n++ {
			wantErr(t, f, testUse(n, testStep), ErrReplayed)
			wantErr(t, after, testUse(n, testStep), ErrReplayed)
		}
		wantErr(t, after, testUse(4, testStep), nil)
	}
}

// The name of a domain that a failed write has not told is told by the next one.
func TestWriteFailsWithANewDomain(t *testing.T) {
	path := filepath.Join(t.TempDir(), "replay.db")
	f := openTest(t, path)
	failing, sound := true, f.log.file
	f.log.file = &faulty{disk: sound, fail: func([]byte) (int, error) {
		if failing {
			return 0, syscall.EIO
		}
		return 0, nil
	}}
	wantErr(t, f, testUse(1, testStep), syscall.EIO)
	failing = false
	other := testUse(2, testStep)
	other.Domain = "example.net"
	wantErr(t, f, other, nil)
	wantErr(t, f, testUse(3, testStep), nil)
	after := asKilled(t, path)
	wantErr(t, after, other, ErrReplayed)
	wantErr(t, after, testUse(3, testStep), ErrReplayed)
	wantErr(t, after, testUse(2, testStep), nil)
	wantErr(t, after, testUse(1, testStep), nil)
}

// What was written but not confirmed by the disk may count as used after a restart, and once only before it.
func TestWriteFailsAfterAll(t *testing.T) {
	path := filepath.Join(t.TempDir(), "replay.db")
	f := openTest(t, path)
	failing, sound := true, f.log.file
	f.log.file = &faulty{disk: sound, fail: func(octets []byte) (int, error) {
		if failing {
			return len(octets), syscall.EIO
		}
		return 0, nil
	}}
	wantErr(t, f, testUse(1, testStep), syscall.EIO)
	wantErr(t, asKilled(t, path), testUse(1, testStep), ErrReplayed)
	failing = false
	wantErr(t, f, testUse(1, testStep), nil)
	wantErr(t, f, testUse(1, testStep), ErrReplayed)
	wantErr(t, asKilled(t, path), testUse(1, testStep), ErrReplayed)
}
