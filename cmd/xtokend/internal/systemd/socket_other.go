//go:build !linux

package systemd

import (
	"errors"
	"net"
	"net/netip"
)

// Socket does not occur: systemd runs on Linux alone.
type Socket struct {
	Name     string
	Address  netip.AddrPort
	IPv6Only bool
}

func newSocket(int, string) (*Socket, error) {
	return nil, errors.New("LISTEN_FDS is for Linux alone")
}

// Listen fails.
func (s *Socket) Listen() (net.Listener, error) { return nil, errors.ErrUnsupported }

// Close does nothing.
func (s *Socket) Close() error { return nil }
