package server

import (
	"context"
	"fmt"
	"net"
	"net/netip"

	"github.com/pires/go-proxyproto"

	"xtokend/component/upstream"
)

// sendProxyHeader tells the server whose stream the connection is for, by a
// header of the PROXY protocol, version 2. A connection for nobody in particular
// is said to be our own: with the command LOCAL, which is meant for that, the
// header may have no addresses, and ejabberd would wait for some.
func sendProxyHeader(ctx context.Context, conn net.Conn) error {
	source := conn.LocalAddr()
	if client := upstream.ClientOf(ctx); client.IsValid() {
		// The port is not known of a client behind an HTTP proxy: none is told.
		source = net.TCPAddrFromAddrPort(netip.AddrPortFrom(client.Unmap().WithZone(""), 0))
	}
	header, err := proxyproto.HeaderProxyFromAddrs(2, source, conn.RemoteAddr()).Format()
	if err != nil {
		return fmt.Errorf("PROXY header: %w", err)
	}
	if _, err := conn.Write(header); err != nil {
		return fmt.Errorf("PROXY header: %w", err)
	}
	return nil
}
