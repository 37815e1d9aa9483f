package journal

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"

	"xtokend/internal/boltfile"
)

// lockTimeout is how long Open waits for another process that has the file open, and may be about to end.
const lockTimeout = time.Second

// Open opens the journal at path, and makes the file, with mode 0600, if there is none. It fails if another process has
// the file open, and if the file is damaged or of something else; it then leaves it as it is, perhaps locked until this
// process ends. Without a path nothing is kept, and every Mark counts as on disk at once.
func Open(path string, o Options) (*Journal, error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.MaxPending <= 0 {
		o.MaxPending = defaultMaxPending
	}
	if o.MaxPendingBytes <= 0 {
		o.MaxPendingBytes = defaultMaxPendingBytes
	}
	j := &Journal{path: path, o: o}
	if path == "" {
		return j, nil
	}
	j.pending = newCommit()
	j.wake = make(chan struct{}, 1)
	j.done = make(chan struct{})
	if err := j.open(); err != nil {
		return nil, err
	}
	go j.commitLoop()
	return j, nil
}

func (j *Journal) open() error {
	info, err := os.Stat(j.path)
	existed := err == nil
	if existed && !info.Mode().IsRegular() {
		return fmt.Errorf("journal: %s is not a regular file; name another path", j.path)
	}
	if err := boltfile.Guard(j.openDatabase); err != nil {
		if j.opened != nil {
			_ = j.opened.Close() // if bbolt has not, since it panicked
		}
		return j.explain(err)
	}
	var empty bool
	err = boltfile.Guard(func() (err error) {
		empty, err = j.check()
		return err
	})
	if err == nil {
		err = boltfile.Guard(func() error { return j.begin(empty, existed) })
	}
	switch {
	case err == nil:
		return nil
	case errors.Is(err, boltfile.ErrDamaged):
		return errors.Join(j.explain(err), j.opened.Close())
	}
	return errors.Join(j.explain(err), j.db.Close())
}

func (j *Journal) openDatabase() (err error) {
	j.db, err = bbolt.Open(j.path, 0o600, &bbolt.Options{
		Timeout:      lockTimeout,
		FreelistType: bbolt.FreelistMapType,
		OpenFile: func(name string, flag int, mode os.FileMode) (*os.File, error) {
			file, err := os.OpenFile(name, flag, mode)
			if err == nil {
				j.opened = file
			}
			return file, err
		},
	})
	return err
}

// check only reads. It tells whether nothing was ever written to the file.
func (j *Journal) check() (empty bool, err error) {
	err = j.db.View(func(tx *bbolt.Tx) error {
		empty, err = isNew(tx)
		return err
	})
	if err != nil {
		return false, err
	}
	if err := boltfile.CheckBounds(j.db, j.opened); err != nil {
		return false, err
	}
	if err := boltfile.CheckPages(j.db); err != nil {
		return false, err
	}
	return empty, j.db.View(checkRecords)
}

// begin has the file and all in it on disk: a process that was killed may have left what it had not synced yet, and from
// here on it counts as kept.
func (j *Journal) begin(empty, existed bool) error {
	if !existed {
		if err := boltfile.SyncDirectory(filepath.Dir(j.path)); err != nil {
			return err
		}
	}
	if empty {
		return j.db.Update(format)
	}
	return j.db.Sync()
}

// explain tells what to do about an error of opening or reading the file.
func (j *Journal) explain(err error) error {
	switch {
	case errors.Is(err, bolterrors.ErrTimeout):
		return fmt.Errorf("journal: %s is in use by another process; stop that one, or name another path", j.path)
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("journal: make the directory of %s first: %w", j.path, err)
	case errors.Is(err, errForeign), errors.Is(err, errUnknownVersion), errors.As(err, new(syscall.Errno)):
		return fmt.Errorf("journal: cannot use %s: %w", j.path, err)
	case !errors.Is(err, boltfile.ErrDamaged):
		err = fmt.Errorf("%w: %w", boltfile.ErrDamaged, err)
	}
	return fmt.Errorf("journal: %s: %w; restore it from a backup, or move it away to begin without users", j.path, err)
}

// Load calls f for each record of a bucket, in the order of the keys; f may keep the value. It knows only what is on disk:
// call it before the first Put. It returns the error of f, or one that tells of damage. Without a file there is nothing.
func (j *Journal) Load(bucket string, f func(key string, value []byte) error) error {
	if j.path == "" {
		return nil
	}
	type loaded struct {
		key   string
		value []byte
	}
	var all []loaded
	err := boltfile.Guard(func() error {
		return j.db.View(func(tx *bbolt.Tx) error {
			return each(tx, bucket, func(key string, value []byte) {
				all = append(all, loaded{key, bytes.Clone(value)})
			})
		})
	})
	if errors.Is(err, boltfile.ErrDamaged) {
		j.giveUp(err)
	}
	if err != nil {
		return j.explain(err)
	}
	for _, l := range all { // not before: a panic of f is no damage of the file
		if err := f(l.key, l.value); err != nil {
			return err
		}
	}
	return nil
}
