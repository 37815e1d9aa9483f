// Package journal writes what a host must remember to one file, behind its back. The host keeps its state in memory
// and reads it there; the journal is told of each change at once and brings them to disk in order, many at a time.
package journal

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"

	"go.etcd.io/bbolt"
)

// MaxKeyBytes is the length of the longest key.
const MaxKeyBytes = bbolt.MaxKeySize

const (
	defaultMaxPending      = 10_000
	defaultMaxPendingBytes = 64 << 20
)

var (
	// ErrFailed is returned while the file cannot be written, for want of room, say. What waits is kept and tried again.
	ErrFailed = errors.New("the file could not be written")

	// ErrExpired is returned by Wait when its caller does not wait any longer. What waits is written all the same.
	ErrExpired = errors.New("the disk takes too long")

	// ErrClosed is returned for what was put too late to be written.
	ErrClosed = errors.New("the journal is closed")
)

// Options are the settings of a [Journal]; the zero value is usable.
type Options struct {
	Log *slog.Logger // told when the file cannot be written, and when it can be again; nil: nobody

	MaxPending      int // keys not on disk yet at which the journal is crowded; 0: 10,000
	MaxPendingBytes int // the same for the octets of their values; 0: 64 MiB
}

// Mark is a position in what was put: everything before it. The zero value is the beginning, which is always on disk.
type Mark uint64

// Journal keeps records, each a value under a key in a bucket, in a bbolt file, which only one process can have open.
// Its methods may be called from any goroutine. The zero value is not usable: see [Open].
//
// What is on disk is always the records as they were at some Mark, never a later change without an earlier one, and it
// outlives kill -9. Of changes to one key that wait for the disk only the last is written.
type Journal struct {
	path string // "": nothing is kept
	o    Options

	mu      sync.Mutex // a leaf: never held over I/O
	pending *commit    // gathers what is put
	writing *commit    // what the committer has taken; nil if nothing
	put     Mark
	written Mark
	closing bool  // nothing is taken any more
	broken  error // the file was found damaged while in use; it is not touched any more

	wake      chan struct{} // holds a token while there may be something to commit, or the journal closes
	done      chan struct{} // closed when the committer has ended
	closeOnce sync.Once
	lastErr   error // of the last commit, set before done is closed
	closeErr  error

	db      *bbolt.DB
	opened  *os.File // db's, to be closed when db cannot be
	failing bool     // the last commit failed; the committer's
}

// record names what is kept.
type record struct{ bucket, key string }

// change is what is to become of a record.
type change struct {
	value   []byte
	deleted bool
}

// commit is what is written in one transaction.
type commit struct {
	changes map[record]change
	bytes   int           // of the values
	upTo    Mark          // behind the last change; 0 without one
	err     error         // set before done is closed
	done    chan struct{} // closed when the commit has succeeded or failed
}

func newCommit() *commit {
	return &commit{changes: make(map[record]change), done: make(chan struct{})}
}

func (c *commit) set(r record, ch change) {
	c.bytes += len(ch.value) - len(c.changes[r].value)
	c.changes[r] = ch
}

// Put sets the value of a key. It never waits and does no I/O, so that it may be called with locks held. The value must
// not change afterwards. Put panics if the bucket or the key is empty or longer than [MaxKeyBytes]: bound what a peer
// can choose. After Close it does nothing.
func (j *Journal) Put(bucket, key string, value []byte) {
	j.change(record{bucket, key}, change{value: value})
}

// Delete takes a key away, if it is there. For the rest it is as Put.
func (j *Journal) Delete(bucket, key string) {
	j.change(record{bucket, key}, change{deleted: true})
}

func (j *Journal) change(r record, ch change) {
	if n := min(len(r.bucket), len(r.key)); n == 0 {
		panic("journal: an empty bucket or key")
	}
	if n := max(len(r.bucket), len(r.key)); n > MaxKeyBytes {
		panic(fmt.Sprintf("journal: a bucket or key of %d octets", n))
	}
	if j.path == "" {
		return
	}
	j.mu.Lock()
	j.put++
	if !j.closing {
		j.pending.set(r, ch)
		j.pending.upTo = j.put
	}
	j.mu.Unlock()
	j.signal()
}

func (j *Journal) signal() {
	select {
	case j.wake <- struct{}{}:
	default: // it will look anyway
	}
}

// Mark returns the position behind everything that was put so far.
func (j *Journal) Mark() Mark {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.put
}

// Done tells whether everything before the mark is on disk, or the journal is kept in memory.
func (j *Journal) Done(m Mark) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	return m <= j.written || j.path == ""
}

// Wait returns nil when everything before the mark is on disk, at once if the journal is kept in memory. It gives
// [ErrFailed] if the commit that it waited for failed, [ErrExpired] if expired is closed first (nil: never), and
// [ErrClosed] for what Close has not written. Each call after a failed commit has the journal try again.
func (j *Journal) Wait(m Mark, expired <-chan struct{}) error {
	c, err := j.commitOf(m)
	if c == nil {
		return err
	}
	select {
	case <-c.done:
		return c.err
	case <-expired:
		return fmt.Errorf("journal: %s: %w", j.path, ErrExpired)
	}
}

// commitOf returns the commit that will bring what is before the mark to disk; nil and no error if it is there already.
func (j *Journal) commitOf(m Mark) (*commit, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	switch {
	case m <= j.written || j.path == "":
		return nil, nil
	case j.writing != nil && m <= j.writing.upTo:
		return j.writing, nil
	case m <= j.pending.upTo:
		j.signal() // it may have failed and be due again
		return j.pending, nil
	}
	return nil, fmt.Errorf("journal: %s: %w", j.path, ErrClosed)
}

// Crowded tells whether more waits for the disk than [Options] allow. The journal still takes what is put; its caller
// should wait for the disk, or refuse, before it takes more from a peer.
func (j *Journal) Crowded() bool {
	if j.path == "" {
		return false
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	keys, bytes := len(j.pending.changes), j.pending.bytes
	if j.writing != nil {
		keys, bytes = keys+len(j.writing.changes), bytes+j.writing.bytes
	}
	return keys > j.o.MaxPending || bytes > j.o.MaxPendingBytes
}

// Close commits what waits and gives the file free. It tells if the last commit failed, so that something is lost. It
// may be called more than once. A file that was found damaged while in use stays locked until the process ends.
func (j *Journal) Close() error {
	if j.path == "" {
		return nil
	}
	j.closeOnce.Do(func() {
		j.mu.Lock()
		j.closing = true
		j.mu.Unlock()
		j.signal()
		<-j.done
		if j.unusable() != nil {
			j.closeErr = errors.Join(j.lastErr, j.opened.Close())
			return
		}
		j.closeErr = errors.Join(j.lastErr, j.db.Close())
	})
	return j.closeErr
}
