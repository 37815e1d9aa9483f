package replay

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"

	"go.etcd.io/bbolt"
)

// The file:
//
//	meta                      version, clean, boot, and lost if it is set
//	domains / DOMAIN          floor, if there is one
//	domains / DOMAIN / uses / STEP / ID            → checksum of the path
//	domains / DOMAIN / revocations / STEP ADDRESS  → checksum of the path
//
// A bucket per step is dropped whole when the step is let go. bbolt has no checksums for its pages, so each record has
// one, and a bucket's sequence number counts its keys. Steps are written so that their octets sort as they do.
var (
	bucketMeta        = []byte("meta")
	bucketDomains     = []byte("domains")
	bucketUses        = []byte("uses")
	bucketRevocations = []byte("revocations")

	keyVersion = []byte("version")
	keyClean   = []byte("clean")
	keyBoot    = []byte("boot")
	keyLost    = []byte("lost")
	keyFloor   = []byte("floor")
)

const (
	diskVersion = "1"
	stepBytes   = 8
	isClean     = "yes"
	isOpen      = "no"
)

func encodeStep(step int64) []byte {
	return binary.BigEndian.AppendUint64(nil, uint64(step)^1<<63)
}

func decodeStep(b []byte) (int64, error) {
	if len(b) != stepBytes {
		return 0, fmt.Errorf("a step of %d octets", len(b))
	}
	return int64(binary.BigEndian.Uint64(b) ^ 1<<63), nil
}

func checksum(parts ...[]byte) []byte {
	var sum uint32
	for _, part := range parts {
		sum = crc32.Update(sum, crc32.IEEETable, part)
	}
	return binary.BigEndian.AppendUint32(nil, sum)
}

// putStep writes a step with its checksum. The domain is empty for what concerns them all.
func putStep(b *bbolt.Bucket, domain, key []byte, step int64) error {
	encoded := encodeStep(step)
	return put(b, key, append(encoded, checksum(domain, key, encoded)...))
}

func parseStep(domain, key, value []byte) (int64, error) {
	if len(value) < stepBytes || !bytes.Equal(value[stepBytes:], checksum(domain, key, value[:stepBytes])) {
		return 0, fmt.Errorf("%q has a wrong checksum", key)
	}
	return decodeStep(value[:stepBytes])
}

// put, openBucket and dropThrough keep count of a bucket's keys.
func put(b *bbolt.Bucket, key, value []byte) error {
	if b.Get(key) == nil {
		if err := count(b, 1); err != nil {
			return err
		}
	}
	return b.Put(key, value)
}

func openBucket(b *bbolt.Bucket, name []byte) (*bbolt.Bucket, error) {
	if child := b.Bucket(name); child != nil {
		return child, nil
	}
	if err := count(b, 1); err != nil {
		return nil, err
	}
	return b.CreateBucket(name)
}

func dropThrough(b *bbolt.Bucket, floor int64, drop func(key []byte) error) error {
	keys := keysThrough(b, floor)
	for _, key := range keys {
		if err := drop(key); err != nil {
			return err
		}
	}
	return count(b, -len(keys))
}

func count(b *bbolt.Bucket, more int) error {
	return b.SetSequence(b.Sequence() + uint64(more))
}

func markClean(tx *bbolt.Tx, clean bool) error {
	value := isOpen
	if clean {
		value = isClean
	}
	return put(tx.Bucket(bucketMeta), keyClean, []byte(value))
}

// path opens the bucket at a path under domains, and makes what is missing of it.
func path(tx *bbolt.Tx, names ...[]byte) (b *bbolt.Bucket, err error) {
	b = tx.Bucket(bucketDomains)
	for _, name := range names {
		if b, err = openBucket(b, name); err != nil {
			return nil, err
		}
	}
	return b, nil
}

func (p *pending) write(tx *bbolt.Tx) error {
	if u := p.use; u != nil {
		domain, step := []byte(u.Domain), encodeStep(u.Step)
		uses, err := path(tx, domain, bucketUses, step)
		if err != nil {
			return err
		}
		return put(uses, u.ID[:], checksum(domain, step, u.ID[:]))
	}
	domain := []byte(p.revocation.Domain)
	revocations, err := path(tx, domain, bucketRevocations)
	if err != nil {
		return err
	}
	key := append(encodeStep(p.revocation.Through), p.revocation.Address...)
	return put(revocations, key, checksum(domain, key))
}

// writeFloor raises the floor of a domain and drops what lies below: whatever a ledger still holds is above its floor.
func writeFloor(tx *bbolt.Tx, name string, floor int64) error {
	domain, err := path(tx, []byte(name))
	if err != nil {
		return err
	}
	if err := putStep(domain, []byte(name), keyFloor, floor); err != nil {
		return err
	}
	if uses := domain.Bucket(bucketUses); uses != nil {
		if err := dropThrough(uses, floor, uses.DeleteBucket); err != nil {
			return err
		}
	}
	if revocations := domain.Bucket(bucketRevocations); revocations != nil {
		return dropThrough(revocations, floor, revocations.Delete)
	}
	return nil
}

// keysThrough returns copies of the keys that begin with a step up to floor.
func keysThrough(b *bbolt.Bucket, floor int64) [][]byte {
	last := encodeStep(floor)
	var keys [][]byte
	c := b.Cursor()
	for key, _ := c.First(); key != nil && bytes.Compare(key[:min(len(key), stepBytes)], last) <= 0; key, _ = c.Next() {
		keys = append(keys, bytes.Clone(key))
	}
	return keys
}
