package replay_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.etcd.io/bbolt"

	"xtokend/auth/replay"
)

// framesOf returns where the frames of a log begin, and where the last one ends.
func framesOf(data []byte) (offsets []int) {
	const header = len("xtokend replay log 1\n") + 16
	at := header
	for {
		offsets = append(offsets, at)
		length := int(binary.BigEndian.Uint32(data[at:]))
		if length == 0 {
			return offsets
		}
		at += 8 + length
	}
}

// oneByOne returns the octets of a file that was not closed, with a frame for its beginning and one for each of some
// uses, the first of which has one more for its domain.
func oneByOne(t *testing.T, uses int) []byte {
	t.Helper()
	path := filepath.Join(t.TempDir(), "replay.db")
	store := openFile(t, path, options(thisBoot, start))
	for n := range uses {
		wantUse(t, store, use(n, start), nil)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// opened opens a file of these octets.
func opened(t *testing.T, data []byte) (path string, store *replay.File) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "replay.db")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path, openFile(t, path, options(thisBoot, start))
}

// wantFound opens a file of these octets, which must be set aside.
func wantFound(t *testing.T, data []byte) {
	t.Helper()
	path, store := opened(t, data)
	wantUse(t, store, use(1, start), replay.ErrLost)
	wantUse(t, store, use(1, start+1), replay.ErrLost)
	asideOf(t, path, store)
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
}

// A file cut anywhere in its records, or right behind the last one, is found; cut behind that it has lost nothing.
func TestFileCut(t *testing.T) {
	const uses = 3
	data := oneByOne(t, uses)
	frames := framesOf(data)
	end := frames[len(frames)-1]
	for length := 1; length < end+8; length++ {
		wantFound(t, data[:length])
	}
	for _, length := range []int{end + 8, end + 9, len(data) - 1, len(data)} {
		_, store := opened(t, data[:length])
		if store.Lost() != "" {
			t.Errorf("cut to %d octets, with records up to %d: %s", length, end, store.Lost())
		}
		for n := range uses {
			wantUse(t, store, use(n, start), replay.ErrReplayed)
		}
		wantUse(t, store, use(uses, start), nil)
	}
}

// Octets that the disk has not written are zeros.
func TestFileUnwritten(t *testing.T) {
	data := oneByOne(t, 100)
	frames := framesOf(data)
	end := frames[len(frames)-1]
	const sector = 512
	for at := 0; at < end; at += sector {
		damaged := bytes.Clone(data)
		clear(damaged[at : at+sector])
		// A frame begins with zeros, and what has none of the rest is the end of a log.
		if slices.ContainsFunc(frames, func(begin int) bool { return at-3 <= begin && begin <= at }) && at+sector >= end {
			t.Fatal("a frame begins with the last sector: choose another number of uses")
		}
		wantFound(t, damaged)
	}
	for n, at := range frames[:len(frames)-2] {
		damaged := bytes.Clone(data)
		clear(damaged[at:frames[n+1]])
		wantFound(t, damaged)
	}
}

// A frame stands for all before it.
func TestFileFramesOutOfPlace(t *testing.T) {
	data, other := oneByOne(t, 6), oneByOne(t, 6)
	frames := framesOf(data)
	end := frames[len(frames)-1]
	frame := func(data []byte, n int) []byte { return data[frames[n]:frames[n+1]] }
	if !slices.Equal(frames, framesOf(other)) || len(frame(data, 3)) != len(frame(data, 4)) || end != frames[7] {
		t.Fatalf("the frames are not as supposed: %v", frames)
	}
	before, after := data[:frames[3]], data[frames[5]:]
	cases := []struct {
		name   string
		middle [][]byte // in the place of frames 3 and 4
	}{
		{"two have changed places", [][]byte{frame(data, 4), frame(data, 3)}},
		{"one is missing", [][]byte{frame(data, 4)}},
		{"one is there twice", [][]byte{frame(data, 3), frame(data, 3), frame(data, 4)}},
		{"one is of another file", [][]byte{frame(other, 3), frame(data, 4)}},
		{"there is a gap", [][]byte{frame(data, 3), make([]byte, 8), frame(data, 4)}},
		{"an earlier one is in the place of a later", [][]byte{frame(data, 2), frame(data, 4)}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			wantFound(t, slices.Concat(before, slices.Concat(c.middle...), after))
		})
	}
	t.Run("what follows is of another file", func(t *testing.T) { wantFound(t, slices.Concat(before, other[frames[3]:])) })
	t.Run("one of another file is behind the last", func(t *testing.T) {
		wantFound(t, slices.Concat(data[:end], frame(other, 6), data[end:]))
	})
	t.Run("the last one is there twice", func(t *testing.T) {
		wantFound(t, slices.Concat(data[:end], frame(data, 6), data[end:]))
	})
	t.Run("as it was", func(t *testing.T) {
		_, store := opened(t, slices.Concat(before, frame(data, 3), frame(data, 4), after))
		wantUse(t, store, use(5, start), replay.ErrReplayed)
	})
}

func TestFileCrowd(t *testing.T) {
	path := filepath.Join(t.TempDir(), "replay.db")
	store := openFile(t, path, options(thisBoot, start))
	const uses = 3000 // more than one frame holds
	errs := make(chan error)
	for n := range uses {
		go func() { errs <- store.Use(context.Background(), use(n, start)) }()
	}
	for range uses {
		if err := <-errs; err != nil {
			t.Fatal(err)
		}
	}
	again := openFile(t, copyFile(t, path), options(thisBoot, start))
	if again.Lost() != "" {
		t.Fatal(again.Lost())
	}
	for n := range uses {
		wantUse(t, again, use(n, start), replay.ErrReplayed)
	}
	wantUse(t, again, use(uses, start), nil)
}

// former makes a file as xtokend wrote it before it wrote logs.
func former(t *testing.T, pages int) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "replay.db")
	db, err := bbolt.Open(path, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	step := make([]byte, 12)
	err = db.Update(func(tx *bbolt.Tx) error {
		meta, err := tx.CreateBucket([]byte("meta"))
		if err != nil {
			return err
		}
		domains, err := tx.CreateBucket([]byte("domains"))
		if err != nil {
			return err
		}
		for n := range pages * 100 {
			if err := domains.Put(binary.BigEndian.AppendUint64(nil, uint64(n)), make([]byte, 40)); err != nil {
				return err
			}
		}
		return errors.Join(
			meta.Put([]byte("boot"), []byte(thisBoot)),
			meta.Put([]byte("clean"), []byte("no")),
			meta.Put([]byte("opened"), step),
			meta.Put([]byte("reach"), step),
			meta.Put([]byte("version"), []byte("1")),
		)
	})
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
	return path
}

// Tokens that were used before an upgrade are not known after it.
func TestFileOfTheFormerFormat(t *testing.T) {
	for _, pages := range []int{1, 100} {
		path := former(t, pages)
		before, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		store := openFile(t, path, options(thisBoot, start))
		if !strings.Contains(store.Lost(), "earlier xtokend") || strings.Contains(store.Lost(), "damaged:") {
			t.Errorf("Lost: %s", store.Lost())
		}
		wantUse(t, store, use(1, start), replay.ErrLost)
		wantUse(t, store, use(2, start+2), nil)
		if kept, err := os.ReadFile(asideOf(t, path, store)); err != nil || !bytes.Equal(kept, before) {
			t.Fatalf("it was not kept as it was: %v", err)
		}
		if err := store.Close(); err != nil {
			t.Fatal(err)
		}
		again := openFile(t, path, options(thisBoot, start))
		if again.Lost() != "" {
			t.Fatal(again.Lost())
		}
		wantUse(t, again, use(1, start), replay.ErrLost)
	}
}
