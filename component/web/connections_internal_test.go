package web

import (
	"net"
	"net/http"
	"net/netip"
	"testing"

	"xtokend/internal/proxyheader"
)

// peerConn is a connection from an address, and knows whether it was closed.
type peerConn struct {
	net.Conn
	address netip.AddrPort
	closed  bool
}

func (c *peerConn) RemoteAddr() net.Addr { return net.TCPAddrFromAddrPort(c.address) }
func (c *peerConn) Close() error         { c.closed = true; return nil }

type connectionsScene struct {
	*connections
	reached map[string]int
}

func newConnectionsScene(l Limits) *connectionsScene {
	sc := &connectionsScene{reached: map[string]int{}}
	sc.connections = newConnections(l.withDefaults(), someTrusted, func(limit string) { sc.reached[limit]++ })
	return sc
}

func (sc *connectionsScene) arrive(address string) *peerConn {
	conn := &peerConn{address: netip.AddrPortFrom(netip.MustParseAddr(address), 4711)}
	sc.observe(conn, http.StateNew)
	return conn
}

// ask is a request that is answered until the test says otherwise.
func (sc *connectionsScene) ask(conn net.Conn, header *proxyheader.Header) (answered func()) {
	sc.identify(conn, header)
	return sc.answering(conn)
}

func (sc *connectionsScene) end(t *testing.T, conns ...*peerConn) {
	t.Helper()
	for _, conn := range conns {
		sc.observe(conn, http.StateClosed)
		sc.observe(conn, http.StateClosed)
	}
	if len(sc.open) != 0 || len(sc.perAddress) != 0 || sc.waiting.Len() != 0 {
		t.Errorf("something is left: %v, %v, %d", sc.open, sc.perAddress, sc.waiting.Len())
	}
}

func TestConnectionsOfAFloodMakeRoom(t *testing.T) {
	sc := newConnectionsScene(Limits{Connections: 10})
	first := sc.arrive("203.0.113.1")
	all := []*peerConn{first}
	for range 100 {
		all = append(all, sc.arrive("203.0.113.2"))
	}
	second := sc.arrive("203.0.113.3")
	all = append(all, second)
	if first.closed || second.closed || len(sc.open) != 10 {
		t.Errorf("closed: %v, %v; open: %d", first.closed, second.closed, len(sc.open))
	}
	if sc.reached["streams"] != 92 {
		t.Errorf("counted %v, want 92", sc.reached)
	}
	sc.end(t, all...)
}

// Whose request is being answered is not closed; whose is still to come is.
func TestConnectionsInUseDoNotMakeRoom(t *testing.T) {
	sc := newConnectionsScene(Limits{Connections: 2})
	held, slow := sc.arrive("203.0.113.1"), sc.arrive("203.0.113.1")
	answered := sc.ask(held, nil)
	sc.identify(slow, nil)
	third := sc.arrive("203.0.113.2")
	if held.closed || !slow.closed || third.closed {
		t.Errorf("closed: %v, %v, %v", held.closed, slow.closed, third.closed)
	}
	sc.ask(third, nil)
	if fourth := sc.arrive("203.0.113.3"); !fourth.closed {
		t.Error("there is no room, but the newest is not closed")
	}
	answered()
	fifth := sc.arrive("203.0.113.3")
	if !held.closed || fifth.closed {
		t.Errorf("closed: %v, %v", held.closed, fifth.closed)
	}
	sc.end(t, held, third, fifth)
}

func TestConnectionsOfOneAddress(t *testing.T) {
	named := &proxyheader.Header{Source: netip.MustParseAddrPort("203.0.113.7:4711")}
	for _, c := range []struct {
		name   string
		from   []string
		header *proxyheader.Header
		closed int // of those that have come
	}{
		{"below and at the limit", []string{"203.0.113.1", "203.0.113.1"}, nil, 0},
		{"above it", []string{"203.0.113.1", "203.0.113.1", "203.0.113.1"}, nil, 1},
		{"an IPv6 prefix", []string{"2001:db8:2::1", "2001:db8:2::2", "2001:db8:2::3"}, nil, 1},
		{"others", []string{"203.0.113.1", "203.0.113.1", "203.0.113.2", "203.0.113.3"}, nil, 0},
		{"a trusted proxy for many", []string{"192.0.2.1", "192.0.2.1", "192.0.2.1", "192.0.2.1"}, nil, 0},
		{"a trusted proxy for one", []string{"192.0.2.1", "192.0.2.1", "192.0.2.1", "192.0.2.1"}, named, 2},
		{"a trusted proxy for another one", []string{"192.0.2.1", "192.0.2.1", "192.0.2.1"},
			&proxyheader.Header{Source: netip.MustParseAddrPort("192.0.2.2:4711")}, 0},
		{"a trusted proxy for nobody", []string{"192.0.2.1", "192.0.2.1", "192.0.2.1"}, &proxyheader.Header{Local: true}, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			sc := newConnectionsScene(Limits{ConnectionsPerAddress: 2})
			var all []*peerConn
			for _, address := range c.from {
				conn := sc.arrive(address)
				for range 2 { // requests
					sc.ask(conn, c.header)()
				}
				all = append(all, conn)
			}
			closed := 0
			for _, conn := range all {
				if conn.closed {
					closed++
				}
			}
			if closed != c.closed || sc.reached["streams_per_address"] != c.closed || all[len(all)-1].closed {
				t.Errorf("%d were closed, want %d; counted %v", closed, c.closed, sc.reached)
			}
			sc.end(t, all...)
		})
	}
}
