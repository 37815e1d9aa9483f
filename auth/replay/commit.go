package replay

import (
	"errors"
	"fmt"
	"slices"

	"go.etcd.io/bbolt"

	"xtokend/internal/boltfile"
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
		grown := f.growth()
		err := f.broken
		f.mu.Unlock()
		if err == nil && (len(batch) > 0 || closing && grown.any) {
			err = f.commit(batch, grown)
		}
		f.settle(batch, grown, err)
		for _, p := range batch {
			p.done <- err
		}
		if closing {
			f.lastErr = err
			return
		}
	}
}

// growth is what only ever grows, as far as it is not on disk yet.
type growth struct {
	any      bool
	reach    int64
	released map[string]spans
}

// growth is called with f.mu held.
func (f *File) growth() growth {
	g := growth{any: f.ledger.reach > f.reach, reach: f.ledger.reach}
	for domain, a := range f.ledger.domains {
		if slices.Equal(a.released, f.released[domain]) {
			continue
		}
		if g.released == nil {
			g.released = make(map[string]spans)
		}
		g.any, g.released[domain] = true, slices.Clone(a.released)
	}
	return g
}

func (g *growth) write(tx *bbolt.Tx) error {
	if !g.any {
		return nil
	}
	if err := putStep(tx.Bucket(bucketMeta), nil, keyReach, g.reach); err != nil {
		return err
	}
	for domain, released := range g.released {
		if err := writeReleased(tx, domain, released); err != nil {
			return err
		}
	}
	return nil
}

func (f *File) commit(batch []*pending, grown growth) error {
	err := boltfile.Guard(func() error {
		return f.db.Update(func(tx *bbolt.Tx) error {
			if err := grown.write(tx); err != nil {
				return err
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
	case errors.Is(err, boltfile.ErrDamaged):
		return fmt.Errorf("replay: %s: %w; restart the program: it sets the file aside and begins a new one", f.path, err)
	}
	return fmt.Errorf("replay: %s: records could not be written, look for a full disk: %w", f.path, err)
}

// settle brings memory in line with what came of a commit.
func (f *File) settle(batch []*pending, grown growth, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err == nil {
		f.reach = grown.reach
		for domain, released := range grown.released {
			f.released[domain] = released
		}
		return
	}
	if errors.Is(err, boltfile.ErrDamaged) {
		f.broken = err
	}
	for _, p := range batch {
		if p.use != nil {
			f.ledger.forget(p.use)
		}
		// A revocation that failed stays in force in memory: it is asked for again, or refuses too much.
	}
}
