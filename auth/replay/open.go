package replay

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"

	"xtokend/internal/boltfile"
)

// open opens the file, sets it aside if it is damaged and makes a new one.
func (f *File) open(o FileOptions) error {
	info, err := os.Stat(f.path)
	existed := err == nil
	if existed && !info.Mode().IsRegular() {
		return fmt.Errorf("replay: %s is not a regular file; name another path", f.path)
	}
	start := o.Now().Unix() / StepSeconds
	err = boltfile.Guard(func() error { return f.tryOpen(o, existed, start) })
	if !errors.Is(err, boltfile.ErrDamaged) {
		f.warnOfFuture(start)
		return err
	}
	aside, asideErr := f.setAside(o.Now())
	if asideErr != nil {
		return fmt.Errorf("replay: %s: %w; it could not be set aside: %w", f.path, err, asideErr)
	}
	read := f.ledger // as far as it was sound
	f.ledger = newLedger(o.Max)
	f.ledger.lost, f.ledger.hasLost = read.lost, read.hasLost
	f.ledger.opened, f.ledger.reach = read.highest(), read.reach
	f.lost = fmt.Sprintf("%v; the damaged file is kept as %s", err, aside)
	err = boltfile.Guard(func() error { return f.tryOpen(o, false, start) })
	f.warnOfFuture(start)
	return err
}

// warnOfFuture adds to what is said of lost uses if the mark of a wrong clock locks everybody out.
func (f *File) warnOfFuture(start int64) {
	l := f.ledger
	if !l.hasLost || l.lost <= start+stepsPerDay {
		return
	}
	if f.lost == "" {
		f.lost = "uses were lost at an earlier start"
	}
	f.lost += fmt.Sprintf("; tokens of steps before %s are refused, more than a day from now by this clock: it is wrong now or was ahead before; "+
		"once it is right, stop xtokend, move %s away and start xtokend", stepTime(l.lost+l.reach+1).Format(time.RFC3339), f.path)
}

// tryOpen opens the file, reads it all and marks it as open. Where it existed without any content, or was not closed
// before another boot, uses may have been lost.
func (f *File) tryOpen(o FileOptions, existed bool, start int64) (err error) {
	f.opened, f.openedInfo = nil, nil
	db, err := bbolt.Open(f.path, 0o600, &bbolt.Options{
		Timeout:      o.LockTimeout,
		FreelistType: bbolt.FreelistMapType,
		OpenFile: func(name string, flag int, mode os.FileMode) (*os.File, error) {
			file, err := os.OpenFile(name, flag, mode)
			if err == nil {
				f.opened = file
				f.openedInfo, err = file.Stat()
			}
			return file, err
		},
	})
	switch {
	case errors.Is(err, bolterrors.ErrTimeout):
		return fmt.Errorf("replay: another xtokend holds %s: stop it, or name another path", f.path)
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("replay: make the directory of %s first: %w", f.path, err)
	case errors.As(err, new(syscall.Errno)):
		return fmt.Errorf("replay: cannot open %s: %w", f.path, err)
	case err != nil: // not the system's: bbolt does not like what it reads
		return fmt.Errorf("%w: %w", boltfile.ErrDamaged, err)
	}
	defer func() {
		if err != nil && !errors.Is(err, boltfile.ErrDamaged) {
			_ = db.Close()
		}
	}()
	if !existed {
		// Without this a power failure could take the new file away, and its uses with it.
		if err := boltfile.SyncDirectory(filepath.Dir(f.path)); err != nil {
			return fmt.Errorf("replay: %s: %w", f.path, err)
		}
	}
	switch err := f.read(db); {
	case errors.Is(err, errForeign):
		return fmt.Errorf("replay: cannot use %s: %w", f.path, err)
	case err != nil:
		return fmt.Errorf("%w: %w", boltfile.ErrDamaged, err)
	}
	f.db = db
	err = db.Update(func(tx *bbolt.Tx) error { return f.begin(tx, o.BootID, existed, start) })
	if err != nil && !errors.Is(err, boltfile.ErrDamaged) {
		return fmt.Errorf("replay: cannot use %s: %w", f.path, err)
	}
	return err
}

// read checks the file and fills the ledger.
func (f *File) read(db *bbolt.DB) error {
	if err := checkMeta(f.opened, int64(db.Info().PageSize)); err != nil {
		return err
	}
	if err := boltfile.CheckBounds(db, f.opened); err != nil {
		return err
	}
	if err := db.View(f.ledger.load); err != nil {
		return err
	}
	return boltfile.CheckPages(db)
}

// begin marks the file as open during this boot.
func (f *File) begin(tx *bbolt.Tx, boot string, existed bool, start int64) error {
	meta := tx.Bucket(bucketMeta)
	if meta == nil {
		return f.format(tx, boot, existed, start)
	}
	if string(meta.Get(keyClean)) != isClean && (boot == "" || string(meta.Get(keyBoot)) != boot) {
		f.lost = "the file was not closed before the machine went down"
		if err := f.lose(meta, start); err != nil {
			return err
		}
	}
	return f.stamp(tx, boot, start)
}

// format lays out a file without content.
func (f *File) format(tx *bbolt.Tx, boot string, existed bool, start int64) error {
	meta, err := tx.CreateBucket(bucketMeta)
	if err != nil {
		return err
	}
	if _, err := tx.CreateBucketIfNotExists(bucketDomains); err != nil {
		return err
	}
	if err := put(meta, keyVersion, []byte(diskVersion)); err != nil {
		return err
	}
	if existed {
		f.lost = "the file was there but empty"
	}
	if f.lost != "" {
		if err := f.lose(meta, start); err != nil {
			return err
		}
	}
	return f.stamp(tx, boot, start)
}

// lose refuses the tokens that may have been used without a record. After a power failure the clock may be slow, so the
// highest step known counts if it is ahead. The mark stays in the file and never sinks: another restart soon after must
// not forget it.
func (f *File) lose(meta *bbolt.Bucket, start int64) error {
	mark := max(start, f.ledger.highest())
	if !f.ledger.hasLost || mark > f.ledger.lost {
		f.ledger.lost, f.ledger.hasLost = mark, true
	}
	return putStep(meta, nil, keyLost, f.ledger.lost)
}

// stamp marks the file as open, since start and during this boot.
func (f *File) stamp(tx *bbolt.Tx, boot string, start int64) error {
	meta := tx.Bucket(bucketMeta)
	f.ledger.opened = start
	err := errors.Join(
		put(meta, keyBoot, []byte(boot)),
		putStep(meta, nil, keyOpened, start),
		putStep(meta, nil, keyReach, f.ledger.reach),
	)
	if err != nil {
		return err
	}
	return markClean(tx, false)
}

// setAside renames the damaged file and gives it free. If another process has put a new file in its place meanwhile,
// that one is put back.
func (f *File) setAside(now time.Time) (aside string, err error) {
	// Its lock is held until it has its new name. What bbolt still maps of it stays mapped, since a database that has
	// panicked cannot be trusted to close.
	defer f.opened.Close()
	stem := f.path + "." + now.UTC().Format("20060102T150405Z")
	aside = stem + ".damaged"
	for n := 2; exists(aside); n++ {
		aside = fmt.Sprintf("%s.%d.damaged", stem, n)
	}
	if err := os.Rename(f.path, aside); err != nil {
		return "", err
	}
	if moved, err := os.Stat(aside); err != nil || !os.SameFile(moved, f.openedInfo) {
		return "", errors.Join(errors.New("another process replaced it; try again"), err, os.Rename(aside, f.path))
	}
	return aside, nil
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}
