package journal

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"

	"go.etcd.io/bbolt"
)

// The file:
//
//	journal                 version
//	records / BUCKET / KEY  → value and checksum of bucket, key and value
//
// bbolt has no checksums for its pages, so each record has one, and the sequence numbers of records and of each BUCKET
// count what is in them.
var (
	bucketJournal = []byte("journal")
	bucketRecords = []byte("records")

	keyVersion = []byte("version")
)

const (
	diskVersion   = "1"
	checksumBytes = crc32.Size
)

var (
	// errForeign is for a sound database that this package has not made.
	errForeign = errors.New("it is a database of something else; name another path")

	errUnknownVersion = errors.New("it has a format that this xtokend does not know; use the xtokend that wrote it, or a newer one")
)

func (r record) checksum(value []byte) []byte {
	sum := crc32.ChecksumIEEE([]byte(r.bucket))
	sum = crc32.Update(sum, crc32.IEEETable, []byte(r.key))
	sum = crc32.Update(sum, crc32.IEEETable, value)
	return binary.BigEndian.AppendUint32(nil, sum)
}

// isNew tells whether nothing was ever written to the database, or fails if it is no journal of this version.
func isNew(tx *bbolt.Tx) (bool, error) {
	if first, _ := tx.Cursor().First(); first == nil {
		return true, nil
	}
	marker := tx.Bucket(bucketJournal)
	if marker == nil {
		return false, errForeign
	}
	if version := marker.Get(keyVersion); string(version) != diskVersion {
		return false, fmt.Errorf("%w (%q)", errUnknownVersion, version)
	}
	if tx.Bucket(bucketRecords) == nil {
		return false, errors.New("a part of the file is missing")
	}
	return false, nil
}

// format lays out a new file.
func format(tx *bbolt.Tx) error {
	marker, err := tx.CreateBucket(bucketJournal)
	if err != nil {
		return err
	}
	if _, err := tx.CreateBucket(bucketRecords); err != nil {
		return err
	}
	return marker.Put(keyVersion, []byte(diskVersion))
}

func openBucket(tx *bbolt.Tx, name []byte) (*bbolt.Bucket, error) {
	records := tx.Bucket(bucketRecords)
	if b := records.Bucket(name); b != nil {
		return b, nil
	}
	if err := records.SetSequence(records.Sequence() + 1); err != nil {
		return nil, err
	}
	return records.CreateBucket(name)
}

// write tells whether the record was not so already.
func (ch *change) write(tx *bbolt.Tx, r record) (changed bool, err error) {
	key := []byte(r.key)
	b, err := openBucket(tx, []byte(r.bucket))
	if err != nil {
		return false, err
	}
	old := b.Get(key)
	if ch.deleted {
		if old == nil {
			return false, nil
		}
		if err := b.SetSequence(b.Sequence() - 1); err != nil {
			return false, err
		}
		return true, b.Delete(key)
	}
	stored := make([]byte, 0, len(ch.value)+checksumBytes)
	stored = append(append(stored, ch.value...), r.checksum(ch.value)...)
	if bytes.Equal(old, stored) {
		return false, nil
	}
	if old == nil {
		if err := b.SetSequence(b.Sequence() + 1); err != nil {
			return false, err
		}
	}
	return true, b.Put(key, stored)
}

// each visits the records of a bucket in the order of their keys, and fails at anything that this package has not written.
// What visit is given is good until it returns.
func each(tx *bbolt.Tx, bucket string, visit func(key string, value []byte)) error {
	b := tx.Bucket(bucketRecords).Bucket([]byte(bucket))
	if b == nil {
		return nil
	}
	var n uint64
	err := b.ForEach(func(key, value []byte) error {
		r, end := record{bucket, string(key)}, len(value)-checksumBytes
		if end < 0 || !bytes.Equal(value[end:], r.checksum(value[:end])) {
			return fmt.Errorf("a record in %q has a wrong checksum", bucket)
		}
		n++
		visit(r.key, value[:end])
		return nil
	})
	if err == nil && n != b.Sequence() {
		err = fmt.Errorf("%q has %d records where %d were written", bucket, n, b.Sequence())
	}
	return err
}

// checkRecords reads all of them.
func checkRecords(tx *bbolt.Tx) error {
	records := tx.Bucket(bucketRecords)
	if records == nil {
		return nil // nothing was written yet
	}
	var n uint64
	err := records.ForEach(func(name, _ []byte) error {
		n++
		return each(tx, string(name), func(string, []byte) {})
	})
	if err == nil && n != records.Sequence() {
		err = fmt.Errorf("%d buckets where %d were written", n, records.Sequence())
	}
	return err
}
