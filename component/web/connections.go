package web

import (
	"net"
	"net/http"
	"net/netip"
	"sync"

	"xtokend/component"
	"xtokend/internal/longestqueue"
	"xtokend/internal/proxyheader"
)

// connections bounds the connections over which requests come. A WebSocket is
// none of them: it is a stream of the front's. Those for which no whole request
// is being answered make room for others: at the cap, of the address that has
// most of them the one that has waited longest, so that a flood of silent or slow
// ones cannot shut others out.
//
// Connections of trusted proxies may be many clients': they have no limit for
// each address, unless a PROXY header says whose one is.
type connections struct {
	reached func(limit string)

	mu         sync.Mutex
	limits     Limits
	trusted    []netip.Prefix
	open       map[net.Conn]*place // by the connection beneath TLS
	waiting    longestqueue.Set[netip.Prefix, net.Conn]
	perAddress map[netip.Prefix]int
}

// place is that of one connection.
type place struct {
	holder  netip.Prefix
	shared  bool // by many clients, as far as is known
	asked   bool // a request has come
	answers int  // under way
	entry   *longestqueue.Entry[netip.Prefix, net.Conn]
}

func newConnections(l Limits, trusted []netip.Prefix, reached func(string)) *connections {
	return &connections{limits: l, trusted: trusted, reached: reached,
		open: make(map[net.Conn]*place), perAddress: make(map[netip.Prefix]int)}
}

// limit changes the limits for connections that come from now on.
func (c *connections) limit(l Limits, trusted []netip.Prefix) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.limits, c.trusted = l, trusted
}

// observe is http.Server's ConnState.
func (c *connections) observe(conn net.Conn, state http.ConnState) {
	raw := beneathTLS(conn)
	switch state {
	case http.StateNew:
		c.closeAll(c.add(raw))
	case http.StateHijacked, http.StateClosed:
		c.mu.Lock()
		defer c.mu.Unlock()
		c.remove(raw)
	}
}

// closeAll closes without TLS's farewell, which might block.
func (c *connections) closeAll(surplus []net.Conn) {
	for _, raw := range surplus {
		raw.Close()
	}
}

// add returns the connections that must go.
func (c *connections) add(raw net.Conn) (surplus []net.Conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	address := addressOf(raw.RemoteAddr())
	p := &place{shared: isTrusted(address, c.trusted)}
	c.open[raw] = p
	c.hold(raw, p, address)
	surplus = c.displace(p)
	if len(c.open) > c.limits.Connections {
		// There is one: the new connection itself waits.
		surplus = append(surplus, c.evict(c.waiting.Victim(), "streams"))
	}
	return surplus
}

// hold puts a connection among those that wait, as one of address.
func (c *connections) hold(raw net.Conn, p *place, address netip.Addr) {
	p.holder = component.AddressPrefix(address, c.limits.IPv6Prefix)
	p.entry = c.waiting.Push(p.holder, raw)
	if !p.shared {
		c.perAddress[p.holder]++
	}
}

// displace makes an address keep to its limit.
func (c *connections) displace(p *place) []net.Conn {
	if p.shared || c.limits.ConnectionsPerAddress <= 0 || c.perAddress[p.holder] <= c.limits.ConnectionsPerAddress {
		return nil
	}
	return []net.Conn{c.evict(c.waiting.Oldest(p.holder), "streams_per_address")}
}

func (c *connections) evict(e *longestqueue.Entry[netip.Prefix, net.Conn], limit string) net.Conn {
	c.reached(limit)
	c.remove(e.Value)
	return e.Value
}

func (c *connections) remove(raw net.Conn) {
	p := c.open[raw]
	if p == nil {
		return
	}
	delete(c.open, raw)
	c.letGo(p)
}

func (c *connections) letGo(p *place) {
	c.waiting.Remove(p.entry)
	if p.shared {
		return
	}
	if c.perAddress[p.holder]--; c.perAddress[p.holder] <= 0 {
		delete(c.perAddress, p.holder)
	}
}

// identify takes the client that a PROXY header names for whoever has the
// connection. It is called with each request.
func (c *connections) identify(raw net.Conn, header *proxyheader.Header) {
	c.closeAll(c.rename(raw, header))
}

func (c *connections) rename(raw net.Conn, header *proxyheader.Header) []net.Conn {
	c.mu.Lock()
	defer c.mu.Unlock()
	p := c.open[raw]
	if p == nil || p.asked {
		return nil
	}
	p.asked = true
	if header == nil || !header.Source.IsValid() {
		return nil
	}
	c.letGo(p)
	p.shared = isTrusted(header.Source.Addr(), c.trusted)
	c.hold(raw, p, header.Source.Addr())
	return c.displace(p)
}

// answering says that a whole request has come, and returns what to call when it
// has been answered.
func (c *connections) answering(raw net.Conn) (answered func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	p := c.open[raw]
	if p == nil {
		return func() {}
	}
	p.answers++
	c.waiting.Remove(p.entry)
	return func() { c.answered(raw, p) }
}

func (c *connections) answered(raw net.Conn, p *place) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if p.answers--; p.answers == 0 && c.open[raw] == p {
		p.entry = c.waiting.Push(p.holder, raw)
	}
}
