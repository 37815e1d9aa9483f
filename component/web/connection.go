package web

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
)

// proxyListener is for trusted proxies alone.
type proxyListener struct{ net.Listener }

type connectionKey struct{}

// connection is what a request's context knows of how it came.
type connection struct {
	raw         net.Conn // as it was accepted, beneath TLS
	listener    net.Addr // as it was bound: not loopback if it is a wildcard
	proxiesOnly bool
}

func withListener(l net.Listener) context.Context {
	_, proxiesOnly := l.(proxyListener)
	return context.WithValue(context.Background(), connectionKey{}, connection{listener: l.Addr(), proxiesOnly: proxiesOnly})
}

func withConnection(ctx context.Context, conn net.Conn) context.Context {
	c := ctx.Value(connectionKey{}).(connection)
	c.raw = conn
	if t, ok := conn.(*tls.Conn); ok {
		c.raw = t.NetConn()
	}
	return context.WithValue(ctx, connectionKey{}, c)
}

func connectionOf(r *http.Request) connection {
	return r.Context().Value(connectionKey{}).(connection)
}
