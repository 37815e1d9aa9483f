//go:build linux && race

package socket

import (
	"errors"
	"syscall"
)

// Only through package syscall does the race detector know that what came before a write has happened before what comes
// after the read of it.

func read(fd uintptr, p []byte) (int, syscall.Errno)  { return call(syscall.Read, fd, p) }
func write(fd uintptr, p []byte) (int, syscall.Errno) { return call(syscall.Write, fd, p) }

func call(with func(fd int, p []byte) (int, error), fd uintptr, p []byte) (int, syscall.Errno) {
	for {
		n, err := with(int(fd), p)
		errno := syscall.Errno(0)
		if err == nil || errors.As(err, &errno) && errno != syscall.EINTR {
			return max(n, 0), errno
		}
	}
}
