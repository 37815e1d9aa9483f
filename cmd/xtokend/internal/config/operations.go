package config

import (
	"net/netip"
	"path/filepath"
	"strings"
)

// maxSocketPathBytes is what the address of a Unix socket holds on every system:
// 104 bytes on BSD, 108 on Linux, with a zero at the end.
const maxSocketPathBytes = 103

// admin reads admin, and returns the path of the socket; "" for none.
func (l *loader) admin(v value[string]) string {
	text := get(l, "admin", v, "")
	if text == "" {
		return ""
	}
	path, ok := strings.CutPrefix(text, "unix:")
	switch {
	case !ok || path == "" || strings.HasSuffix(path, "/"):
		l.fault("admin", `write "unix:/run/xtokend/admin.sock", say`, "%q is not the address of a Unix socket", text)
		return ""
	case strings.HasPrefix(path, "//") || strings.HasPrefix(path, "@"):
		l.fault("admin", `write "unix:/run/xtokend/admin.sock", say: who may connect is a matter of the file's permissions`, "%q is not the path of a file", path)
		return ""
	}
	path = filepath.Clean(l.path(path))
	if len(path) > maxSocketPathBytes {
		l.fault("admin", "choose a folder nearer to the root", "the path of the socket has %d bytes: %d are possible", len(path), maxSocketPathBytes)
	}
	return path
}

// metrics reads metrics; the zero AddrPort means none.
func (l *loader) metrics(v value[string], listeners []Listener) netip.AddrPort {
	text := get(l, "metrics", v, "")
	if text == "" {
		return netip.AddrPort{}
	}
	address, err := netip.ParseAddrPort(text)
	if err != nil {
		l.fault("metrics", `write "127.0.0.1:5290", say`, "%q is not an IP address and a port", text)
		return netip.AddrPort{}
	}
	address = netip.AddrPortFrom(address.Addr().Unmap(), address.Port())
	for _, other := range listeners {
		if other.Address == address && address.Port() != 0 {
			l.fault("metrics", "choose another port", "clients are served at %s", address)
		}
	}
	if !address.Addr().IsLoopback() {
		l.warn("metrics", `use 127.0.0.1 or [::1], or keep others away from the port`, "everybody who reaches %s can read the metrics", address)
	}
	return address
}
