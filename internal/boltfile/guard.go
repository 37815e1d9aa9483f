// Package boltfile makes a damaged bbolt file an error. bbolt trusts what it reads: by itself it panics, faults or
// follows a page out of the file, and the process ends.
package boltfile

import (
	"errors"
	"fmt"
	"os"
	"runtime/debug"
)

// ErrDamaged marks what cannot be mended but by another file.
var ErrDamaged = errors.New("the file is damaged")

// Guard turns a panic of bbolt in do, and a fault in a page that the file no longer has, into [ErrDamaged]. It may leave
// the database's locks held: such a database must not be used again, nor closed.
func Guard(do func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if cause := recover(); cause != nil {
			err = fmt.Errorf("%w: %v", ErrDamaged, cause)
		}
	}()
	return do()
}

// SyncDirectory makes the name of a new file in the directory last: without this a power failure could take the file
// away, and what was synced to it.
func SyncDirectory(path string) error {
	dir, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}
