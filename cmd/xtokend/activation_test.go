package main

import (
	"bytes"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"xtokend/cmd/xtokend/internal/config"
	"xtokend/cmd/xtokend/internal/systemd"
)

func TestWhichSocketIsForWhichAddress(t *testing.T) {
	for _, c := range []struct {
		socket, address string
		want            bool
	}{
		{"127.0.0.1:5222", "127.0.0.1:5222", true},
		{"[::1]:5222", "[::1]:5222", true},
		{"0.0.0.0:5222", "0.0.0.0:5222", true},
		{"[::]:5222", "[::]:5222", true},
		{"0.0.0.0:5222", "[::]:5222", true}, // beside one for IPv6, or without IPv6
		{"[::]:5222", "0.0.0.0:5222", false},
		{"[::]:5222", "127.0.0.1:5222", false},
		{"0.0.0.0:5222", "127.0.0.1:5222", false},
		{"127.0.0.1:5222", "[::]:5222", false},
		{"[::1]:5222", "[::]:5222", false},
		{"[fe80::1%eth0]:5222", "[fe80::1%eth1]:5222", false},
		{"127.0.0.1:5222", "127.0.0.1:5223", false},
		{"127.0.0.1:5222", "127.0.0.1:0", false},
	} {
		socket := &systemd.Socket{Address: netip.MustParseAddrPort(c.socket)}
		if got := isFor(socket, netip.MustParseAddrPort(c.address)); got != c.want {
			t.Errorf("%s is for %s: %t", c.socket, c.address, got)
		}
	}
	if isFor(&systemd.Socket{}, netip.MustParseAddrPort("[::]:5222")) {
		t.Error("a socket without an address is for one")
	}
}

func TestWhatTheSocketsLackIsLogged(t *testing.T) {
	named := func(name, address string, v6 bool) *systemd.Socket {
		return &systemd.Socket{Name: name, Address: netip.MustParseAddrPort(address), IPv6Only: v6}
	}
	every := config.Listener{Scheme: config.XMPP, Address: netip.MustParseAddrPort("[::]:5222")}
	for name, c := range map[string]struct {
		sockets sockets
		want    string // the beginning of a message; empty: none
	}{
		"none":           {nil, ""},
		"one for all":    {sockets{named("a", "[::]:5222", false)}, ""},
		"one for each":   {sockets{named("a", "[::]:5222", true), named("b", "0.0.0.0:5222", false)}, ""},
		"no IPv6":        {sockets{named("a", "0.0.0.0:5222", false)}, ""},
		"no IPv4":        {sockets{named("a", "[::]:5222", true)}, "the service manager's socket takes IPv6 alone"},
		"another port":   {sockets{named("a", "[::]:5222", false), named("b", "[::]:5223", false)}, "the service manager listens at an address that listen does not name"},
		"not for TCP":    {sockets{{Name: "c"}}, "a socket of the service manager is none for TCP"},
		"another family": {sockets{named("a", "[::1]:5222", false)}, "the service manager listens at an address that listen does not name"},
	} {
		var log bytes.Buffer
		c.sockets.tell([]config.Listener{every}, slog.New(slog.NewTextHandler(&log, nil)))
		if got := log.String(); (c.want == "") != (got == "") || !strings.Contains(got, c.want) || strings.Count(got, "\n") > 1 {
			t.Errorf("%s: logged %q", name, got)
		}
	}
}

// A port that the manager has at a wider address is not taken, and cannot be opened.
func TestAPortThatTheManagerHasAtAnotherAddress(t *testing.T) {
	taken, err := net.Listen("tcp4", "0.0.0.0:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	port := strconv.Itoa(taken.Addr().(*net.TCPAddr).Port)
	s := sockets{{Name: "xtokend.socket", Address: netip.MustParseAddrPort("0.0.0.0:" + port)}}
	_, err = listen([]config.Listener{{Scheme: config.XMPP, Address: netip.MustParseAddrPort("127.0.0.1:" + port)}}, s)
	var f *failure
	want := "the service manager has this port at another address, 0.0.0.0:" + port +
		": write ListenStream=127.0.0.1:" + port + " in xtokend.socket, or that address in listen"
	if !errors.As(err, &f) || f.hint != want {
		t.Errorf("listening failed with %v, hint %q", err, f.hint)
	}
}

// failing is a listener that fails once, which whoever accepts has to log.
type failing struct {
	net.Listener
	failed bool
	fail   chan struct{} // closed when it shall
	again  chan struct{} // closed when it is asked again
}

func (l *failing) Accept() (net.Conn, error) {
	if !l.failed {
		l.failed = true
		<-l.fail
		return nil, &net.OpError{Op: "accept", Err: syscall.EMFILE}
	}
	close(l.again)
	return l.Listener.Accept()
}

// fullPipe is where a log goes that nobody reads.
type fullPipe struct{ entered, open chan struct{} }

func (p fullPipe) Write(b []byte) (int, error) {
	if bytes.Contains(b, []byte("accepting connections failed")) {
		p.entered <- struct{}{}
		<-p.open
	}
	return len(b), nil
}

// While nobody comes back to accept there is no sign of life; while somebody waits
// for a client there is.
func TestNoSignOfLifeWhileNobodyAccepts(t *testing.T) {
	pipe := fullPipe{make(chan struct{}), make(chan struct{})}
	cfg := load(t, t.TempDir(), "listen = ['xmpp://127.0.0.1:0']\n", "accounts = 'existing'\n")
	parts, err := build(cfg, slog.New(slog.NewTextHandler(pipe, nil)))
	if err != nil {
		t.Fatal(err)
	}
	defer parts.close()
	real, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	fake := &failing{Listener: real, fail: make(chan struct{}), again: make(chan struct{})}
	listening := newListening(parts, []*listener{{Listener: fake, settings: cfg.Listeners[0]}}, nil)
	manager, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: t.TempDir() + "/notify", Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer manager.Close()
	ops := &operations{parts: parts, log: slog.New(slog.DiscardHandler)}
	ops.served()
	s := newSupervision(systemd.Environment{NotifySocket: manager.LocalAddr().String(), Watchdog: time.Minute}, ops, listening)
	defer s.close()
	beat := func(alive bool) {
		t.Helper()
		s.tell(s.look())
		message := make([]byte, 4096)
		n, err := manager.Read(message)
		if err != nil {
			t.Fatal(err)
		}
		if got := string(message[:n]); alive != strings.Contains(got, "WATCHDOG=1") || alive == strings.Contains(got, "STATUS=stuck: nobody accepts at xmpp://127.0.0.1:0") {
			t.Errorf("told %q, alive %t", got, alive)
		}
	}
	beat(true) // nobody has begun
	listening.serve()
	close(fake.fail) // not before others have logged
	<-pipe.entered
	beat(true) // has come back since the last time
	for range 3 {
		beat(false)
	}
	close(pipe.open)
	<-fake.again
	beat(true)
	beat(true)

	listening.listeners[0].retired.Store(true)
	if err := parts.front.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	listening.wait()
	beat(true) // nobody accepts because nobody shall
	beat(true)
}
