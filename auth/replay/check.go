package replay

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"os"

	"go.etcd.io/bbolt"
)

// Layout of a bbolt meta page: a header of 16 octets, then the meta, whose last 8 octets are the FNV-1a sum of the rest.
const (
	pageHeaderBytes = 16
	metaBytes       = 64
	metaTxOffset    = 48
	metaSumOffset   = 56
)

// checkMeta finds a meta page that is broken or that neither of the last two commits wrote: each writes the older of the
// two pages, with a transaction number that is one higher. bbolt would take the other one, with an earlier state.
func checkMeta(file *os.File, pageSize int64) error {
	var transactions [2]uint64
	for page := range int64(2) {
		meta := make([]byte, metaBytes)
		if _, err := file.ReadAt(meta, page*pageSize+pageHeaderBytes); err != nil {
			return err
		}
		sum := fnv.New64a()
		_, _ = sum.Write(meta[:metaSumOffset])
		if !bytes.Equal(meta[metaSumOffset:], binary.NativeEndian.AppendUint64(nil, sum.Sum64())) {
			return fmt.Errorf("meta page %d has a wrong checksum", page)
		}
		transactions[page] = binary.NativeEndian.Uint64(meta[metaTxOffset:])
	}
	if a, b := transactions[0], transactions[1]; a != b+1 && b != a+1 {
		return fmt.Errorf("the meta pages are of transactions %d and %d", a, b)
	}
	return nil
}

// checkLength finds a file cut short.
func checkLength(db *bbolt.DB, file *os.File) error {
	return db.View(func(tx *bbolt.Tx) error {
		info, err := file.Stat()
		if err == nil && info.Size() < tx.Size() {
			err = fmt.Errorf("the file has %d octets of %d", info.Size(), tx.Size())
		}
		return err
	})
}

// checkPages finds pages out of order, used twice or not at all.
func checkPages(db *bbolt.DB) error {
	return db.View(func(tx *bbolt.Tx) error {
		var first error
		for err := range tx.Check() { // to its end: the checker would wait for ever
			if first == nil {
				first = err
			}
		}
		return first
	})
}

// Layout of a bbolt page: id (8 octets), flags (2), count (2), overflow (4), then an index of count elements. One of a
// branch is position (4), key size (4), page (8); one of a leaf is flags (4), position (4), key size (4), value size (4).
// A position counts from its own element.
const (
	elementBytes = 16
	typeBranch   = "branch"
	typeLeaf     = "leaf"
	typeFree     = "free"
)

// checkBounds finds a page that claims to go on beyond the last one, or that has an element beyond its own end.
func checkBounds(db *bbolt.DB, file *os.File) error {
	return db.View(func(tx *bbolt.Tx) error {
		size := int64(db.Info().PageSize)
		pages := tx.Size() / size
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
				if !withinBounds(octets, page.Count, page.Type == typeBranch, pages) {
					return fmt.Errorf("page %d has an element beyond its end", id)
				}
			}
			id = next - 1
		}
		return nil
	})
}

func withinBounds(page []byte, count int, branch bool, pages int64) bool {
	if branch && count == 0 || pageHeaderBytes+count*elementBytes > len(page) {
		return false
	}
	for i := range count {
		at := pageHeaderBytes + i*elementBytes
		element := page[at : at+elementBytes]
		field := func(n int) int64 { return int64(binary.NativeEndian.Uint32(element[4*n:])) }
		var end int64
		if branch {
			end = field(0) + field(1)
			if child := binary.NativeEndian.Uint64(element[8:]); child >= uint64(pages) {
				return false
			}
		} else {
			end = field(1) + field(2) + field(3)
		}
		if int64(at)+end > int64(len(page)) {
			return false
		}
	}
	return true
}
