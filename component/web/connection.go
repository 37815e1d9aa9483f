package web

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
)

// proxyListener marks its connections as being for trusted proxies alone.
type proxyListener struct{ net.Listener }

type proxyConn struct{ net.Conn }

func (l proxyListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return proxyConn{conn}, nil
}

type connectionKey struct{}

// connection is what a request's context knows of its connection.
type connection struct {
	raw         net.Conn // as it was accepted, beneath TLS
	proxiesOnly bool
}

func withConnection(ctx context.Context, conn net.Conn) context.Context {
	c := connection{raw: conn}
	if t, ok := conn.(*tls.Conn); ok {
		c.raw = t.NetConn()
	}
	if p, ok := c.raw.(proxyConn); ok {
		c.raw, c.proxiesOnly = p.Conn, true
	}
	return context.WithValue(ctx, connectionKey{}, c)
}

func connectionOf(r *http.Request) connection {
	return r.Context().Value(connectionKey{}).(connection)
}
