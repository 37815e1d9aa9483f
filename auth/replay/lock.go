package replay

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// lockRetry is how often a lock that another process holds is tried for: flock(2) knows no wait that ends.
const lockRetry = 20 * time.Millisecond

var errLocked = errors.New("another process holds it")

// openLocked opens the file at path, or makes it, and locks it.
func openLocked(path string, timeout time.Duration) (*os.File, error) {
	deadline := time.Now().Add(timeout)
	for {
		file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil, fmt.Errorf("replay: make the directory of %s first: %w", path, err)
		case err != nil:
			return nil, fmt.Errorf("replay: cannot open %s: %w", path, err)
		}
		err = lock(file, deadline)
		if err == nil && isAt(file, path) {
			return file, nil
		}
		_ = file.Close()
		switch {
		case errors.Is(err, errLocked), err == nil && time.Now().After(deadline):
			return nil, fmt.Errorf("replay: another xtokend holds %s: stop it, or name another path", path)
		case err != nil:
			return nil, fmt.Errorf("replay: cannot lock %s: %w", path, err)
		}
		// Who had the lock has put a new file in the place of this one.
	}
}

// lock tries once, and until the deadline.
func lock(file *os.File, deadline time.Time) error {
	for {
		err := unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case !errors.Is(err, unix.EWOULDBLOCK):
			return err
		case time.Now().After(deadline):
			return errLocked
		}
		time.Sleep(lockRetry)
	}
}

// isAt tells whether path names the open file.
func isAt(file *os.File, path string) bool {
	opened, err := file.Stat()
	if err != nil {
		return false
	}
	named, err := os.Stat(path)
	return err == nil && os.SameFile(opened, named)
}
