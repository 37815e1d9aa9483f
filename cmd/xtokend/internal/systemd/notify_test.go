package systemd_test

import (
	"bytes"
	"log/slog"
	"net"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"xtokend/cmd/xtokend/internal/systemd"
)

// managerAt listens as a service manager does.
func managerAt(t *testing.T, socket string) *net.UnixConn {
	t.Helper()
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: socket, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

func read(t *testing.T, from *net.UnixConn) string {
	t.Helper()
	message := make([]byte, 4096)
	n, err := from.Read(message)
	if err != nil {
		t.Fatal(err)
	}
	return string(message[:n])
}

func TestTheManagerIsTold(t *testing.T) {
	defer goleak.VerifyNone(t)
	path := filepath.Join(t.TempDir(), "notify")
	for name, socket := range map[string]string{"a path": path, "an abstract name": "@" + path} {
		t.Run(name, func(t *testing.T) {
			manager := managerAt(t, socket)
			n := systemd.NewNotifier(socket, slog.New(slog.DiscardHandler))
			n.Notify(systemd.Ready, systemd.Status("one\ntwo"))
			n.Notify(systemd.Reloading())
			n.Notify(systemd.Stopping)
			n.Close()
			n.Notify(systemd.Alive) // is told to nobody
			n.Close()
			if got := read(t, manager); got != "READY=1\nSTATUS=one; two" {
				t.Errorf("told %q", got)
			}
			µs, ok := strings.CutPrefix(read(t, manager), "RELOADING=1\nMONOTONIC_USEC=")
			if at, err := strconv.ParseInt(µs, 10, 64); !ok || err != nil || at <= 0 {
				t.Errorf("the reload is at %q", µs)
			}
			if got := read(t, manager); got != "STOPPING=1" {
				t.Errorf("told %q", got)
			}
		})
	}
}

func TestNobodyIsTold(t *testing.T) {
	n := systemd.NewNotifier("", slog.New(slog.DiscardHandler))
	n.Notify(systemd.Ready)
	n.Close()
}

// A manager that does not read, or is not there, holds nobody up.
func TestAManagerThatDoesNotListen(t *testing.T) {
	defer goleak.VerifyNone(t)
	deaf := filepath.Join(t.TempDir(), "deaf")
	managerAt(t, deaf)
	for name, c := range map[string]struct {
		socket string
		logged int
	}{
		"does not read": {deaf, 1}, "is not there": {filepath.Join(t.TempDir(), "none"), 1}, "is no socket": {"vsock:2:1234", 1},
	} {
		t.Run(name, func(t *testing.T) {
			var log bytes.Buffer
			n := systemd.NewNotifier(c.socket, slog.New(slog.NewTextHandler(&log, nil)))
			for range 10000 { // more than a socket holds
				n.Notify(systemd.Alive)
			}
			n.Close()
			if got := strings.Count(log.String(), "the service manager cannot be told how the program is"); got != c.logged {
				t.Errorf("%d lines:\n%s", got, log.String())
			}
		})
	}
}
