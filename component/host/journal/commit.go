package journal

import (
	"errors"
	"fmt"

	"go.etcd.io/bbolt"

	"xtokend/internal/boltfile"
)

// commitLoop writes all that waits in one transaction, which syncs, and then wakes those who wait for it. While it
// writes, the next changes gather, so that a lone caller waits for one sync and a crowd shares few.
func (j *Journal) commitLoop() {
	defer close(j.done)
	for range j.wake {
		c, closing := j.take()
		if len(c.changes) > 0 { // else all that it was woken for has gone with the commit before
			c.err = j.commit(c)
			j.tell(c.err)
		}
		j.settle(c, closing)
		if closing {
			return
		}
	}
}

// take is given all that waits, and whether nothing will come any more.
func (j *Journal) take() (c *commit, closing bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	c = j.pending
	j.pending, j.writing = newCommit(), c
	return c, j.closing
}

// commit gives an error that wraps ErrFailed.
func (j *Journal) commit(c *commit) error {
	if err := j.unusable(); err != nil {
		return err
	}
	err := boltfile.Guard(func() error { return j.db.Update(func(tx *bbolt.Tx) error { return j.write(tx, c) }) })
	switch {
	case err == nil, errors.Is(err, errUnchanged):
		return nil
	case errors.Is(err, boltfile.ErrDamaged):
		j.giveUp(err)
		return j.unusable()
	}
	return fmt.Errorf("journal: %s: %w, look for a full disk: %w", j.path, ErrFailed, err)
}

// giveUp keeps the file from being touched again.
func (j *Journal) giveUp(damage error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.broken = fmt.Errorf("journal: %s: %w: %w; stop xtokend, restore the file from a backup or move it away, and start xtokend",
		j.path, ErrFailed, damage)
}

// unusable returns an error that wraps ErrFailed if the file was given up.
func (j *Journal) unusable() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.broken
}

// errUnchanged rolls a transaction back that would write what is on disk already, to save its sync.
var errUnchanged = errors.New("nothing has changed")

func (j *Journal) write(tx *bbolt.Tx, c *commit) error {
	changed := false
	for r, ch := range c.changes {
		did, err := ch.write(tx, r)
		if err != nil {
			return err
		}
		changed = changed || did
	}
	// The commit that failed may be seen by this transaction and yet not be on disk, if it was the sync that failed.
	if !changed && !j.failing {
		return errUnchanged
	}
	return nil
}

// tell logs when commits begin to fail and when they succeed again.
func (j *Journal) tell(err error) {
	failing := err != nil
	if failing == j.failing {
		return
	}
	j.failing = failing
	if failing {
		j.o.Log.Error("the host's file cannot be written", "error", err)
	} else {
		j.o.Log.Info("the host's file can be written again", "path", j.path)
	}
}

// settle brings memory in line with what came of a commit, and wakes who waits for it.
func (j *Journal) settle(c *commit, closing bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.writing = nil
	switch {
	case c.err == nil:
		j.written = max(j.written, c.upTo)
	case closing:
		j.lastErr = c.err
	default:
		j.keep(c)
	}
	close(c.done)
}

// keep puts what a failed commit could not write under what has been put since. It is called with j.mu held.
func (j *Journal) keep(c *commit) {
	newer := j.pending.changes
	j.pending.changes, j.pending.bytes = c.changes, c.bytes
	for r, ch := range newer {
		j.pending.set(r, ch)
	}
	j.pending.upTo = max(j.pending.upTo, c.upTo)
}
