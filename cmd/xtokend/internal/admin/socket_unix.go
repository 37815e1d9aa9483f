//go:build unix

package admin

import "syscall"

// forOwnerAlone has files be made for their owner alone, whoever makes them, until
// restore is called.
func forOwnerAlone() (restore func()) {
	before := syscall.Umask(0o177)
	syscall.Umask(before | 0o177)
	return func() { syscall.Umask(before) }
}
