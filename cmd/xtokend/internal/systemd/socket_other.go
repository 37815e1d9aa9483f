//go:build !linux

package systemd

import (
	"errors"
	"net"
	"net/netip"
	"os"
)

// Socket does not occur: systemd runs on Linux alone.
type Socket struct {
	Name     string
	Address  netip.AddrPort
	IPv6Only bool
}

// NewSocket fails.
func NewSocket(file *os.File, _ string) (*Socket, error) {
	file.Close()
	return nil, errors.New("LISTEN_FDS is for Linux alone")
}

// Listen fails.
func (s *Socket) Listen() (net.Listener, error) { return nil, errors.ErrUnsupported }

// Close does nothing.
func (s *Socket) Close() error { return nil }
