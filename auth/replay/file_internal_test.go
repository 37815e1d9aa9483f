package replay

import (
	"context"
	"errors"
	"path/filepath"
	"testing"
	"time"
)

// While the disk does not answer, the context ends the wait; the use is recorded all the same and cannot be used later.
func TestContextBoundsTheWait(t *testing.T) {
	f, err := OpenFile(filepath.Join(t.TempDir(), "replay.db"), FileOptions{})
	if err != nil {
		t.Fatal(err)
	}
	stuck, err := f.db.Begin(true) // bbolt has one writer at a time
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
	defer cancel()
	u := Use{Domain: "example.org", Address: "alice", Step: 100, Window: Window{First: 99, Current: 100, Last: 101}}
	if err := f.Use(ctx, u); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("use: %v", err)
	}
	if err := f.Revoke(ctx, Revocation{Domain: "example.org", Address: "bob", Through: 101, Window: u.Window}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("revocation: %v", err)
	}
	if err := stuck.Rollback(); err != nil {
		t.Fatal(err)
	}
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
