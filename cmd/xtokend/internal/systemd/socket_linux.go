package systemd

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"

	"golang.org/x/sys/unix"
)

// Socket is a listening socket that the manager holds open as well: what clients
// ask of it while nobody accepts waits for whoever accepts next.
type Socket struct {
	// Name is that of its socket unit, or the unit's FileDescriptorName.
	Name string
	// Address is zero if it is no TCP socket. IPv4 in IPv6 form does not occur.
	Address netip.AddrPort
	// IPv6Only says of a socket for IPv6 that it takes no clients by IPv4.
	IPv6Only bool

	file *os.File
}

// NewSocket takes over a descriptor. An error says that it is no listening socket; it
// is closed then.
func NewSocket(file *os.File, name string) (_ *Socket, err error) {
	fd := int(file.Fd())
	unix.CloseOnExec(fd)
	s := &Socket{Name: name, file: file}
	defer func() {
		if err != nil {
			s.Close()
		}
	}()
	if listening, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ACCEPTCONN); err != nil {
		return nil, fmt.Errorf("descriptor %d (%s) is no socket: %w", fd, name, err)
	} else if listening == 0 {
		return nil, fmt.Errorf("descriptor %d (%s) is no listening socket: its socket unit must have ListenStream= and Accept=no", fd, name)
	}
	l, err := s.Listen()
	if err != nil {
		return nil, fmt.Errorf("descriptor %d (%s): %w", fd, name, err)
	}
	defer l.Close()
	if tcp, ok := l.Addr().(*net.TCPAddr); ok {
		a := tcp.AddrPort()
		s.Address = netip.AddrPortFrom(a.Addr().Unmap(), a.Port())
		only, err := unix.GetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_V6ONLY)
		s.IPv6Only = err == nil && only != 0
	}
	return s, nil
}

// Listen returns a listener on the socket. To close it closes nothing but itself:
// neither the socket, nor the file of one in the file system.
func (s *Socket) Listen() (net.Listener, error) {
	l, err := net.FileListener(s.file)
	if err != nil {
		return nil, errors.Unwrap(err)
	}
	return l, nil
}

// Close gives the socket back to the manager, as far as no listener has it.
func (s *Socket) Close() error { return s.file.Close() }
