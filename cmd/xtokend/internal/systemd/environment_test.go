package systemd_test

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"xtokend/cmd/xtokend/internal/systemd"
)

// TestMain lets the test program be the one that a manager starts, too.
func TestMain(m *testing.M) {
	if os.Getenv("XTOKEND_TEST_CHILD") != "" {
		json.NewEncoder(os.Stdout).Encode(inherited())
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// inheritance is what a program has found.
type inheritance struct {
	Error    string
	Notify   string
	Watchdog time.Duration
	Sockets  []string // name, address, "IPv6 alone"
	Left     []string // variables
	Passed   []int    // those of the first few descriptors that a child would get
}

func inherited() (got inheritance) {
	env, err := systemd.Inherit()
	if err != nil {
		got.Error = err.Error()
	}
	got.Notify, got.Watchdog = env.NotifySocket, env.Watchdog
	for _, s := range env.Sockets {
		text := s.Name + " " + s.Address.String()
		if s.IPv6Only {
			text += " IPv6 alone"
		}
		got.Sockets = append(got.Sockets, text)
		conn, err := s.Listen()
		if err != nil {
			got.Error = err.Error()
			continue
		}
		conn.Close()
	}
	for _, variable := range os.Environ() {
		for _, prefix := range []string{"NOTIFY_", "WATCHDOG_", "LISTEN_"} {
			if strings.HasPrefix(variable, prefix) {
				got.Left = append(got.Left, variable)
			}
		}
	}
	for fd := 3; fd < 7; fd++ {
		if flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err == nil && flags&unix.FD_CLOEXEC == 0 {
			got.Passed = append(got.Passed, fd)
		}
	}
	return got
}

// start starts the test program as a manager does: PID in a variable is its own.
func start(t *testing.T, files []*os.File, variables ...string) (got inheritance) {
	t.Helper()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	script := `exec "$0"`
	for _, v := range variables {
		script = strings.ReplaceAll(v, "PID=PID", "PID=$$") + " " + script
	}
	c := exec.CommandContext(t.Context(), "sh", "-c", script, program)
	c.Env = append(os.Environ(), "XTOKEND_TEST_CHILD=1", "GORACE=atexit_sleep_ms=0")
	c.ExtraFiles = files
	out, err := c.Output()
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(out, &got); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return got
}

// socket listens and returns the descriptor, and the address.
func socket(t *testing.T, network, address string) (*os.File, string) {
	t.Helper()
	l, err := net.Listen(network, address)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if unix, ok := l.(*net.UnixListener); ok {
		unix.SetUnlinkOnClose(false)
	}
	file, err := l.(interface{ File() (*os.File, error) }).File()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { file.Close() })
	return file, l.Addr().String()
}

func TestWithoutAManager(t *testing.T) {
	if got := start(t, nil); !reflect.DeepEqual(got, inheritance{}) {
		t.Errorf("found %+v", got)
	}
}

func TestTheEnvironmentIsTaken(t *testing.T) {
	v4, v4Address := socket(t, "tcp4", "127.0.0.1:0")
	both, bothAddress := socket(t, "tcp", "[::]:0")
	v6, v6Address := socket(t, "tcp6", "[::1]:0")
	path := t.TempDir() + "/s"
	local, _ := socket(t, "unix", path)
	got := start(t, []*os.File{v4, both, v6, local},
		"NOTIFY_SOCKET=@there", "WATCHDOG_USEC=2000000", "WATCHDOG_PID=PID", "LISTEN_PID=PID", "LISTEN_FDS=4", "LISTEN_FDNAMES=one:two.socket::four")
	want := inheritance{
		Notify: "@there", Watchdog: 2 * time.Second,
		Sockets: []string{"one " + v4Address, "two.socket " + bothAddress, "LISTEN_FD_5 " + v6Address + " IPv6 alone", "four invalid AddrPort"},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("found %+v, want %+v", got, want)
	}
	if _, err := os.Stat(path); err != nil {
		t.Errorf("the file of a socket is gone: %v", err)
	}
}

// What was said to a parent, or to nobody that can be told, is taken out all the same.
func TestWhatIsSaidToAnotherProcess(t *testing.T) {
	file, _ := socket(t, "tcp4", "127.0.0.1:0")
	parent := strconv.Itoa(os.Getpid())
	got := start(t, []*os.File{file}, "WATCHDOG_USEC=2000000", "WATCHDOG_PID="+parent, "LISTEN_PID="+parent, "LISTEN_FDS=1")
	if want := (inheritance{Passed: []int{3}}); !reflect.DeepEqual(got, want) { // it is not ours to touch
		t.Errorf("found %+v, want %+v", got, want)
	}
}

func TestAnEnvironmentThatIsWrong(t *testing.T) {
	connected, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	notListening := os.NewFile(uintptr(connected), "socket")
	defer notListening.Close()
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	for name, c := range map[string]struct {
		file      *os.File
		variables []string
		want      string
	}{
		"watchdog is no number":     {null, []string{"WATCHDOG_USEC=soon"}, `WATCHDOG_USEC="soon" is not a time of a day at most`},
		"watchdog of no time":       {null, []string{"WATCHDOG_USEC=0"}, `WATCHDOG_USEC="0" is not a time of a day at most`},
		"watchdog of centuries":     {null, []string{"WATCHDOG_USEC=9223372036854775807"}, `WATCHDOG_USEC="9223372036854775807" is not a time of a day at most`},
		"descriptors are no number": {null, []string{"LISTEN_PID=PID", "LISTEN_FDS=all"}, `LISTEN_FDS="all" is not a number of descriptors`},
		"descriptors below zero":    {null, []string{"LISTEN_PID=PID", "LISTEN_FDS=-1"}, `LISTEN_FDS="-1" is not a number of descriptors`},
		"too many descriptors":      {null, []string{"LISTEN_PID=PID", "LISTEN_FDS=1025"}, `LISTEN_FDS="1025" is not a number of descriptors`},
		"no socket":                 {null, []string{"LISTEN_PID=PID", "LISTEN_FDS=1"}, "descriptor 3 (LISTEN_FD_3) is no socket: socket operation on non-socket"},
		"nobody listens": {notListening, []string{"LISTEN_PID=PID", "LISTEN_FDS=1"},
			"descriptor 3 (LISTEN_FD_3) is no listening socket: its socket unit must have ListenStream= and Accept=no"},
	} {
		if got := start(t, []*os.File{c.file}, c.variables...); got.Error != c.want || len(got.Left) > 0 || got.Sockets != nil {
			t.Errorf("%s: found %s", name, fmt.Sprintf("%+v", got))
		}
	}
}
