//go:build !linux

package component

import "net"

// setDeadPeerTimeout leaves it to the kernel when a peer is dead.
func setDeadPeerTimeout(*net.TCPConn) {}
