package replay

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
//	meta                      version, clean, boot, lost
//	domains / DOMAIN          floor
//	domains / DOMAIN / uses / STEP / ID            → checksum of step and ID
//	domains / DOMAIN / revocations / STEP ADDRESS  → checksum of the key
//
// A bucket per step is dropped whole when the step is let go. The checksums are there because bbolt has none for its
// pages. Steps are written so that their octets sort as they do.
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

// putStep writes a step with its checksum.
func putStep(b *bbolt.Bucket, key []byte, step int64) error {
	encoded := encodeStep(step)
	return b.Put(key, append(encoded, checksum(key, encoded)...))
}

func getStep(b *bbolt.Bucket, key []byte) (step int64, ok bool, err error) {
	value := b.Get(key)
	if value == nil {
		return 0, false, nil
	}
	if len(value) < stepBytes || !bytes.Equal(value[stepBytes:], checksum(key, value[:stepBytes])) {
		return 0, false, fmt.Errorf("%q has a wrong checksum", key)
	}
	step, err = decodeStep(value[:stepBytes])
	return step, err == nil, err
}

func markClean(tx *bbolt.Tx, clean bool) error {
	value := isOpen
	if clean {
		value = isClean
	}
	return tx.Bucket(bucketMeta).Put(keyClean, []byte(value))
}

func domainBucket(tx *bbolt.Tx, domain string) (*bbolt.Bucket, error) {
	return tx.Bucket(bucketDomains).CreateBucketIfNotExists([]byte(domain))
}

func (p *pending) write(tx *bbolt.Tx) error {
	if p.use != nil {
		return writeUse(tx, p.use)
	}
	return writeRevocation(tx, p.revocation)
}

func writeUse(tx *bbolt.Tx, u *Use) error {
	domain, err := domainBucket(tx, u.Domain)
	if err != nil {
		return err
	}
	uses, err := domain.CreateBucketIfNotExists(bucketUses)
	if err != nil {
		return err
	}
	step := encodeStep(u.Step)
	bucket, err := uses.CreateBucketIfNotExists(step)
	if err != nil {
		return err
	}
	return bucket.Put(u.ID[:], checksum(step, u.ID[:]))
}

func writeRevocation(tx *bbolt.Tx, r *Revocation) error {
	domain, err := domainBucket(tx, r.Domain)
	if err != nil {
		return err
	}
	bucket, err := domain.CreateBucketIfNotExists(bucketRevocations)
	if err != nil {
		return err
	}
	key := append(encodeStep(r.Through), r.Address...)
	return bucket.Put(key, checksum(key))
}

// writeFloor raises the floor of a domain and drops what lies below: whatever a ledger still holds is above its floor.
func writeFloor(tx *bbolt.Tx, name string, floor int64) error {
	domain, err := domainBucket(tx, name)
	if err != nil {
		return err
	}
	if err := putStep(domain, keyFloor, floor); err != nil {
		return err
	}
	if uses := domain.Bucket(bucketUses); uses != nil {
		for _, key := range keysThrough(uses, floor) {
			if err := uses.DeleteBucket(key); err != nil {
				return err
			}
		}
	}
	if revocations := domain.Bucket(bucketRevocations); revocations != nil {
		for _, key := range keysThrough(revocations, floor) {
			if err := revocations.Delete(key); err != nil {
				return err
			}
		}
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

// load fills the ledger, and reports anything that this package cannot have written.
func (l *ledger) load(tx *bbolt.Tx) error {
	meta, domains := tx.Bucket(bucketMeta), tx.Bucket(bucketDomains)
	if meta == nil && domains == nil {
		return nil // nothing was written yet
	}
	if meta == nil || domains == nil {
		return errors.New("a part of the file is missing")
	}
	if version := meta.Get(keyVersion); string(version) != diskVersion {
		return fmt.Errorf("it has format %q, this program knows %q", version, diskVersion)
	}
	var err error
	if l.lost, l.hasLost, err = getStep(meta, keyLost); err != nil {
		return err
	}
	return domains.ForEachBucket(func(name []byte) error {
		domain := domains.Bucket(name)
		a := l.account(string(name))
		floor, ok, err := getStep(domain, keyFloor)
		if err != nil {
			return err
		}
		if ok {
			a.floor = floor
		}
		if uses := domain.Bucket(bucketUses); uses != nil {
			if err := uses.ForEachBucket(func(key []byte) error { return l.loadStep(a, key, uses.Bucket(key)) }); err != nil {
				return err
			}
		}
		if revocations := domain.Bucket(bucketRevocations); revocations != nil {
			return revocations.ForEach(func(key, value []byte) error { return l.loadRevocation(a, key, value) })
		}
		return nil
	})
}

func (l *ledger) loadStep(a *account, key []byte, ids *bbolt.Bucket) error {
	step, err := decodeStep(key)
	if err != nil {
		return err
	}
	return ids.ForEach(func(id, value []byte) error {
		if len(id) != len(Use{}.ID) || !bytes.Equal(value, checksum(key, id)) {
			return fmt.Errorf("a use of step %d has a wrong checksum", step)
		}
		l.record(a, [32]byte(id), step)
		return nil
	})
}

func (l *ledger) loadRevocation(a *account, key, value []byte) error {
	if len(key) < stepBytes || !bytes.Equal(value, checksum(key)) {
		return errors.New("a revocation has a wrong checksum")
	}
	through, err := decodeStep(key[:stepBytes])
	if err != nil {
		return err
	}
	l.keepRevocation(a, string(key[stepBytes:]), through)
	return nil
}
