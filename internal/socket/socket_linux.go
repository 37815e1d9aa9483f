package socket

import (
	"io"
	"syscall"
)

const known = true

// read reads once. It is not over if there is nothing to read yet.
func (t *transfer) read(fd uintptr) (over bool) {
	n, errno := read(fd, t.bytes)
	switch {
	case errno == syscall.EAGAIN:
		return false
	case errno != 0:
		t.err = errno
	case n == 0:
		t.err = io.EOF
	}
	t.n = n
	return true
}

// write writes what the peer takes. It is not over if that is not all.
func (t *transfer) write(fd uintptr) (over bool) {
	for t.n < len(t.bytes) {
		n, errno := write(fd, t.bytes[t.n:])
		switch errno {
		case 0:
			t.n += n
		case syscall.EAGAIN:
			return false
		default:
			t.err = errno
			return true
		}
	}
	return true
}
