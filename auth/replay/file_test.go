package replay_test

import (
	"context"
	"encoding/binary"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"xtokend/auth/replay"
)

const (
	thisBoot = "boot-1"
	nextBoot = "boot-2"
	start    = int64(100) // step at which the tests open their stores
)

func options(boot string, step int64) replay.FileOptions {
	return replay.FileOptions{
		BootID:      boot,
		Now:         func() time.Time { return time.Unix(step*replay.StepSeconds, 0) },
		LockTimeout: 100 * time.Millisecond,
	}
}

func use(n int, step int64) replay.Use {
	u := replay.Use{
		Domain:  "example.org",
		Address: "alice",
		Step:    step,
		Window:  replay.Window{First: step - 1, Current: step, Last: step + 1},
	}
	for i := range u.ID {
		u.ID[i] = 0xA7
	}
	binary.BigEndian.PutUint64(u.ID[:], uint64(n))
	return u
}

func wantUse(t *testing.T, store replay.Store, u replay.Use, want error) {
	t.Helper()
	if err := store.Use(context.Background(), u); !errors.Is(err, want) {
		t.Fatalf("use of step %d: %v, want %v", u.Step, err, want)
	}
}

// leftOpen returns the path of a file with two uses and a revocation that was not closed during thisBoot.
func leftOpen(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "replay.db")
	store := openFile(t, path, options(thisBoot, start))
	wantUse(t, store, use(1, start), nil)
	wantUse(t, store, use(2, start+1), nil)
	revocation := replay.Revocation{Domain: "example.org", Address: "bob", Through: start + 1, Window: use(0, start).Window}
	if err := store.Revoke(context.Background(), revocation); err != nil {
		t.Fatal(err)
	}
	return copyFile(t, path)
}

// copyFile copies a store's file as it is on disk, as a process that is killed leaves it.
func copyFile(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	copied := filepath.Join(t.TempDir(), "replay.db")
	if err := os.WriteFile(copied, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return copied
}

func TestFileLeftOpen(t *testing.T) {
	cases := []struct {
		name string
		boot string
		lost bool
	}{
		{"the same boot", thisBoot, false},
		{"another boot", nextBoot, true},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			store := openFile(t, leftOpen(t), options(c.boot, start))
			if got := store.Lost() != ""; got != c.lost {
				t.Fatalf("Lost: %q", store.Lost())
			}
			if !c.lost {
				wantUse(t, store, use(1, start), replay.ErrReplayed)
				wantUse(t, store, use(3, start), nil)
				return
			}
			wantUse(t, store, use(1, start), replay.ErrLost)
			wantUse(t, store, use(3, start), replay.ErrLost)
			// The file has a use of start+1, and windows have reached a step beyond their clock.
			wantUse(t, store, use(4, start+2), replay.ErrLost)
			wantUse(t, store, use(5, start+3), nil)
		})
	}
}

// A wider window admits later tokens, so later ones may have been used.
func TestFileLostCoversTheWindow(t *testing.T) {
	store := openFile(t, leftOpen(t), options(nextBoot, start))
	late := use(3, start+600)
	late.Window = replay.Window{First: start - 1, Current: start, Last: start + 601}
	wantUse(t, store, late, replay.ErrLost)
	late.Step = start + 601
	wantUse(t, store, late, replay.ErrLost)
	late.Step, late.Window.Current = start+602, start+1
	late.Window.Last = start + 602
	wantUse(t, store, late, replay.ErrLost)
	late.Step, late.Window.Current = start+603, start+2
	late.Window.Last = start + 603
	wantUse(t, store, late, nil)
}

func TestFileLostOutlivesARestart(t *testing.T) {
	path := leftOpen(t)
	store := openFile(t, path, options(nextBoot, start))
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	store = openFile(t, path, options(nextBoot, start+1))
	if store.Lost() != "" {
		t.Fatalf("lost again: %s", store.Lost())
	}
	wantUse(t, store, use(3, start+2), replay.ErrLost)
	wantUse(t, store, use(3, start+3), nil)
}

func TestFileWithoutBootID(t *testing.T) {
	if _, err := os.Stat("/proc/sys/kernel/random/boot_id"); err != nil {
		t.Fatalf("the kernel tells no boot id: %v", err)
	}
	path := leftOpen(t)
	store := openFile(t, path, options("", start)) // the kernel's, which is none of ours
	if store.Lost() == "" {
		t.Fatal("nothing was lost")
	}
	again := openFile(t, copyFile(t, path), options("", start))
	if again.Lost() != "" {
		t.Fatalf("lost in the same boot: %s", again.Lost())
	}
}

func TestFileMode(t *testing.T) {
	path := filepath.Join(t.TempDir(), "replay.db")
	openFile(t, path, options(thisBoot, start))
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o600 {
		t.Fatalf("mode %v", info.Mode())
	}
}

func TestFileRefusals(t *testing.T) {
	cases := []struct {
		name string
		make func(t *testing.T) string
		want string
	}{
		{"held by another", func(t *testing.T) string {
			path := filepath.Join(t.TempDir(), "replay.db")
			openFile(t, path, options(thisBoot, start))
			return path
		}, "another xtokend holds"},
		{"no directory", func(t *testing.T) string { return filepath.Join(t.TempDir(), "none", "replay.db") }, "make the directory"},
		{"a link to nothing", func(t *testing.T) string {
			link := filepath.Join(t.TempDir(), "link.db")
			if err := os.Symlink("nothing.db", link); err != nil {
				t.Fatal(err)
			}
			return link
		}, "leads nowhere"},
		{"a directory", func(t *testing.T) string { return t.TempDir() }, "not a regular file"},
		{"a database of something else", func(t *testing.T) string {
			path := filepath.Join(t.TempDir(), "other.db")
			db, err := bbolt.Open(path, 0o600, nil)
			if err != nil {
				t.Fatal(err)
			}
			err = db.Update(func(tx *bbolt.Tx) error { _, err := tx.CreateBucket([]byte("rooms")); return err })
			if err := errors.Join(err, db.Close()); err != nil {
				t.Fatal(err)
			}
			return path
		}, "database of another program"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			store, err := replay.OpenFile(c.make(t), options(thisBoot, start))
			if err == nil {
				_ = store.Close()
				t.Fatal("opened")
			}
			if !strings.Contains(err.Error(), c.want) {
				t.Fatalf("%v, want %q in it", err, c.want)
			}
		})
	}
}

func TestFileDamaged(t *testing.T) {
	cases := []struct {
		name   string
		damage func(data []byte) []byte
	}{
		{"not a database", func([]byte) []byte { return []byte("replay = \"here\"\n") }},
		{"zeros", func(data []byte) []byte { return make([]byte, len(data)) }},
		{"cut in its header", func(data []byte) []byte { return data[:10] }},
		{"cut behind its header", func(data []byte) []byte { return data[:framesOf(data)[0]] }},
		{"newer format", func(data []byte) []byte {
			return []byte(strings.Replace(string(data), "xtokend replay log 1", "xtokend replay log 2", 1))
		}},
		{"another line end", func(data []byte) []byte {
			return []byte(strings.Replace(string(data), "xtokend replay log 1\n", "xtokend replay log 1\r", 1))
		}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			path := leftOpen(t)
			data, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			damaged := c.damage(data)
			if err := os.WriteFile(path, damaged, 0o600); err != nil {
				t.Fatal(err)
			}
			store := openFile(t, path, options(thisBoot, start))
			wantUse(t, store, use(1, start), replay.ErrLost)
			wantUse(t, store, use(3, start+3), nil)
			wantUse(t, store, use(3, start+3), replay.ErrReplayed)
			kept, err := os.ReadFile(asideOf(t, path, store))
			if err != nil || string(kept) != string(damaged) {
				t.Fatalf("the damaged file was not kept: %v", err)
			}
		})
	}
}

// asideOf returns the one file that was set aside, which Lost must name.
func asideOf(t *testing.T, path string, store *replay.File) string {
	t.Helper()
	aside, err := filepath.Glob(path + ".*.damaged")
	if err != nil || len(aside) != 1 {
		t.Fatalf("set aside: %v, %v", aside, err)
	}
	if !strings.Contains(store.Lost(), aside[0]) {
		t.Fatalf("Lost does not name %s: %s", aside[0], store.Lost())
	}
	return aside[0]
}

func TestFileDamagedTwiceAtOneTime(t *testing.T) {
	path := filepath.Join(t.TempDir(), "replay.db")
	for range 3 {
		if err := os.WriteFile(path, []byte("garbage"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := openFile(t, path, options(thisBoot, start)).Close(); err != nil {
			t.Fatal(err)
		}
	}
	if aside, err := filepath.Glob(path + ".*.damaged"); len(aside) != 3 {
		t.Fatalf("%v, %v", aside, err)
	}
}

func TestFileEmptied(t *testing.T) {
	path := filepath.Join(t.TempDir(), "replay.db")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	store := openFile(t, path, options(thisBoot, start))
	wantUse(t, store, use(1, start), replay.ErrLost)
	wantUse(t, store, use(1, start+2), nil)
}

// Any single bit that changes on disk is found.
func TestFileBitFlips(t *testing.T) {
	data, err := os.ReadFile(leftOpen(t))
	if err != nil {
		t.Fatal(err)
	}
	frames := framesOf(data)
	end := frames[len(frames)-1]
	path := filepath.Join(t.TempDir(), "replay.db")
	for at := 0; at < len(data); at++ {
		if at >= end+16 {
			at += 30_011 // nothing but zeros; a prime
		}
		at = min(at, len(data)-1)
		data[at] ^= 1 << (at % 8)
		err := os.WriteFile(path, data, 0o600)
		data[at] ^= 1 << (at % 8)
		if err != nil {
			t.Fatal(err)
		}
		store, err := replay.OpenFile(path, options(thisBoot, start))
		if err != nil {
			t.Fatalf("octet %d: %v", at, err)
		}
		for n, u := range []replay.Use{use(1, start), use(2, start+1)} {
			if err := store.Use(context.Background(), u); err == nil {
				t.Errorf("octet %d: token %d was admitted again", at, n+1)
			}
		}
		bob := use(3, start+1)
		bob.Address = "bob"
		if err := store.Use(context.Background(), bob); err == nil {
			t.Errorf("octet %d: the revocation is forgotten", at)
		}
		if !strings.Contains(store.Lost(), "damaged") {
			t.Errorf("octet %d: the flip was not found", at)
		}
		if err := store.Close(); err != nil {
			t.Errorf("octet %d: %v", at, err)
		}
	}
}

func TestFileCutWhileOpen(t *testing.T) {
	path := filepath.Join(t.TempDir(), "replay.db")
	store, err := replay.OpenFile(path, options(thisBoot, start))
	if err != nil {
		t.Fatal(err)
	}
	wantUse(t, store, use(1, start), nil)
	if err := os.Truncate(path, 0); err != nil {
		t.Fatal(err)
	}
	for n := 2; n < 5; n++ {
		if err := store.Use(context.Background(), use(n, start)); err == nil {
			t.Fatal("admitted without a record")
		}
	}
	if err := store.Close(); err == nil {
		t.Error("closed as if nothing were wrong")
	}
	again := openFile(t, copyFile(t, path), options(thisBoot, start))
	wantUse(t, again, use(1, start), replay.ErrLost)
}

// What is kept of a name is its length in two octets.
func TestFileLongNames(t *testing.T) {
	path := filepath.Join(t.TempDir(), "replay.db")
	store := openFile(t, path, options(thisBoot, start))
	const longest = 16 << 10
	for n, length := range []int{longest, longest + 1} {
		u := use(1, start)
		u.Domain = strings.Repeat("d", length)
		r := replay.Revocation{Domain: "example.org", Address: strings.Repeat("a", length), Through: start, Window: u.Window}
		used, revoked := store.Use(context.Background(), u), store.Revoke(context.Background(), r)
		if tooLong := n == 1; (used != nil) != tooLong || (revoked != nil) != tooLong {
			t.Fatalf("names of %d octets: %v, %v", length, used, revoked)
		}
	}
	again := openFile(t, copyFile(t, path), options(thisBoot, start))
	u := use(1, start)
	u.Domain = strings.Repeat("d", longest)
	wantUse(t, again, u, replay.ErrReplayed)
	u = use(2, start)
	u.Address = strings.Repeat("a", longest)
	wantUse(t, again, u, replay.ErrRevoked)
}

// The link goes on leading to the file.
func TestFileBehindALink(t *testing.T) {
	path := leftOpen(t)
	link := filepath.Join(t.TempDir(), "link.db")
	if err := os.Symlink(path, link); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		store := openFile(t, link, options(thisBoot, start))
		wantUse(t, store, use(1, start), replay.ErrReplayed)
		if err := store.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if info, err := os.Lstat(link); err != nil || info.Mode()&fs.ModeSymlink == 0 {
		t.Fatalf("the link: %v, %v", info, err)
	}
	wantUse(t, openFile(t, path, options(thisBoot, start)), use(1, start), replay.ErrReplayed)
}

func TestFileClosesTwice(t *testing.T) {
	store := openFile(t, filepath.Join(t.TempDir(), "replay.db"), replay.FileOptions{})
	for range 2 {
		if err := store.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := os.Stat(filepath.Join(t.TempDir(), "replay.db")); !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
}

// After a power failure the clock may be slow: it must not let in again what a lost record was about.
func TestFileLostWithASlowClock(t *testing.T) {
	path := filepath.Join(t.TempDir(), "replay.db")
	store := openFile(t, path, options(thisBoot, start))
	before := copyFile(t, path)
	wantUse(t, store, use(1, start+1), nil)
	after := copyFile(t, path)
	for _, slow := range []string{before, after} {
		store := openFile(t, slow, options(nextBoot, start-50))
		wantUse(t, store, use(1, start), replay.ErrLost)
	}
	wantUse(t, openFile(t, copyFile(t, after), options("boot-3", start-40)), use(2, start+1), replay.ErrLost)
}

// The zone that put steps far ahead is taken out of the settings before the restart.
func TestFileLostRemembersTheWidestWindow(t *testing.T) {
	path := filepath.Join(t.TempDir(), "replay.db")
	store := openFile(t, path, options(thisBoot, start))
	wide := use(1, start)
	wide.Window.Last = start + 600
	wantUse(t, store, wide, nil)
	copied := copyFile(t, path)
	later := openFile(t, copied, options(nextBoot, start))
	wantUse(t, later, use(2, start+600), replay.ErrLost)
	wantUse(t, later, use(2, start+601), nil)
}

func TestFileLostMarkNeverSinks(t *testing.T) {
	path := leftOpen(t)
	if err := openFile(t, path, options(nextBoot, start+1000)).Close(); err != nil {
		t.Fatal(err)
	}
	store := openFile(t, path, options(nextBoot, start))
	wantUse(t, store, use(1, start+900), replay.ErrLost)
	again := openFile(t, copyFile(t, path), options("boot-3", start))
	wantUse(t, again, use(1, start+900), replay.ErrLost)
}

func TestFileLostMarkOfAWrongClock(t *testing.T) {
	const years = 10_000_000
	path := leftOpen(t)
	ahead := openFile(t, path, options(nextBoot, years))
	if strings.Contains(ahead.Lost(), "move") {
		t.Errorf("while the clock is ahead: %s", ahead.Lost())
	}
	if err := ahead.Close(); err != nil {
		t.Fatal(err)
	}
	until := time.Unix((years+2)*replay.StepSeconds, 0).UTC().Format(time.RFC3339)
	mended := openFile(t, path, options(nextBoot, start))
	for _, want := range []string{"steps before " + until, "stop xtokend, move " + path + " away"} {
		if !strings.Contains(mended.Lost(), want) {
			t.Errorf("%q is not in: %s", want, mended.Lost())
		}
	}
	err := mended.Use(context.Background(), use(1, start+10))
	var period *replay.PeriodError
	if !errors.Is(err, replay.ErrLost) || !errors.As(err, &period) || period.Until.Format(time.RFC3339) != until || !strings.Contains(err.Error(), until) {
		t.Errorf("%v, want %s in it", err, until)
	}
}

// A file that was once closed is marked as open again.
func TestFileLeftOpenAfterACleanClose(t *testing.T) {
	path := filepath.Join(t.TempDir(), "replay.db")
	if err := openFile(t, path, options(thisBoot, start)).Close(); err != nil {
		t.Fatal(err)
	}
	store := openFile(t, path, options(thisBoot, start))
	if store.Lost() != "" {
		t.Fatalf("after a clean close: %s", store.Lost())
	}
	if openFile(t, copyFile(t, path), options(nextBoot, start)).Lost() == "" {
		t.Fatal("nothing was lost")
	}
}
