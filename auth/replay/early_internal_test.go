package replay

import (
	"context"
	"errors"
	"path/filepath"
	"syscall"
	"testing"
)

// Nothing is written before somebody waits; then all that is there is, in one write.
func TestEarlyUsesShareAWrite(t *testing.T) {
	path := filepath.Join(t.TempDir(), "replay.db")
	f := openTest(t, path)
	writes := 0
	f.log.file = &faulty{disk: f.log.file, fail: func([]byte) (int, error) { writes++; return 0, nil }}
	var receipts []Receipt
	for n := range 8 {
		receipt, err := f.UseEarly(context.Background(), testUse(n, testStep))
		if err != nil {
			t.Fatal(err)
		}
		receipts = append(receipts, receipt)
		if _, err := f.UseEarly(context.Background(), testUse(n, testStep)); !errors.Is(err, ErrReplayed) {
			t.Fatalf("while it is not written yet: %v", err)
		}
	}
	for _, receipt := range receipts {
		if err := receipt.Wait(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
	if writes != 1 {
		t.Errorf("%d writes, want 1", writes)
	}
	killed := asKilled(t, path)
	for n := range receipts {
		wantErr(t, killed, testUse(n, testStep), ErrReplayed)
	}
}

// What nobody waits for is written at the end, and who waits later is told so.
func TestCloseWritesWhatNobodyWaitsFor(t *testing.T) {
	path := filepath.Join(t.TempDir(), "replay.db")
	f := openTest(t, path)
	receipt, err := f.UseEarly(context.Background(), testUse(1, testStep))
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if err := receipt.Wait(context.Background()); err != nil {
		t.Errorf("after Close: %v", err)
	}
	wantErr(t, openTest(t, path), testUse(1, testStep), ErrReplayed)
}

// A write that fails refuses all that it was to take along, whoever has begun it.
func TestAFailedWriteRefusesEarlyUses(t *testing.T) {
	f := openTest(t, filepath.Join(t.TempDir(), "replay.db"))
	healthy := f.log.file
	f.log.file = &faulty{disk: healthy, fail: func([]byte) (int, error) { return 0, syscall.ENOSPC }}
	first, err := f.UseEarly(context.Background(), testUse(1, testStep))
	if err != nil {
		t.Fatal(err)
	}
	wantErr(t, f, testUse(2, testStep), syscall.ENOSPC)
	if err := first.Wait(context.Background()); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("of the first: %v", err)
	}
	f.log.file = healthy
	wantErr(t, f, testUse(1, testStep), nil)
}
