package doctor

import (
	"encoding/binary"
	"net/netip"

	"golang.org/x/sys/unix"
)

const (
	// sockDiagByFamily, and what follows, are of <linux/sock_diag.h>,
	// <linux/inet_diag.h> and <net/tcp_states.h>.
	sockDiagByFamily = 20
	tcpListen        = 10

	netlinkHeaderBytes = 16
	diagRequestBytes   = 56
	diagMessageBytes   = 72
)

// backlog is how many connections may wait to be accepted at a port of this machine
// (listen(2)); 0: it is not known.
func backlog(at netip.AddrPort) int {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_SOCK_DIAG)
	if err != nil {
		return 0
	}
	defer unix.Close(fd)
	if unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Sec: 1}) != nil {
		return 0
	}
	least := 0
	for _, family := range []byte{unix.AF_INET, unix.AF_INET6} {
		for _, l := range listening(fd, family) {
			same := l.at.Addr() == at.Addr() || l.at.Addr().IsUnspecified()
			if l.at.Port() == at.Port() && same && (least == 0 || l.backlog < least) {
				least = l.backlog
			}
		}
	}
	return least
}

// listeningSocket is one that the kernel has told of.
type listeningSocket struct {
	at      netip.AddrPort
	backlog int
}

// listening asks for all listening TCP sockets of a family (sock_diag(7)).
func listening(fd int, family byte) []listeningSocket {
	request := make([]byte, netlinkHeaderBytes+diagRequestBytes)
	binary.NativeEndian.PutUint32(request[0:], uint32(len(request)))
	binary.NativeEndian.PutUint16(request[4:], sockDiagByFamily)
	binary.NativeEndian.PutUint16(request[6:], unix.NLM_F_REQUEST|unix.NLM_F_DUMP)
	request[netlinkHeaderBytes], request[netlinkHeaderBytes+1] = family, unix.IPPROTO_TCP
	binary.NativeEndian.PutUint32(request[netlinkHeaderBytes+4:], 1<<tcpListen)
	if unix.Sendto(fd, request, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}) != nil {
		return nil
	}
	var all []listeningSocket
	buf := make([]byte, 32<<10)
	for {
		n, _, err := unix.Recvfrom(fd, buf, 0)
		if err != nil {
			return all
		}
		for rest := buf[:n]; len(rest) >= netlinkHeaderBytes; {
			length := int(binary.NativeEndian.Uint32(rest))
			if length < netlinkHeaderBytes || length > len(rest) {
				return all
			}
			if binary.NativeEndian.Uint16(rest[4:]) != sockDiagByFamily { // the end, or an error
				return all
			}
			if s, ok := parseListening(rest[netlinkHeaderBytes:length]); ok {
				all = append(all, s)
			}
			rest = rest[min(len(rest), (length+3)&^3):]
		}
	}
}

// parseListening reads an inet_diag_msg: of a listening socket idiag_wqueue is its
// backlog.
func parseListening(message []byte) (s listeningSocket, ok bool) {
	if len(message) < diagMessageBytes {
		return s, false
	}
	port := binary.BigEndian.Uint16(message[4:])
	ip := netip.AddrFrom16([16]byte(message[8:24])).Unmap()
	if message[0] == unix.AF_INET {
		ip = netip.AddrFrom4([4]byte(message[8:12]))
	}
	return listeningSocket{netip.AddrPortFrom(ip, port), int(binary.NativeEndian.Uint32(message[60:]))}, true
}
