package replay

import (
	"bytes"
	"errors"
	"fmt"

	"go.etcd.io/bbolt"
)

// errForeign is for a sound database that this package has not made.
var errForeign = errors.New("it is a database of another program; name another path")

// load fills the ledger, and reports anything that this package cannot have written.
func (l *ledger) load(tx *bbolt.Tx) error {
	var meta, domains *bbolt.Bucket
	var foreign bool
	err := tx.ForEach(func(name []byte, b *bbolt.Bucket) error {
		switch string(name) {
		case string(bucketMeta):
			meta = b
		case string(bucketDomains):
			domains = b
		default:
			foreign = true
		}
		return nil
	})
	switch {
	case err != nil:
		return err
	case meta == nil && domains == nil && foreign:
		return errForeign
	case meta == nil && domains == nil:
		return nil // nothing was written yet
	case meta == nil || domains == nil:
		return errors.New("a part of the file is missing")
	case foreign:
		return errors.New("it holds more than this program writes")
	}
	if err := l.loadMeta(meta); err != nil {
		return err
	}
	return eachBucket(domains, func(name []byte, domain *bbolt.Bucket) error {
		return l.loadDomain(l.account(string(name)), name, domain)
	})
}

func (l *ledger) loadMeta(meta *bbolt.Bucket) error {
	if version := meta.Get(keyVersion); string(version) != diskVersion {
		return fmt.Errorf("it has format %q, this program knows %q", version, diskVersion)
	}
	return each(meta, func(key, value []byte) (err error) {
		switch {
		case value == nil:
			err = unknown(key)
		case bytes.Equal(key, keyLost):
			l.lost, err = parseStep(nil, key, value)
			l.hasLost = err == nil
		case bytes.Equal(key, keyOpened):
			l.opened, err = parseStep(nil, key, value)
		case bytes.Equal(key, keyReach):
			l.reach, err = parseStep(nil, key, value)
		case !bytes.Equal(key, keyVersion) && !bytes.Equal(key, keyClean) && !bytes.Equal(key, keyBoot):
			err = unknown(key)
		}
		return err
	})
}

func (l *ledger) loadDomain(a *account, name []byte, domain *bbolt.Bucket) error {
	return each(domain, func(key, value []byte) (err error) {
		switch {
		case bytes.Equal(key, keyReleased) && value != nil:
			a.released, err = parseSpans(name, key, value)
			return err
		case bytes.Equal(key, bucketUses) && value == nil:
			return eachBucket(domain.Bucket(key), func(step []byte, ids *bbolt.Bucket) error {
				return l.loadStep(a, name, step, ids)
			})
		case bytes.Equal(key, bucketRevocations) && value == nil:
			return each(domain.Bucket(key), func(key, value []byte) error {
				return l.loadRevocation(a, name, key, value)
			})
		}
		return unknown(key)
	})
}

func (l *ledger) loadStep(a *account, domain, key []byte, ids *bbolt.Bucket) error {
	step, err := decodeStep(key)
	if err != nil {
		return err
	}
	return each(ids, func(id, value []byte) error {
		if len(id) != len(Use{}.ID) || !bytes.Equal(value, checksum(domain, key, id)) {
			return fmt.Errorf("a use of step %d has a wrong checksum", step)
		}
		l.record(a, [32]byte(id), step)
		return nil
	})
}

func (l *ledger) loadRevocation(a *account, domain, key, value []byte) error {
	if len(key) < stepBytes || !bytes.Equal(value, checksum(domain, key)) {
		return errors.New("a revocation has a wrong checksum")
	}
	through, err := decodeStep(key[:stepBytes])
	if err != nil {
		return err
	}
	l.keepRevocation(a, string(key[stepBytes:]), through)
	return nil
}

// each visits the keys of a bucket; value is nil for a bucket in it. It fails if there are not as many as were counted.
func each(b *bbolt.Bucket, visit func(key, value []byte) error) error {
	var n uint64
	err := b.ForEach(func(key, value []byte) error {
		n++
		return visit(key, value)
	})
	if err == nil && n != b.Sequence() {
		err = fmt.Errorf("%d records where %d were written", n, b.Sequence())
	}
	return err
}

func eachBucket(b *bbolt.Bucket, visit func(name []byte, child *bbolt.Bucket) error) error {
	return each(b, func(name, value []byte) error {
		child := b.Bucket(name)
		if value != nil || child == nil {
			return unknown(name)
		}
		return visit(name, child)
	})
}

func unknown(key []byte) error {
	return fmt.Errorf("it holds %q, which this program never writes", key)
}
