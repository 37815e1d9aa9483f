package replay

import (
	"errors"
	"fmt"
	"runtime/debug"

	"go.etcd.io/bbolt"
)

// pending is a record on its way to disk; one of use and revocation is set.
type pending struct {
	use        *Use
	revocation *Revocation
	done       chan error // receives one value, and has room for it
}

// commitLoop writes all that waits in one transaction, which syncs, and then answers. While it writes, the next ones
// gather, so that a lone caller waits for one sync and a crowd shares few.
func (f *File) commitLoop() {
	defer close(f.done)
	for range f.wake {
		f.mu.Lock()
		batch, closing := f.queue, f.closing
		f.queue = nil
		floors := f.risenFloors()
		err := f.broken
		f.mu.Unlock()
		if err == nil && (len(batch) > 0 || closing && len(floors) > 0) {
			err = f.commit(batch, floors)
		}
		f.settle(batch, floors, err)
		for _, p := range batch {
			p.done <- err
		}
		if closing {
			return
		}
	}
}

// risenFloors returns the floors that are not on disk yet. It is called with f.mu held.
func (f *File) risenFloors() map[string]int64 {
	var risen map[string]int64
	for domain, a := range f.ledger.domains {
		if held, ok := f.floors[domain]; a.floor == noFloor || ok && a.floor <= held {
			continue
		}
		if risen == nil {
			risen = make(map[string]int64)
		}
		risen[domain] = a.floor
	}
	return risen
}

func (f *File) commit(batch []*pending, floors map[string]int64) error {
	err := guard(func() error {
		return f.db.Update(func(tx *bbolt.Tx) error {
			for domain, floor := range floors {
				if err := writeFloor(tx, domain, floor); err != nil {
					return err
				}
			}
			for _, p := range batch {
				if err := p.write(tx); err != nil {
					return err
				}
			}
			return nil
		})
	})
	switch {
	case err == nil:
		return nil
	case errors.Is(err, errDamaged):
		return fmt.Errorf("replay: %s: %w; restart the program: it sets the file aside and begins a new one", f.path, err)
	}
	return fmt.Errorf("replay: %s: the use could not be written, look for a full disk: %w", f.path, err)
}

// settle brings memory in line with what came of a commit.
func (f *File) settle(batch []*pending, floors map[string]int64, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err == nil {
		for domain, floor := range floors {
			f.floors[domain] = floor
		}
		return
	}
	if errors.Is(err, errDamaged) {
		f.broken = err
	}
	for _, p := range batch {
		if p.use != nil {
			f.ledger.forget(p.use)
		}
		// A revocation that failed stays in force in memory: it is asked for again, or refuses too much.
	}
}

// errDamaged marks what cannot be mended but by a new file.
var errDamaged = errors.New("the file is damaged")

// guard turns a panic of bbolt, and a fault in a page that the file no longer has, into errDamaged.
func guard(do func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if cause := recover(); cause != nil {
			err = fmt.Errorf("%w: %v", errDamaged, cause)
		}
	}()
	return do()
}
