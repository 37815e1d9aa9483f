package replay

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"
)

// open opens the file, sets it aside if it is damaged and makes a new one.
func (f *File) open(o FileOptions) error {
	info, err := os.Stat(f.path)
	existed := err == nil
	if existed && !info.Mode().IsRegular() {
		return fmt.Errorf("replay: %s is not a regular file; name another path", f.path)
	}
	start := o.Now().Unix() / StepSeconds
	err = guard(func() error { return f.tryOpen(o, existed, start) })
	if !errors.Is(err, errDamaged) {
		return err
	}
	aside, asideErr := f.setAside(o.Now())
	if asideErr != nil {
		return fmt.Errorf("replay: %s: %w; it could not be set aside: %w", f.path, err, asideErr)
	}
	f.ledger = newLedger(o.Max)
	f.lost = fmt.Sprintf("%v; the damaged file is kept as %s", err, aside)
	return guard(func() error { return f.tryOpen(o, false, start) })
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
		return fmt.Errorf("%w: %w", errDamaged, err)
	}
	defer func() {
		if err != nil && !errors.Is(err, errDamaged) {
			_ = db.Close()
		}
	}()
	if !existed {
		// Without this a power failure could take the new file away, and its uses with it.
		if err := syncDirectory(filepath.Dir(f.path)); err != nil {
			return fmt.Errorf("replay: %s: %w", f.path, err)
		}
	}
	if err := f.read(db); err != nil {
		return fmt.Errorf("%w: %w", errDamaged, err)
	}
	f.db = db
	err = db.Update(func(tx *bbolt.Tx) error { return f.begin(tx, o.BootID, existed, start) })
	if err != nil && !errors.Is(err, errDamaged) {
		return fmt.Errorf("replay: cannot use %s: %w", f.path, err)
	}
	return err
}

// read checks the file and fills the ledger.
func (f *File) read(db *bbolt.DB) error {
	if err := checkMeta(f.opened, int64(db.Info().PageSize)); err != nil {
		return err
	}
	if err := checkLength(db, f.opened); err != nil {
		return err
	}
	// Reading everything comes first: it finds pages that are not there in this goroutine, where a fault can be caught;
	// bbolt's checker runs in one of its own.
	if err := db.View(f.ledger.load); err != nil {
		return err
	}
	return checkPages(db)
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
	return stamp(tx, boot)
}

// format lays out a file without content.
func (f *File) format(tx *bbolt.Tx, boot string, existed bool, start int64) error {
	if first, _ := tx.Cursor().First(); first != nil {
		return errors.New("it is a database of another program; name another path")
	}
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
	return stamp(tx, boot)
}

// lose refuses the tokens that may have been used without a record. The mark stays in the file: another restart within
// the same minute must not forget it.
func (f *File) lose(meta *bbolt.Bucket, start int64) error {
	if !f.ledger.hasLost || start > f.ledger.lost {
		f.ledger.lost, f.ledger.hasLost = start, true
	}
	return putStep(meta, nil, keyLost, f.ledger.lost)
}

func stamp(tx *bbolt.Tx, boot string) error {
	if err := put(tx.Bucket(bucketMeta), keyBoot, []byte(boot)); err != nil {
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

func syncDirectory(path string) error {
	dir, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// Layout of a bbolt meta page: a header of 16 octets, then the meta, whose last 8 octets are the FNV-1a sum of the rest.
const (
	pageHeaderBytes = 16
	metaBytes       = 64
	metaSumOffset   = 56
)

// checkMeta finds a broken meta page. bbolt would take the other one, which has the state before the last commit.
func checkMeta(file *os.File, pageSize int64) error {
	for page := range int64(2) {
		meta := make([]byte, metaBytes)
		if _, err := file.ReadAt(meta, page*pageSize+pageHeaderBytes); err != nil {
			return err
		}
		sum := fnv.New64a()
		_, _ = sum.Write(meta[:metaSumOffset])
		if !bytes.Equal(meta[metaSumOffset:], binary.NativeEndian.AppendUint64(nil, sum.Sum64())) {
			return fmt.Errorf("meta page %d has a wrong checksum", page)
		}
	}
	return nil
}

// checkLength finds a file cut short.
func checkLength(db *bbolt.DB, file *os.File) error {
	return db.View(func(tx *bbolt.Tx) error {
		info, err := file.Stat()
		if err == nil && info.Size() < tx.Size() {
			err = fmt.Errorf("the file has %d octets of %d", info.Size(), tx.Size())
		}
		return err
	})
}

// checkPages finds pages out of order, used twice or not at all.
func checkPages(db *bbolt.DB) error {
	return db.View(func(tx *bbolt.Tx) error {
		if err := checkOverflow(tx, tx.Size()/int64(db.Info().PageSize)); err != nil {
			return err
		}
		var first error
		for err := range tx.Check() { // to its end: the checker would wait for ever
			if first == nil {
				first = err
			}
		}
		return first
	})
}

// checkOverflow finds a page that claims to go on beyond the last one: bbolt's checker would follow it there.
func checkOverflow(tx *bbolt.Tx, pages int64) error {
	for id := int64(0); id < pages; id++ {
		page, err := tx.Page(int(id))
		if err != nil || page == nil {
			return errors.Join(fmt.Errorf("page %d cannot be read", id), err)
		}
		if page.Type == "free" {
			continue
		}
		if id += int64(page.OverflowCount); id >= pages {
			return fmt.Errorf("page %d goes on beyond the end of the file", page.ID)
		}
	}
	return nil
}
