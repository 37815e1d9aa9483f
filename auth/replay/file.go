package replay

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"
)

// FileOptions are the settings of a [File]; the zero value is usable.
type FileOptions struct {
	Max    int              // as in MemoryOptions
	Now    func() time.Time // asked once, when the file is opened; nil: time.Now
	BootID string           // identifies this run of the machine; empty: read from the kernel (Linux)

	// LockTimeout is how long OpenFile waits for another process that has the file open; 0: one second.
	LockTimeout time.Duration
}

const defaultLockTimeout = time.Second

// File is a [Store] in a file, which only one process can have open. A use is on disk before it is answered, so a token
// that was used is refused after kill -9. All records are in memory too: only writing waits for the disk.
//
// The file is a log that records are appended to. When it has grown, and whenever it is opened, a new one takes its
// place: it must be possible to make files in its directory, and the file must not be a mount of its own.
//
// If earlier uses may have been lost, tokens that could have been among them are refused with [ErrLost]: when the file is
// damaged, or was not closed before another boot of the machine, since a disk may lose in a power failure what it said it
// had written. They are those of steps up to the clock's when the file is opened, or to the highest step that the file still
// tells if the clock is behind that, and as far beyond as any window has reached: for about a minute, or hours with
// windows that hold the steps of a zone behind UTC. A missing file is a new store. [File.Lost] tells what has happened.
//
// A commit that fails, for want of room, say, refuses the uses that were part of it; later ones are tried again.
type File struct {
	path string // of no symbolic link
	boot string
	lost string

	mu       sync.Mutex // a leaf: never held over I/O
	ledger   *ledger
	next     *batch           // what the next write takes along
	reach    int64            // of the ledger, as on disk
	released map[string]spans // of each domain, as on disk
	closing  bool
	broken   error // the file was found damaged while in use; nothing is accepted any more

	wake      chan struct{} // holds a token while somebody waits for the next batch, or the store closes
	done      chan struct{} // closed when the committer has ended
	closeOnce sync.Once
	lastErr   error // of the last commit, set before done is closed
	closeErr  error

	// The committer's, once it runs.
	log         *logFile
	rewriteAt   int64 // the log's size at which it is rewritten
	rewriteFrom int64 // at the earliest
}

var _ EarlyStore = (*File)(nil)

// OpenFile opens the store at path, and makes the file, with mode 0600, if there is none. A damaged file is kept, under
// its name with the time and ".damaged" behind it, and a new one made; so is one that xtokend wrote in an earlier format.
// It fails if another process has the file open.
func OpenFile(path string, o FileOptions) (*File, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.LockTimeout <= 0 {
		o.LockTimeout = defaultLockTimeout
	}
	if o.BootID == "" {
		o.BootID = kernelBootID()
	}
	f := newFile(path, o)
	if err := f.open(o); err != nil {
		return nil, err
	}
	go f.commitLoop()
	return f, nil
}

func newFile(path string, o FileOptions) *File {
	f := &File{
		path:        path,
		boot:        o.BootID,
		ledger:      newLedger(o.Max),
		released:    make(map[string]spans),
		wake:        make(chan struct{}, 1),
		done:        make(chan struct{}),
		rewriteFrom: rewriteBytes,
	}
	f.next = f.newBatch()
	return f
}

// kernelBootID returns "" where there is none to be had; then every unclean end counts as one before another boot.
func kernelBootID() string {
	id, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(id))
}

// Lost says, for the log, why earlier uses may be unknown and so tokens are refused after OpenFile. If they are refused
// until more than a day from the clock's time, because a clock was wrong at this or an earlier loss, it says until when and
// what to do. It is empty if there is nothing to say.
func (f *File) Lost() string { return f.lost }

// Use implements [Store]. When the context ends first, the use may still be recorded; its token is to be refused.
func (f *File) Use(ctx context.Context, u Use) error {
	receipt, err := f.UseEarly(ctx, u)
	if err != nil {
		return err
	}
	return receipt.Wait(ctx)
}

// UseEarly implements [EarlyStore]. Nothing is written before somebody waits, and then all that is there: logins that
// go on meanwhile share a write.
func (f *File) UseEarly(ctx context.Context, u Use) (Receipt, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := checkName(u.Domain); err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.usable(); err != nil {
		return nil, err
	}
	if err := f.ledger.use(&u); err != nil {
		return nil, err
	}
	return f.add(record{use: &u}), nil
}

// Revoke implements [Store].
func (f *File) Revoke(ctx context.Context, r Revocation) error {
	if err := errors.Join(checkName(r.Domain), checkName(r.Address)); err != nil {
		return err
	}
	f.mu.Lock()
	if err := f.usable(); err != nil {
		f.mu.Unlock()
		return err
	}
	kept, err := f.ledger.revoke(&r)
	if err != nil || !kept {
		f.mu.Unlock()
		return err
	}
	b := f.add(record{revocation: &r})
	f.mu.Unlock()
	return b.Wait(ctx)
}

func checkName(name string) error {
	if len(name) > maxNameBytes {
		return fmt.Errorf("replay: a name of %d octets; at most %d are kept", len(name), maxNameBytes)
	}
	return nil
}

// usable is called with f.mu held.
func (f *File) usable() error {
	if f.closing {
		return ErrClosed
	}
	return f.broken
}

func (f *File) signal() {
	select {
	case f.wake <- struct{}{}:
	default: // it will look anyway
	}
}

// Close records what waits, marks the file as cleanly closed and gives it free. It may be called more than once. A file
// that was found damaged while in use is not marked; Close then says so.
func (f *File) Close() error {
	f.closeOnce.Do(func() {
		f.mu.Lock()
		f.closing = true
		f.mu.Unlock()
		f.signal()
		<-f.done
		f.closeErr = f.shut()
	})
	return f.closeErr
}

// shut runs after the committer has ended.
func (f *File) shut() error {
	if f.broken != nil {
		return errors.Join(f.broken, f.log.file.Close())
	}
	err := f.log.append((*encoder).closed)
	if err != nil {
		err = f.explain(err)
	}
	return errors.Join(f.lastErr, err, f.log.file.Close())
}
