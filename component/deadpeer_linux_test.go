package component

import (
	"net"
	"syscall"
	"testing"
	"time"
)

// wrapped is a connection on top of another, as TLS and WebSockets are.
type wrapped struct{ net.Conn }

func (w wrapped) NetConn() net.Conn { return w.Conn }

func TestADeadPeerIsNoticedBeneathAnyFraming(t *testing.T) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	conn, err := net.Dial("tcp4", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	newBoundedConn(wrapped{conn}, time.Second)
	raw, err := conn.(*net.TCPConn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	var got int
	raw.Control(func(fd uintptr) { got, err = syscall.GetsockoptInt(int(fd), syscall.IPPROTO_TCP, tcpUserTimeout) })
	if err != nil || got != int(deadPeerTimeout.Milliseconds()) {
		t.Errorf("the socket gives up after %d ms, %v", got, err)
	}
}
