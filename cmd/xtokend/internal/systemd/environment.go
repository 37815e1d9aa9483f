// Package systemd is what a service manager tells a program at its start, and what
// the program tells it: readiness and watchdog (sd_notify(3)), and sockets that the
// manager has opened (sd_listen_fds(3)). Without such a manager there is nothing of
// it, and all goes on by itself.
package systemd

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// firstDescriptor is SD_LISTEN_FDS_START.
const firstDescriptor = 3

// mostDescriptors bounds what LISTEN_FDS may say.
const mostDescriptors = 1024

// Environment is what the manager says. The zero value is that of none.
type Environment struct {
	// NotifySocket is where the manager listens: a path, or a name in the abstract
	// namespace that begins with "@". Empty: nowhere.
	NotifySocket string
	// Watchdog is the time within which the manager wants to hear that the program
	// is alive, or it kills it. Zero: it does not.
	Watchdog time.Duration
	// Sockets are open until they are closed.
	Sockets []*Socket
}

// Inherit reads the environment, and takes out of it what is meant for this process
// alone, so that none that it starts takes it for its own. The descriptors are not
// passed on either. It must be called once, before anything opens a file. An error
// says which variable is wrong, or which descriptor is no listening socket.
func Inherit() (Environment, error) {
	take := func(name string) string {
		value := os.Getenv(name)
		os.Unsetenv(name)
		return value
	}
	e := Environment{NotifySocket: take("NOTIFY_SOCKET")}
	watchdog, watched := take("WATCHDOG_USEC"), take("WATCHDOG_PID")
	count, listening, names := take("LISTEN_FDS"), take("LISTEN_PID"), take("LISTEN_FDNAMES")

	if watchdog != "" && (watched == "" || isOurs(watched)) {
		µs, err := strconv.ParseInt(watchdog, 10, 64)
		if err != nil || µs <= 0 || µs > int64(24*time.Hour/time.Microsecond) {
			return Environment{}, fmt.Errorf("WATCHDOG_USEC=%q is not a time of a day at most", watchdog)
		}
		e.Watchdog = time.Duration(µs) * time.Microsecond
	}
	if count == "" || !isOurs(listening) {
		return e, nil
	}
	n, err := strconv.Atoi(count)
	if err != nil || n < 0 || n > mostDescriptors {
		return Environment{}, fmt.Errorf("LISTEN_FDS=%q is not a number of descriptors", count)
	}
	if e.Sockets, err = sockets(n, strings.Split(names, ":")); err != nil {
		return Environment{}, err
	}
	return e, nil
}

// isOurs says whether what is said is said to this process.
func isOurs(pid string) bool { return pid == strconv.Itoa(os.Getpid()) }

// sockets takes over n descriptors, or none.
func sockets(n int, names []string) ([]*Socket, error) {
	var all []*Socket
	var failed error
	for i := range n {
		name := "LISTEN_FD_" + strconv.Itoa(firstDescriptor+i)
		if i < len(names) && names[i] != "" {
			name = names[i]
		}
		s, err := NewSocket(os.NewFile(uintptr(firstDescriptor+i), name), name)
		if err != nil && failed == nil {
			failed = err
		}
		if err == nil {
			all = append(all, s)
		}
	}
	if failed != nil {
		for _, s := range all {
			s.Close()
		}
		return nil, failed
	}
	return all, nil
}
