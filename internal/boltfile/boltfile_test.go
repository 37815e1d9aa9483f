package boltfile_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.etcd.io/bbolt"

	"xtokend/internal/boltfile"
)

const pageBytes = 4096

// open makes a database of several pages, and returns it with its file.
func open(t *testing.T) (*bbolt.DB, *os.File) {
	t.Helper()
	var file *os.File
	db, err := bbolt.Open(filepath.Join(t.TempDir(), "test.db"), 0o600, &bbolt.Options{
		PageSize: pageBytes,
		OpenFile: func(name string, flag int, mode os.FileMode) (_ *os.File, err error) {
			file, err = os.OpenFile(name, flag, mode)
			return file, err
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	err = db.Update(func(tx *bbolt.Tx) error {
		b, err := tx.CreateBucket([]byte("users"))
		for n := 0; n < 1000 && err == nil; n++ {
			err = b.Put(fmt.Appendf(nil, "user-%04d", n), []byte("there"))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return db, file
}

func TestSound(t *testing.T) {
	db, file := open(t)
	if err := errors.Join(boltfile.CheckBounds(db, file), boltfile.CheckPages(db)); err != nil {
		t.Fatal(err)
	}
}

func TestCheckBoundsOfAShortFile(t *testing.T) {
	db, file := open(t)
	info, err := file.Stat()
	if err != nil {
		t.Fatal(err)
	}
	err = db.View(func(tx *bbolt.Tx) error { return file.Truncate(min(info.Size(), tx.Size()) - 1) })
	if err != nil {
		t.Fatal(err)
	}
	if err := boltfile.CheckBounds(db, file); err == nil || !strings.Contains(err.Error(), "octets of") {
		t.Errorf("a file that lacks an octet: %v", err)
	}
}

// page returns where the first page of a type begins that has elements.
func page(t *testing.T, db *bbolt.DB, kind string) (at int64) {
	t.Helper()
	err := db.View(func(tx *bbolt.Tx) error {
		for id := 0; ; id++ {
			p, err := tx.Page(id)
			if err != nil || p == nil {
				return fmt.Errorf("no %s page: %w", kind, err)
			}
			if p.Type == kind && p.Count > 0 {
				at = int64(id) * pageBytes
				return nil
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return at
}

func TestCheckBoundsOfPages(t *testing.T) {
	const overflow, firstElement, elementBytes = 12, 16, 16
	far := binary.NativeEndian.AppendUint32(nil, 0x3fffff00)
	cases := []struct {
		name   string
		kind   string
		offset int64
		octets func(data []byte) []byte // nil: far
		want   string
	}{
		{"a leaf that goes on", "leaf", overflow, nil, "beyond the end of the file"},
		{"a branch that goes on", "branch", overflow, nil, "beyond the end of the file"},
		{"a key of a leaf", "leaf", firstElement + 4, nil, "beyond its end"},
		{"a key size of a leaf", "leaf", firstElement + 8, nil, "beyond its end"},
		{"a value of a leaf", "leaf", firstElement + 12, nil, "beyond its end"},
		{"a key of a branch", "branch", firstElement, nil, "beyond its end"},
		{"a key size of a branch", "branch", firstElement + 4, nil, "beyond its end"},
		{"a child of a branch beyond the file", "branch", firstElement + 8, nil, "refer to"},
		{"a child that is no page of keys", "branch", firstElement + 8, func([]byte) []byte { return make([]byte, 8) }, "refer to"},
		{"a branch that is its own child", "branch", firstElement + 8, func(data []byte) []byte { return data[:8] }, "refer to"},
		{"a child that another is too", "branch", firstElement + 8, func(data []byte) []byte {
			return data[firstElement+elementBytes+8:][:8]
		}, "refer to"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			db, file := open(t)
			at, octets := page(t, db, c.kind), far
			if c.octets != nil {
				octets = c.octets(contents(t, file, at))
			}
			if _, err := file.WriteAt(octets, at+c.offset); err != nil {
				t.Fatal(err)
			}
			if err := boltfile.CheckBounds(db, file); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("%v, want %q in it", err, c.want)
			}
		})
	}
}

// A bucket whose root is damaged is not read before bbolt's checker does.
func TestCheckBoundsOfBuckets(t *testing.T) {
	cases := []struct {
		name string
		root uint64
	}{
		{"beyond the file", 0x3fffff00},
		{"a meta page", 1},
		{"the page that the bucket is in", 0}, // its id is found out
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			db, file := open(t)
			var root, users uint64
			err := db.View(func(tx *bbolt.Tx) error {
				root = uint64(tx.Cursor().Bucket().Root())
				users = uint64(tx.Bucket([]byte("users")).Root())
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			if c.root == 0 {
				c.root = root
			}
			at := int64(root) * pageBytes
			value := bytes.Index(contents(t, file, at), binary.NativeEndian.AppendUint64([]byte("users"), users))
			if value < 0 {
				t.Fatal("the bucket is not where it was looked for")
			}
			if _, err := file.WriteAt(binary.NativeEndian.AppendUint64(nil, c.root), at+int64(value+len("users"))); err != nil {
				t.Fatal(err)
			}
			if err := boltfile.CheckBounds(db, file); err == nil || !strings.Contains(err.Error(), "refer to") {
				t.Fatal(err)
			}
		})
	}
}

// A small bucket is in the value of the one it is in, as a page within that page.
func TestCheckBoundsOfInlineBuckets(t *testing.T) {
	const flags, count, firstElement = 8, 10, 16
	far := binary.NativeEndian.AppendUint32(nil, 0x3fffff00)
	cases := []struct {
		name   string
		offset int
		octets []byte
	}{
		{"a branch", flags, []byte{1, 0}},
		{"more elements than it has room for", count, []byte{0xff, 0xff}},
		{"a key", firstElement + 4, far},
		{"a key size", firstElement + 8, far},
		{"a value", firstElement + 12, far},
		{"a bucket without a header", firstElement, []byte{1}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			db, file := open(t)
			var root int64
			err := db.Update(func(tx *bbolt.Tx) error {
				b, err := tx.CreateBucket([]byte("few"))
				return errors.Join(err, b.Put([]byte("key"), []byte("value")))
			})
			if err == nil {
				err = db.View(func(tx *bbolt.Tx) error {
					root = int64(tx.Cursor().Bucket().Root())
					return nil
				})
			}
			if err != nil {
				t.Fatal(err)
			}
			value := bytes.Index(contents(t, file, root*pageBytes), append([]byte("few"), make([]byte, 8)...))
			if value < 0 {
				t.Fatal("the bucket is not where it was looked for")
			}
			const bucketHeader = 16
			at := root*pageBytes + int64(value+len("few")+bucketHeader+c.offset)
			if _, err := file.WriteAt(c.octets, at); err != nil {
				t.Fatal(err)
			}
			if err := boltfile.CheckBounds(db, file); err == nil || !strings.Contains(err.Error(), "beyond its end") {
				t.Fatal(err)
			}
		})
	}
}

func contents(t *testing.T, file *os.File, at int64) []byte {
	t.Helper()
	data := make([]byte, pageBytes)
	if _, err := file.ReadAt(data, at); err != nil {
		t.Fatal(err)
	}
	return data
}

// Keys are names of users: an error that tells of them would bring them into a log.
func TestCheckPagesTellsNoKey(t *testing.T) {
	db, file := open(t)
	at := page(t, db, "leaf")
	first := bytes.Index(contents(t, file, at), []byte("user-"))
	if _, err := file.WriteAt([]byte("zzzz"), at+int64(first)); err != nil {
		t.Fatal(err)
	}
	err := boltfile.CheckPages(db)
	if err == nil {
		t.Fatal("a key out of order was not found")
	}
	for _, told := range []string{"user-", "zzzz", fmt.Sprintf("%x", "user-"), fmt.Sprintf("%x", "zzzz")} {
		if strings.Contains(err.Error(), told) {
			t.Errorf("%q is in: %v", told, err)
		}
	}
}

func TestGuard(t *testing.T) {
	other := errors.New("something else")
	cases := []struct {
		name string
		do   func() error
		want error
	}{
		{"nothing", func() error { return nil }, nil},
		{"an error", func() error { return other }, other},
		{"a panic", func() error { panic("page 7") }, boltfile.ErrDamaged},
		{"a page that is gone", func() error {
			db, file := open(t)
			return db.View(func(tx *bbolt.Tx) error {
				if err := file.Truncate(0); err != nil {
					return err
				}
				tx.Bucket([]byte("users"))
				return nil
			})
		}, boltfile.ErrDamaged},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if err := boltfile.Guard(c.do); !errors.Is(err, c.want) {
				t.Fatalf("%v, want %v", err, c.want)
			}
		})
	}
}
