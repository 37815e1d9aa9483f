package replay_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"go.etcd.io/bbolt"

	"xtokend/auth/replay"
)

const pageBytes = 4096

// crowded returns the octets of a file that was not closed, of some pages and two levels, with uses of two steps.
func crowded(t *testing.T) []byte {
	t.Helper()
	path := filepath.Join(t.TempDir(), "replay.db")
	store := openFile(t, path, options(thisBoot, start))
	errs := make(chan error)
	const uses = 400
	for n := range uses {
		u := use(n, start+int64(n%2))
		u.Window = use(0, start).Window
		go func() { errs <- store.Use(context.Background(), u) }()
	}
	for range uses {
		if err := <-errs; err != nil {
			t.Fatal(err)
		}
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// wantFound opens a file of these octets, which must be set aside.
func wantFound(t *testing.T, data []byte) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "replay.db")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	store := openFile(t, path, options(thisBoot, start))
	wantUse(t, store, use(1, start+1), replay.ErrLost)
	asideOf(t, path, store)
}

// pagesOf returns the offsets of the pages of a bbolt file that have a flag and an element.
func pagesOf(data []byte, flag uint16) []int {
	var offsets []int
	for at := 0; at+pageBytes <= len(data); at += pageBytes {
		if binary.NativeEndian.Uint16(data[at+8:]) == flag && binary.NativeEndian.Uint16(data[at+10:]) > 0 {
			offsets = append(offsets, at)
		}
	}
	return offsets
}

const (
	branchFlag = 1
	leafFlag   = 2
)

// reachable tells whether a store notices zeros in the place of a page, so that the page is one in use.
func reachable(t *testing.T, data []byte, at int) bool {
	t.Helper()
	path := filepath.Join(t.TempDir(), "replay.db")
	zeroed := append([]byte(nil), data...)
	clear(zeroed[at : at+pageBytes])
	if err := os.WriteFile(path, zeroed, 0o600); err != nil {
		t.Fatal(err)
	}
	return openFile(t, path, options(thisBoot, start)).Lost() != ""
}

// bbolt's checker would follow what a page says out of the file, and no caller could catch that.
func TestFilePageOutOfBounds(t *testing.T) {
	data := crowded(t)
	const overflow, firstElement = 12, 16
	cases := []struct {
		name   string
		flag   uint16
		offset int
	}{
		{"a leaf that goes on", leafFlag, overflow},
		{"a branch that goes on", branchFlag, overflow},
		{"a key of a leaf", leafFlag, firstElement + 4},
		{"a key size of a leaf", leafFlag, firstElement + 8},
		{"a value of a leaf", leafFlag, firstElement + 12},
		{"a key of a branch", branchFlag, firstElement},
		{"a key size of a branch", branchFlag, firstElement + 4},
		{"a child of a branch", branchFlag, firstElement + 8},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			tried := 0
			for _, at := range pagesOf(data, c.flag) {
				if !reachable(t, data, at) {
					continue
				}
				tried++
				damaged := append([]byte(nil), data...)
				binary.NativeEndian.PutUint32(damaged[at+c.offset:], 0x3fffff00)
				wantFound(t, damaged)
			}
			if tried == 0 {
				t.Fatal("the file has no such page")
			}
		})
	}
}

// commits returns a file as it was after each of some commits.
func commits(t *testing.T) [][]byte {
	t.Helper()
	path := filepath.Join(t.TempDir(), "replay.db")
	store := openFile(t, path, options(thisBoot, start))
	var all [][]byte
	for n := range 6 {
		u := use(n, start)
		for i := 8; i < len(u.ID); i++ {
			u.ID[i] = 0xA7
		}
		wantUse(t, store, u, nil)
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, data)
	}
	return all
}

// A meta page that the disk has not written leaves bbolt with a state before the last commit.
func TestFileStaleMeta(t *testing.T) {
	all := commits(t)
	for page := range 2 {
		stale := append([]byte(nil), all[len(all)-1]...)
		copy(stale[page*pageBytes:(page+1)*pageBytes], all[0][page*pageBytes:])
		wantFound(t, stale)
	}
}

func TestFileDamagedMeta(t *testing.T) {
	all := commits(t)
	for _, data := range all[len(all)-2:] { // the last commit is on one page, then on the other
		for page := range 2 {
			for at := range 64 {
				damaged := append([]byte(nil), data...)
				damaged[page*pageBytes+16+at] ^= 1
				wantFound(t, damaged)
			}
		}
	}
}

func TestFileDamagedID(t *testing.T) {
	all := commits(t)
	data := all[len(all)-1]
	id := append(make([]byte, 8), bytes.Repeat([]byte{0xA7}, 24)...) // of the first use
	if !bytes.Contains(data, id) {
		t.Fatal("the file does not hold the id as it is")
	}
	other := append(bytes.Clone(id[:31]), 0xA6)
	wantFound(t, bytes.ReplaceAll(data, id, other))
}

// A record that is gone without a trace in its page is missed by the count.
func TestFileMissingRecord(t *testing.T) {
	path := leftOpen(t)
	db, err := bbolt.Open(path, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	err = db.Update(func(tx *bbolt.Tx) error {
		uses := tx.Bucket([]byte("domains")).Bucket([]byte("example.org")).Bucket([]byte("uses"))
		step, _ := uses.Cursor().First()
		ids := uses.Bucket(step)
		id, _ := ids.Cursor().First()
		return ids.Delete(id)
	})
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
	store := openFile(t, path, options(thisBoot, start))
	wantUse(t, store, use(1, start), replay.ErrLost)
	asideOf(t, path, store)
}

func TestFileDamagedRevocation(t *testing.T) {
	data, err := os.ReadFile(leftOpen(t))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(data, []byte("bob")) {
		t.Fatal("the file does not hold the user as it is")
	}
	wantFound(t, bytes.ReplaceAll(data, []byte("bob"), []byte("bab")))
}
