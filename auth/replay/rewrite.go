package replay

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
)

const (
	// rewriteBytes is the least size at which a log is rewritten.
	rewriteBytes = 1 << 20

	// newSuffix is what the name of a file has behind it until the file is in its place.
	newSuffix = ".rewritten"
)

// rewrite puts a log of what is still live in the place of one that has grown to twice that, so that on average a record
// is written twice. What comes meanwhile waits: 3 ms with ten thousand live uses, 0.3 s with a million ([DefaultMax]) on a
// disk that takes 300 MB in a second. If it fails, for want of room, say, the log goes on as it is, and is rewritten when
// it has grown further.
func (f *File) rewrite() {
	next, grown, err := f.createNext()
	if err == nil {
		err = f.install(next, f.log.info)
	}
	if err != nil {
		f.rewriteAt = f.log.end + f.rewriteFrom
		f.settle(nil, grown, f.explain(err))
		return
	}
	before := f.log
	f.begin(next)
	f.settle(nil, grown, nil)
	_ = before.file.Close()
	// If a power failure brings the file before back, it was open then and so counts as one that has lost uses.
	_ = syncDirectory(f.path)
}

// createNext makes a file beside the one in use, with all that the ledger holds at a moment, uses that wait for the disk
// included. It returns what that makes known on disk.
func (f *File) createNext() (next *logFile, grown growth, err error) {
	path := f.path + newSuffix
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) { // left by a process that was killed
		return nil, growth{}, err
	}
	next, err = createLog(path, func(e *encoder) {
		f.mu.Lock()
		defer f.mu.Unlock()
		grown = f.growth()
		e.octets = slices.Grow(e.octets, f.ledger.encodedBytes())
		f.ledger.encode(e, f.boot)
	})
	return next, grown, err
}

// install has f.path name the new file rather than the one before, whole at any moment.
func (f *File) install(next *logFile, before os.FileInfo) error {
	named, err := os.Stat(f.path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		err = fmt.Errorf("%w: it was taken away while it was in use", errDamaged)
	case err != nil:
	case !os.SameFile(named, before):
		err = fmt.Errorf("%w: another one was put in its place while it was in use", errDamaged)
	default:
		err = os.Rename(f.path+newSuffix, f.path)
	}
	if err != nil {
		f.discard(next)
	}
	return err
}

// discard takes away a new file that is not in its place.
func (f *File) discard(next *logFile) {
	_ = next.file.Close()
	_ = os.Remove(f.path + newSuffix)
}

// begin goes on with a file that is in its place.
func (f *File) begin(l *logFile) {
	f.log = l
	f.rewriteAt = max(f.rewriteFrom, 2*l.end)
}

// syncDirectory makes the name of a new file last.
func syncDirectory(path string) error {
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}
