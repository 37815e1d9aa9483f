package boltfile

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"

	"go.etcd.io/bbolt"
)

// CheckBounds finds a file cut short, a page that claims to go on beyond the last one, one that has an element beyond its
// own end, and one that is reached by two ways or by none that exists. The file is the one that the database has open.
func CheckBounds(db *bbolt.DB, file *os.File) error {
	if err := checkLength(db, file); err != nil {
		return err
	}
	return checkElements(db, file)
}

func checkLength(db *bbolt.DB, file *os.File) error {
	return db.View(func(tx *bbolt.Tx) error {
		info, err := file.Stat()
		if err == nil && info.Size() < tx.Size() {
			err = fmt.Errorf("the file has %d octets of %d", info.Size(), tx.Size())
		}
		return err
	})
}

// CheckPages finds pages out of order, used twice or not at all. bbolt's checker runs in a goroutine of its own, where
// neither a panic nor a fault can be caught: [CheckBounds] must have found nothing before.
func CheckPages(db *bbolt.DB) error {
	return db.View(func(tx *bbolt.Tx) error {
		var first error
		for err := range tx.Check(bbolt.WithKVStringer(untold{})) { // to its end: the checker would wait for ever
			if first == nil {
				first = err
			}
		}
		return first
	})
}

// untold keeps names of users out of the checker's errors.
type untold struct{}

func (untold) KeyToString([]byte) string   { return "…" }
func (untold) ValueToString([]byte) string { return "…" }

// Layout of a bbolt page: id (8 octets), flags (2), count (2), overflow (4), then an index of count elements. One of a
// branch is position (4), key size (4), page (8); one of a leaf is flags (4), position (4), key size (4), value size (4).
// A position counts from its own element. The value of a bucket is its root page (8; 0 if the bucket is in the value
// itself), its sequence (8), and in the latter case a leaf.
const (
	pageHeaderBytes   = 16
	elementBytes      = 16
	bucketHeaderBytes = 16

	flagBucket   = 1 // of an element
	flagLeafPage = 2

	typeBranch = "branch"
	typeLeaf   = "leaf"
	typeFree   = "free"
)

func checkElements(db *bbolt.DB, file *os.File) error {
	return db.View(func(tx *bbolt.Tx) error {
		size := int64(db.Info().PageSize)
		pages := tx.Size() / size
		begin := make(map[uint64]bool) // branches and leaves
		references := map[uint64]int{uint64(tx.Cursor().Bucket().Root()): 1}
		for id := int64(0); id < pages; id++ {
			page, err := tx.Page(int(id))
			if err != nil || page == nil {
				return errors.Join(fmt.Errorf("page %d cannot be read", id), err)
			}
			if page.Type == typeFree {
				continue
			}
			next := id + int64(page.OverflowCount) + 1
			if next > pages {
				return fmt.Errorf("page %d goes on beyond the end of the file", id)
			}
			if page.Type == typeBranch || page.Type == typeLeaf {
				octets := make([]byte, (next-id)*size)
				if _, err := file.ReadAt(octets, id*size); err != nil {
					return err
				}
				if !visit(octets, page.Count, page.Type == typeBranch, references) {
					return fmt.Errorf("page %d has an element beyond its end", id)
				}
				begin[uint64(id)] = true
			}
			id = next - 1
		}
		// A page that is referred to once only, and all of them are, cannot be its own descendant: bbolt would never end.
		for id, n := range references {
			if !begin[id] || n > 1 {
				return fmt.Errorf("page %d cannot be what %d others refer to", id, n)
			}
		}
		return nil
	})
}

// visit counts the references of a page, and returns false if an element lies beyond its end.
func visit(page []byte, count int, branch bool, references map[uint64]int) bool {
	if branch && count == 0 || pageHeaderBytes+count*elementBytes > len(page) {
		return false
	}
	for i := range count {
		at := int64(pageHeaderBytes + i*elementBytes)
		element := page[at : at+elementBytes]
		field := func(n int) int64 { return int64(binary.NativeEndian.Uint32(element[4*n:])) }
		if branch {
			if at+field(0)+field(1) > int64(len(page)) {
				return false
			}
			references[binary.NativeEndian.Uint64(element[8:])]++
			continue
		}
		value := at + field(1) + field(2)
		if value+field(3) > int64(len(page)) {
			return false
		}
		if field(0)&flagBucket == 0 {
			continue
		}
		if field(3) < bucketHeaderBytes {
			return false
		}
		bucket := page[value : value+field(3)]
		if root := binary.NativeEndian.Uint64(bucket); root != 0 {
			references[root]++
		} else if !visitInline(bucket[bucketHeaderBytes:], references) {
			return false
		}
	}
	return true
}

// visitInline is [visit] for the page of a bucket that is in the value itself.
func visitInline(page []byte, references map[uint64]int) bool {
	if len(page) < pageHeaderBytes || binary.NativeEndian.Uint16(page[8:]) != flagLeafPage {
		return false
	}
	return visit(page, int(binary.NativeEndian.Uint16(page[10:])), false, references)
}
