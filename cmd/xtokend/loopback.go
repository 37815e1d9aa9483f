package main

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"syscall"
)

// loopbackHosts are the names of this machine on itself: where the demonstration
// may listen, and what browsers may call it by.
var loopbackHosts = []string{"localhost", "127.0.0.1", "::1"}

// portAttempts is how often a free port is looked for that is free on both
// addresses of localhost.
const portAttempts = 10

// loopbackAddress is one of loopbackHosts and a port, 0 for any free one.
type loopbackAddress struct {
	flag string // of the command line, for errors
	host string
	port uint16
}

// parseLoopback refuses whatever is not this machine alone.
func parseLoopback(flag, text string) (loopbackAddress, error) {
	const hint = "write localhost:5280, 127.0.0.1:5280 or [::1]:5280, say; port 0 is any free one"
	host, port, err := net.SplitHostPort(text)
	if err != nil {
		return loopbackAddress{}, usage(hint, "--%s: %q is not an address and a port", flag, text)
	}
	number, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return loopbackAddress{}, usage(hint, "--%s: %q is not a port", flag, port)
	}
	if !slices.Contains(loopbackHosts, host) {
		return loopbackAddress{}, usage(hint, "--%s: %q is not this machine alone, and anybody who reaches the demonstration may log in as anybody", flag, text)
	}
	return loopbackAddress{flag, host, uint16(number)}, nil
}

// String returns the address as it was written.
func (a loopbackAddress) String() string {
	return net.JoinHostPort(a.host, strconv.Itoa(int(a.port)))
}

// open listens on the address; for localhost on both of its own, as browsers take
// either, or on 127.0.0.1 alone on a machine without IPv6. The address that it
// returns has the port that was found.
func (a loopbackAddress) open() (loopbackAddress, []net.Listener, error) {
	listeners, err := a.listen()
	for range portAttempts - 1 {
		if a.port != 0 || !errors.Is(err, syscall.EADDRINUSE) {
			break
		}
		listeners, err = a.listen()
	}
	if err != nil {
		f := &failure{status: exitFailure, text: fmt.Sprintf("cannot listen on %s: %v", a, errors.Unwrap(err))}
		if errors.Is(err, syscall.EADDRINUSE) {
			f.hint = fmt.Sprintf("another program has this port: name another one with --%s, or 0 for any free one", a.flag)
		}
		return a, nil, f
	}
	a.port = uint16(listeners[0].Addr().(*net.TCPAddr).Port)
	return a, listeners, nil
}

func (a loopbackAddress) listen() ([]net.Listener, error) {
	if a.host != "localhost" {
		l, err := net.Listen("tcp", a.String())
		return []net.Listener{l}, err
	}
	four, err := net.Listen("tcp4", net.JoinHostPort("127.0.0.1", strconv.Itoa(int(a.port))))
	if err != nil {
		return nil, err
	}
	six, err := net.Listen("tcp6", net.JoinHostPort("::1", strconv.Itoa(four.Addr().(*net.TCPAddr).Port)))
	switch {
	case err == nil:
		return []net.Listener{four, six}, nil
	case errors.Is(err, syscall.EADDRNOTAVAIL), errors.Is(err, syscall.EAFNOSUPPORT):
		return []net.Listener{four}, nil
	}
	four.Close()
	return nil, err
}

// ownOrigins are those of a page at that port of this machine.
func (a loopbackAddress) ownOrigins() []string {
	origins := make([]string, len(loopbackHosts))
	for i, host := range loopbackHosts {
		origins[i] = "http://" + net.JoinHostPort(host, strconv.Itoa(int(a.port)))
	}
	return origins
}
