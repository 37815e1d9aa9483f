package web

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"

	"xtokend/internal/proxyheader"
	"xtokend/internal/socket"
)

// listener passes on the connections of trusted proxies as such that may begin
// with a PROXY header.
type listener struct {
	net.Listener
	server      *Server
	proxiesOnly bool
}

// Accept implements net.Listener. It waits for no header.
func (l listener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return proxyheader.From(socket.Wrap(conn), l.server.settings.Load().trusted, func(peer net.Addr, err error) {
		if omitted, ok := l.server.storms.Allow("proxy header"); ok {
			l.server.log.Warn("a trusted proxy has sent a PROXY header that is none: its connection is closed",
				"proxy", peer.String(), "error", err, "similar_lines_omitted", omitted)
		}
	}), nil
}

type connectionKey struct{}

// connection is what a request's context knows of how it came.
type connection struct {
	raw         net.Conn // as it was accepted, beneath TLS
	listener    net.Addr // as it was bound: not loopback if it is a wildcard
	proxiesOnly bool
}

func withListener(l net.Listener) context.Context {
	ours, _ := l.(listener)
	return context.WithValue(context.Background(), connectionKey{}, connection{listener: l.Addr(), proxiesOnly: ours.proxiesOnly})
}

func withConnection(ctx context.Context, conn net.Conn) context.Context {
	c := ctx.Value(connectionKey{}).(connection)
	c.raw = beneathTLS(conn)
	return context.WithValue(ctx, connectionKey{}, c)
}

func connectionOf(r *http.Request) connection {
	return r.Context().Value(connectionKey{}).(connection)
}

func beneathTLS(conn net.Conn) net.Conn {
	if t, ok := conn.(*tls.Conn); ok {
		return t.NetConn()
	}
	return conn
}

// proxyHeader is what the connection began with; nil for nothing. It has been
// read when a request is there.
func (c connection) proxyHeader() *proxyheader.Header {
	if conn, ok := c.raw.(*proxyheader.Conn); ok {
		header, _ := conn.Header()
		return header
	}
	return nil
}
