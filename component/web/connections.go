package web

import (
	"container/list"
	"crypto/tls"
	"net"
	"net/http"
	"sync"
)

// connections bounds the connections that wait for a request or are about one. A
// WebSocket is none of them: it is a stream of the front's. At the cap the
// connection that has waited longest is closed, so that a flood of silent ones
// cannot shut others out.
type connections struct {
	most int

	mu      sync.Mutex
	open    map[net.Conn]*list.Element // nil while a request is answered
	waiting *list.List                 // of net.Conn, the longest first
}

func newConnections(most int) *connections {
	return &connections{most: most, open: make(map[net.Conn]*list.Element), waiting: list.New()}
}

// observe is http.Server's ConnState.
func (c *connections) observe(conn net.Conn, state http.ConnState) {
	if surplus := c.update(conn, state); surplus != nil {
		// Without TLS's farewell, which might block.
		if t, ok := surplus.(*tls.Conn); ok {
			surplus = t.NetConn()
		}
		surplus.Close()
	}
}

// update returns a connection that must go; nil if none must.
func (c *connections) update(conn net.Conn, state http.ConnState) (surplus net.Conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	place, known := c.open[conn]
	switch state {
	case http.StateNew:
		if len(c.open) >= c.most {
			oldest := c.waiting.Front()
			if oldest == nil {
				return conn
			}
			surplus = c.waiting.Remove(oldest).(net.Conn)
			delete(c.open, surplus)
		}
		c.open[conn] = c.waiting.PushBack(conn)
	case http.StateActive:
		if place != nil {
			c.waiting.Remove(place)
			c.open[conn] = nil
		}
	case http.StateIdle:
		if known && place == nil {
			c.open[conn] = c.waiting.PushBack(conn)
		}
	case http.StateHijacked, http.StateClosed:
		if place != nil {
			c.waiting.Remove(place)
		}
		delete(c.open, conn)
	}
	return surplus
}
