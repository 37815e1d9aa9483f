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
//	meta                      version, clean, boot, opened, reach, and lost if it is set
//	domains / DOMAIN          released, if there are such steps: first and last step of each span
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

	keyVersion  = []byte("version")
	keyClean    = []byte("clean")
	keyBoot     = []byte("boot")
	keyOpened   = []byte("opened")
	keyReach    = []byte("reach")
	keyLost     = []byte("lost")
	keyReleased = []byte("released")
)

const (
	diskVersion = "1"
	stepBytes   = 8

	checksumBytes = crc32.Size

	isClean = "yes"
	isOpen  = "no"
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

func putSpans(b *bbolt.Bucket, domain, key []byte, s spans) error {
	var encoded []byte
	for _, each := range s {
		encoded = append(append(encoded, encodeStep(each.first)...), encodeStep(each.last)...)
	}
	return put(b, key, append(encoded, checksum(domain, key, encoded)...))
}

func parseSpans(domain, key, value []byte) (spans, error) {
	end := len(value) - checksumBytes
	if end < 0 || end%(2*stepBytes) != 0 || !bytes.Equal(value[end:], checksum(domain, key, value[:end])) {
		return nil, fmt.Errorf("%q has a wrong checksum", key)
	}
	s := make(spans, 0, maxSpans+1)
	for at := 0; at < end; at += 2 * stepBytes {
		first, _ := decodeStep(value[at : at+stepBytes])
		last, _ := decodeStep(value[at+stepBytes : at+2*stepBytes])
		s = append(s, span{first, last})
	}
	return s, nil
}

// put, openBucket and dropReleased keep count of a bucket's keys.
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

// dropReleased drops the keys that begin with a step that is released together with the steps before it, as far as reach.
func dropReleased(b *bbolt.Bucket, released spans, reach int64, drop func(key []byte) error) error {
	var keys [][]byte
	err := b.ForEach(func(key, _ []byte) error {
		step, err := decodeStep(key[:min(len(key), stepBytes)])
		if _, ok := released.find(step-reach, step); ok {
			keys = append(keys, bytes.Clone(key))
		}
		return err
	})
	if err != nil {
		return err
	}
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

// writeReleased records the released steps of a domain and drops what they make needless.
func writeReleased(tx *bbolt.Tx, name string, released spans) error {
	domain, err := path(tx, []byte(name))
	if err != nil {
		return err
	}
	if err := putSpans(domain, []byte(name), keyReleased, released); err != nil {
		return err
	}
	if uses := domain.Bucket(bucketUses); uses != nil {
		if err := dropReleased(uses, released, 0, uses.DeleteBucket); err != nil {
			return err
		}
	}
	if revocations := domain.Bucket(bucketRevocations); revocations != nil {
		return dropReleased(revocations, released, revocationReach, revocations.Delete)
	}
	return nil
}
