package systemd

import (
	"log/slog"
	"net"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	// waitingMessages may wait for a manager that does not read; more are left out.
	waitingMessages = 16
	// closeTimeout bounds the wait for it at the end.
	closeTimeout = time.Second
)

// Assignments that a message is made of (sd_notify(3)).
const (
	Ready    = "READY=1"
	Stopping = "STOPPING=1"
	Alive    = "WATCHDOG=1"
)

// Status is a line for people, shown by `systemctl status`.
func Status(text string) string { return "STATUS=" + strings.ReplaceAll(text, "\n", "; ") }

// Reloading says that the settings are read again, until the next [Ready].
func Reloading() string {
	return "RELOADING=1\nMONOTONIC_USEC=" + strconv.FormatInt(monotonic().Microseconds(), 10)
}

// Notifier tells the manager how the program is. Nobody ever waits for a manager
// that does not listen, but Close for a second. The methods may be called from any
// goroutine, and on a nil Notifier, which tells nobody.
type Notifier struct {
	socket  string
	log     *slog.Logger
	waiting chan string
	sending sync.WaitGroup
	failed  bool // the last message; for the goroutine that sends

	mu   sync.Mutex
	last time.Time     // when all must have been sent; zero before Close
	conn *net.UnixConn // in use now, or nil
}

// NewNotifier returns a Notifier for a NotifySocket, nil if that is empty. It must
// be closed.
func NewNotifier(socket string, log *slog.Logger) *Notifier {
	if socket == "" {
		return nil
	}
	n := &Notifier{socket: socket, log: log, waiting: make(chan string, waitingMessages)}
	n.sending.Go(func() {
		for message := range n.waiting {
			n.report(n.send(message))
		}
	})
	return n
}

// Notify sends one message.
func (n *Notifier) Notify(assignments ...string) {
	if n == nil {
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if !n.last.IsZero() {
		return
	}
	select {
	case n.waiting <- strings.Join(assignments, "\n"):
	default:
	}
}

// Close returns when all has been sent, or its time is over.
func (n *Notifier) Close() {
	if n == nil {
		return
	}
	n.mu.Lock()
	if n.last.IsZero() {
		n.last = time.Now().Add(closeTimeout)
		close(n.waiting)
		if n.conn != nil {
			n.conn.SetWriteDeadline(n.last)
		}
	}
	n.mu.Unlock()
	n.sending.Wait()
}

// send connects anew for each message: a manager that was started again has a new
// socket.
func (n *Notifier) send(message string) error {
	conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: n.socket, Net: "unixgram"})
	if err != nil {
		return err
	}
	defer conn.Close()
	n.use(conn)
	defer n.use(nil)
	_, err = conn.Write([]byte(message))
	return err
}

// use has Close bound the time that a connection, if it is not nil, may take.
func (n *Notifier) use(conn *net.UnixConn) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.conn = conn
	if conn != nil {
		conn.SetWriteDeadline(n.last)
	}
}

// report logs the first of several failures.
func (n *Notifier) report(err error) {
	if err != nil && !n.failed {
		n.log.Warn("the service manager cannot be told how the program is", "socket", n.socket, "error", err)
	}
	n.failed = err != nil
}
