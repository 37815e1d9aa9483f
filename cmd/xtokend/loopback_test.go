package main

import (
	"errors"
	"net"
	"strconv"
	"strings"
	"testing"
)

func TestParseLoopback(t *testing.T) {
	for text, want := range map[string]string{
		"localhost:5280":             "",
		"localhost:0":                "",
		"127.0.0.1:65535":            "",
		"[::1]:5280":                 "",
		"":                           "not an address and a port",
		"localhost":                  "not an address and a port",
		"5280":                       "not an address and a port",
		"::1:5280":                   "not an address and a port",
		"localhost:65536":            "is not a port",
		"localhost:-1":               "is not a port",
		"localhost:http":             "is not a port",
		":5280":                      "not this machine alone",
		"0.0.0.0:5280":               "not this machine alone",
		"[::]:5280":                  "not this machine alone",
		"192.0.2.1:5280":             "not this machine alone",
		"127.0.0.2:5280":             "not this machine alone",
		"127.1:5280":                 "not this machine alone",
		"localhost.example.org:5280": "not this machine alone",
		"LOCALHOST.:5280":            "not this machine alone",
		"[::ffff:127.0.0.1]:5280":    "not this machine alone",
		"[::1%lo]:5280":              "not this machine alone",
	} {
		a, err := parseLoopback("listen", text)
		var f *failure
		switch {
		case want == "" && (err != nil || a.String() != text):
			t.Errorf("%q: %q, error %v", text, a, err)
		case want != "" && (!errors.As(err, &f) || f.status != exitUsage || !strings.Contains(f.text, want) || !strings.Contains(f.hint, "localhost:5280")):
			t.Errorf("%q: error %v, want %q", text, err, want)
		}
	}
}

// localhost is both of this machine's addresses, at one port.
func TestListenOnLocalhost(t *testing.T) {
	a, err := parseLoopback("listen", "localhost:0")
	if err != nil {
		t.Fatal(err)
	}
	found, listeners, err := a.open()
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		for _, l := range listeners {
			l.Close()
		}
	}()
	var got []string
	for _, l := range listeners {
		got = append(got, l.Addr().String())
	}
	port := strconv.Itoa(int(found.port))
	want := []string{"127.0.0.1:" + port, "[::1]:" + port}
	if !hasIPv6() {
		want = want[:1]
	}
	if found.port == 0 || strings.Join(got, " ") != strings.Join(want, " ") {
		t.Errorf("listening on %v, not %v", got, want)
	}
	if found.String() != "localhost:"+port {
		t.Errorf("the address is %s", found)
	}
}

// Whoever has one of the two addresses would get half of the requests.
func TestHalfOfLocalhostIsTaken(t *testing.T) {
	if !hasIPv6() {
		t.Log("this machine has one address of localhost only")
		return
	}
	taken, err := net.Listen("tcp6", "[::1]:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	port := taken.Addr().(*net.TCPAddr).Port
	_, _, err = loopbackAddress{"listen", "localhost", uint16(port)}.open()
	var f *failure
	if !errors.As(err, &f) || f.status != exitFailure || !strings.Contains(f.text, "address already in use") || !strings.Contains(f.hint, "--listen") {
		t.Errorf("error %v", err)
	}
	// Nothing is left open.
	four, err := net.Listen("tcp4", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if err != nil {
		t.Fatal(err)
	}
	four.Close()
}

func hasIPv6() bool {
	l, err := net.Listen("tcp6", "[::1]:0")
	if err == nil {
		l.Close()
	}
	return err == nil
}
