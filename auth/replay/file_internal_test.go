package replay

import (
	"context"
	"encoding/binary"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// While the disk does not answer, the context ends the wait; the use is recorded all the same and cannot be used later.
func TestContextBoundsTheWait(t *testing.T) {
	f, err := OpenFile(filepath.Join(t.TempDir(), "replay.db"), FileOptions{})
	if err != nil {
		t.Fatal(err)
	}
	stuck := make(chan struct{})
	f.log.file = &faulty{disk: f.log.file, fail: func([]byte) (int, error) {
		<-stuck
		return 0, nil
	}}
	ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
	defer cancel()
	u := Use{Domain: "example.org", Address: "alice", Step: 100, Window: Window{First: 99, Current: 100, Last: 101}}
	if err := f.Use(ctx, u); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("use: %v", err)
	}
	if err := f.Revoke(ctx, Revocation{Domain: "example.org", Address: "bob", Through: 101, Window: u.Window}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("revocation: %v", err)
	}
	close(stuck)
	if err := f.Use(context.Background(), u); !errors.Is(err, ErrReplayed) {
		t.Errorf("again: %v", err)
	}
	u.Address, u.ID[0] = "bob", 1
	if err := f.Use(context.Background(), u); !errors.Is(err, ErrRevoked) {
		t.Errorf("revoked user: %v", err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

// Where the kernel tells no boot id, an unclean end counts as one before another boot.
func TestNoBootIDIsNotTrusted(t *testing.T) {
	path := filepath.Join(t.TempDir(), "replay.db")
	for _, lost := range []bool{false, true} {
		f := newFile(path, FileOptions{})
		if err := f.open(FileOptions{Now: time.Now, LockTimeout: time.Second}); err != nil {
			t.Fatal(err)
		}
		if err := f.log.file.Close(); err != nil {
			t.Fatal(err)
		}
		if (f.lost != "") != lost {
			t.Fatalf("lost: %q, want %t", f.lost, lost)
		}
	}
}

// What a refused use has let go is written at the end, or the end says that it was not.
func TestCloseTellsOfAFailedCommit(t *testing.T) {
	f, err := OpenFile(filepath.Join(t.TempDir(), "replay.db"), FileOptions{})
	if err != nil {
		t.Fatal(err)
	}
	u := Use{Domain: "example.org", Address: "alice", Step: 100, Window: Window{First: 99, Current: 100, Last: 101}}
	if err := f.Use(context.Background(), u); err != nil {
		t.Fatal(err)
	}
	u.Window = Window{First: 101, Current: 102, Last: 103}
	if err := f.Use(context.Background(), u); !errors.Is(err, ErrReleased) {
		t.Fatal(err)
	}
	if err := f.log.file.Close(); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err == nil || !strings.Contains(err.Error(), "records could not be written") {
		t.Fatalf("close: %v", err)
	}
}

// A use that could not be written takes no room.
func TestForgottenUsesTakeNoRoom(t *testing.T) {
	l := newLedger(2)
	u := Use{Domain: "example.org", Address: "alice", Step: 100, Window: Window{First: 99, Current: 100, Last: 101}}
	for n := range 10 {
		u.ID[0] = byte(n)
		if err := l.use(&u); err != nil {
			t.Fatalf("use %d: %v", n, err)
		}
		l.forget(&u)
	}
	for cycle := range 10 {
		u.Step += 10
		u.Window = Window{First: u.Step - 1, Current: u.Step, Last: u.Step + 1}
		u.ID[1] = byte(cycle)
		if err := l.use(&u); err != nil {
			t.Fatalf("cycle %d: %v", cycle, err)
		}
		if l.uses != 1 {
			t.Fatalf("cycle %d: %d uses are counted", cycle, l.uses)
		}
	}
}

func TestSpansAreBounded(t *testing.T) {
	var s spans
	const apart = 100_000
	for n := range int64(3 * maxSpans) {
		if n == 5 {
			continue
		}
		s = s.add(n*apart, n*apart)
		if n == 6 { // the narrowest gap so far
			s = s.add(n*apart-apart/2, n*apart-apart/2)
		}
		if len(s) > maxSpans {
			t.Fatalf("%d spans", len(s))
		}
	}
	for n := range int64(3 * maxSpans) {
		if _, held := s.find(n*apart, n*apart); !held && n != 5 {
			t.Errorf("step %d is lost", n*apart)
		}
	}
	if _, held := s.find(3*maxSpans*apart-apart-1, 3*maxSpans*apart-apart-1); held && len(s) > 1 {
		t.Error("the widest gap is gone while there are narrower ones")
	}
}

// The memory of a burst is given back, and what is live stays known.
func TestLedgerShrinks(t *testing.T) {
	const burst = 80_000
	l := newLedger(0)
	u := Use{Domain: "example.org", Address: "alice", Step: 100, Window: Window{First: 99, Current: 100, Last: 101}}
	for n := range burst {
		u.Step = 100
		if n%100 == 0 {
			u.Step = 101
		}
		binary.BigEndian.PutUint64(u.ID[:], uint64(n))
		if err := l.use(&u); err != nil {
			t.Fatal(err)
		}
	}
	u.Window = Window{First: 101, Current: 102, Last: 103}
	u.Step = 101
	binary.BigEndian.PutUint64(u.ID[:], 0)
	if err := l.use(&u); !errors.Is(err, ErrReplayed) {
		t.Fatal(err)
	}
	a := l.account(u.Domain)
	if a.peak != burst/100 || len(a.ids) != burst/100 || l.uses != burst/100 || a.spare != nil {
		t.Errorf("%d of %d uses, %d counted, peak %d, %d buckets spare", len(a.ids), burst/100, l.uses, a.peak, len(a.spare))
	}
	for n := 0; n < burst; n += 100 {
		binary.BigEndian.PutUint64(u.ID[:], uint64(n))
		if err := l.use(&u); !errors.Is(err, ErrReplayed) {
			t.Fatalf("use %d: %v", n, err)
		}
	}
}
