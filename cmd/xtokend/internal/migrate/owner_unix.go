//go:build unix

package migrate

import (
	"io/fs"
	"os"
	"syscall"
)

// giveTo gives a file the owner and group of another, as far as one may: only root
// can give files away.
func giveTo(f *os.File, like fs.FileInfo) error {
	owner, ok := like.Sys().(*syscall.Stat_t)
	if !ok || os.Geteuid() != 0 {
		return nil
	}
	return f.Chown(int(owner.Uid), int(owner.Gid))
}
