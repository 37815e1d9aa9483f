package journal_test

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.etcd.io/bbolt"

	"xtokend/auth/replay"
	"xtokend/component/host/journal"
)

// written returns the octets of a file with the records of 200 users, changed in several commits.
func written(t *testing.T) []byte {
	t.Helper()
	path := newPath(t)
	j := open(t, path, journal.Options{})
	for round := range 4 {
		for n := range 200 {
			j.Put("rosters", user(n), fmt.Appendf(nil, "roster of round %d", round))
		}
		j.Put("vcards", user(round), bytes.Repeat([]byte{'v'}, 10_000))
		wait(t, j)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func user(n int) string { return fmt.Sprintf("user-%03d@example.org", n) }

// readAll returns what a file of these octets holds.
func readAll(path string) (records map[string]string, err error) {
	j, err := journal.Open(path, journal.Options{})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, j.Close()) }()
	records = make(map[string]string)
	for _, bucket := range []string{"rosters", "vcards"} {
		err := j.Load(bucket, func(key string, value []byte) error {
			records[bucket+" "+key] = string(value)
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return records, nil
}

func TestOpenRefuses(t *testing.T) {
	write := func(data []byte) func(t *testing.T, path string) {
		return func(t *testing.T, path string) {
			if err := os.WriteFile(path, data, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	good := written(t)
	cases := []struct {
		name string
		make func(t *testing.T, path string)
		want string
	}{
		{"a directory", func(t *testing.T, path string) {
			if err := os.Mkdir(path, 0o700); err != nil {
				t.Fatal(err)
			}
		}, "is not a regular file; name another path"},
		{"a socket", func(t *testing.T, path string) {
			l, err := net.Listen("unix", path)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = l.Close() })
		}, "is not a regular file; name another path"},
		{"a replay store", func(t *testing.T, path string) {
			store, err := replay.OpenFile(path, replay.FileOptions{})
			if err == nil {
				err = store.Close()
			}
			if err != nil {
				t.Fatal(err)
			}
		}, "damaged"},
		{"another program's database", func(t *testing.T, path string) {
			db, err := bbolt.Open(path, 0o600, nil)
			if err != nil {
				t.Fatal(err)
			}
			err = db.Update(func(tx *bbolt.Tx) error { _, err := tx.CreateBucket([]byte("photos")); return err })
			if err := errors.Join(err, db.Close()); err != nil {
				t.Fatal(err)
			}
		}, "database of something else; name another path"},
		// The key and the value of the version lie side by side in their page.
		{"a newer format", write(bytes.ReplaceAll(good, []byte("version1"), []byte("version2"))), "a format that this xtokend does not know"},
		{"a text", write([]byte("[[domain]]\nname = \"example.org\"\n")), "damaged"},
		{"zeros", write(make([]byte, len(good))), "damaged"},
		{"cut short", write(good[:3*4096]), "damaged"},
		{"cut in a page", write(good[:4096+100]), "damaged"},
		{"another name of a bucket", write(bytes.ReplaceAll(good, []byte("rosters"), []byte("roster5"))), "wrong checksum"},
		{"another user", write(bytes.ReplaceAll(good, []byte(user(117)), []byte("user-117@example.com"))), "wrong checksum"},
		{"another value", write(bytes.ReplaceAll(good, []byte("round 3"), []byte("round 8"))), "wrong checksum"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			path := newPath(t)
			c.make(t, path)
			before, _ := os.ReadFile(path)
			j, err := journal.Open(path, journal.Options{})
			if err == nil {
				_ = j.Close()
				t.Fatal("opened")
			}
			if !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), path) {
				t.Errorf("%v, want %q in it", err, c.want)
			}
			if strings.Contains(c.want, "damaged") && !strings.Contains(err.Error(), "restore it from a backup") {
				t.Errorf("it is not said what to do: %v", err)
			}
			if after, _ := os.ReadFile(path); !bytes.Equal(before, after) {
				t.Error("the file was changed")
			}
		})
	}
}

func TestOpenWithoutDirectory(t *testing.T) {
	_, err := journal.Open(filepath.Join(t.TempDir(), "none", "host.db"), journal.Options{})
	if err == nil || !strings.Contains(err.Error(), "make the directory") {
		t.Fatal(err)
	}
}

// A file that is there but empty is a new one: an administrator may have made it with the rights that it is to have.
func TestOpenEmptyFile(t *testing.T) {
	path := newPath(t)
	if err := os.WriteFile(path, nil, 0o640); err != nil {
		t.Fatal(err)
	}
	j := open(t, path, journal.Options{})
	j.Put("rosters", "alice", nil)
	wantRecords(t, reopened(t, j, path), "rosters", "alice=")
}

func TestSecondProcess(t *testing.T) {
	t.Parallel()
	path := newPath(t)
	j := open(t, path, journal.Options{})
	output, err := child(t, "write", path).Output()
	if err == nil || !strings.Contains(string(output), "is in use by another process") {
		t.Fatalf("%v: %s", err, output)
	}
	j.Put("rosters", "alice", nil) // the first one is not disturbed
	wait(t, j)
}

// A record that is gone without a trace in its page is missed by the count.
func TestMissingRecord(t *testing.T) {
	path := newPath(t)
	if err := os.WriteFile(path, written(t), 0o600); err != nil {
		t.Fatal(err)
	}
	db, err := bbolt.Open(path, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	err = db.Update(func(tx *bbolt.Tx) error {
		return tx.Bucket([]byte("records")).Bucket([]byte("rosters")).Delete([]byte(user(5)))
	})
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
	if _, err := readAll(path); err == nil || !strings.Contains(err.Error(), "199 records where 200 were written") {
		t.Fatal(err)
	}
}

// A bit that changes on disk is found, or changes nothing. It may take the last commit back if it hits one of the two
// meta pages: bbolt then takes the other, as after a power failure in the middle of a commit.
func TestBitFlips(t *testing.T) {
	data := written(t)
	dir := t.TempDir()
	const (
		metaPages = 2 * 4096
		apart     = 251 // octets between flips; a prime, so that all parts of records are met
	)
	found := 0
	for at := 0; at < len(data); at += apart {
		path := filepath.Join(dir, fmt.Sprintf("flip-%d.db", at)) // a new one: after a panic of bbolt the file stays locked
		bit := byte(1) << (at % 8)
		data[at] ^= bit
		err := os.WriteFile(path, data, 0o600)
		data[at] ^= bit
		if err != nil {
			t.Fatal(err)
		}
		records, err := readAll(path)
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		if err != nil {
			found++
			if !strings.Contains(err.Error(), "damaged") && !strings.Contains(err.Error(), "cannot use") {
				t.Errorf("octet %d: %v", at, err)
			}
			continue
		}
		old := at < metaPages
		if n := len(records); n != 204 && !(old && n == 203) {
			t.Errorf("octet %d: %d records", at, n)
		}
		for n := range 200 {
			if got := records["rosters "+user(n)]; got != "roster of round 3" && !(old && got == "roster of round 2") {
				t.Fatalf("octet %d: %s has %q", at, user(n), got)
			}
		}
	}
	if found == 0 {
		t.Error("no flip was found, so none hit a record")
	}
	t.Logf("%d of %d flips were found; the others hit unused space", found, len(data)/apart)
}
