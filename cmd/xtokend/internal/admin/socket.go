package admin

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"syscall"
	"time"
)

// socketMode lets the daemon's user and group connect: connecting is writing.
const socketMode = 0o660

// liveTimeout bounds the wait for whoever is at a socket that is there already.
const liveTimeout = 2 * time.Second

// Errors of Listen, beside those of the system.
var (
	ErrRunning   = errors.New("another daemon answers there")
	ErrNotSocket = errors.New("there is a file that is no socket")
)

// Listen makes the socket. One that is there already is removed if nobody answers
// at it: a daemon that was killed has left it behind. The socket is never
// open to others than it is meant for, whatever the umask of the process is, and
// is removed when the listener is closed.
func Listen(ctx context.Context, path string) (net.Listener, error) {
	l, err := listen(path)
	if !errors.Is(err, syscall.EADDRINUSE) {
		return l, err
	}
	if err := removeStale(ctx, path); err != nil {
		return nil, err
	}
	return listen(path)
}

func listen(path string) (net.Listener, error) {
	restore := forOwnerAlone()
	l, err := net.Listen("unix", path)
	restore()
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(path, socketMode); err != nil {
		l.Close()
		return nil, err
	}
	return l, nil
}

func removeStale(ctx context.Context, path string) error {
	info, err := os.Lstat(path)
	switch {
	case err != nil:
		return err
	case info.Mode().Type() != fs.ModeSocket:
		return ErrNotSocket
	}
	ctx, done := context.WithTimeout(ctx, liveTimeout)
	defer done()
	conn, err := new(net.Dialer).DialContext(ctx, "unix", path)
	if err == nil {
		conn.Close()
		return ErrRunning
	}
	if !errors.Is(err, syscall.ECONNREFUSED) { // a full backlog, say, is somebody's
		return fmt.Errorf("%w: %w", ErrRunning, err)
	}
	return os.Remove(path)
}
