//go:build !linux

package doctor

import "net/netip"

// backlog is not known on this system.
func backlog(netip.AddrPort) int { return 0 }
