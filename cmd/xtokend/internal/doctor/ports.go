package doctor

import (
	"context"
	"errors"
	"maps"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"syscall"

	"xtokend/cmd/xtokend/internal/config"
)

// ports looks whether the listeners of the settings can be opened, and whether one of
// them is where a server is looked for.
func (x *examination) ports(ctx context.Context) {
	x.loops()
	a := x.about(TopicPorts, "")
	if x.Running {
		a.ok("xtokend runs, and has its ports")
		return
	}
	free := true
	for _, l := range x.Listeners {
		opened, err := net.Listen("tcp", l.Address.String())
		if err == nil {
			opened.Close()
			continue
		}
		free = false
		switch {
		case errors.Is(err, syscall.EADDRINUSE):
			a.fail(x.whoHas(ctx, l), "%s is taken by another program", l)
		case errors.Is(err, syscall.EADDRNOTAVAIL):
			a.fail("write an address of this machine, or [::] for all", "%s: this machine has no such address", l)
		case errors.Is(err, syscall.EACCES):
			free = true
			a.skip("%s: whether the port is free can be seen by root alone", l)
		default:
			a.fail("see `ip address` and `ss -tlnp`", "%s cannot be opened: %v", l, errors.Unwrap(err))
		}
	}
	others := map[string]netip.AddrPort{"metrics": x.Metrics}
	if x.HTTPAuth != nil {
		others["http_auth.listen"] = x.HTTPAuth.Listener.Address
	}
	for _, key := range slices.Sorted(maps.Keys(others)) {
		if !others[key].IsValid() {
			continue
		}
		if opened, err := net.Listen("tcp", others[key].String()); err == nil {
			opened.Close()
		} else {
			free = false
			a.fail("see who has it with `ss -tlnp`, and give "+key+" another port", "%s: %s cannot be opened: %v", key, others[key], errors.Unwrap(err))
		}
	}
	if free {
		a.ok("the ports of the settings are free")
	}
}

// whoHas says what to do about a taken port, by what answers there.
func (x *examination) whoHas(ctx context.Context, l config.Listener) string {
	const hint = "see who has it with `ss -tlnp`; "
	if l.IsWeb() {
		return hint + "on Prosody HTTP has 5280 and 5281: give it others by http_ports and https_ports, or xtokend by listen"
	}
	for i := range x.Domains {
		ctx, cancel := context.WithTimeout(ctx, dialTimeout)
		c, err := connect(ctx, route{Target: Target{l, Reachable(l.Address)}}, x.Domains[i].Name)
		if err == nil {
			c.close()
		}
		cancel()
		if err == nil {
			return `an XMPP server of ` + x.Domains[i].Name + ` answers there: move its client port to loopback (on Prosody c2s_ports = { 5322 }, c2s_interfaces = { "127.0.0.1" }), or end the xtokend that runs`
		}
	}
	return hint + "if it is systemd, for xtokend.socket, all is well: start xtokend"
}

// loops finds a server's address that is one of xtokend's own.
func (x *examination) loops() {
	for i := range x.Domains {
		d := &x.Domains[i]
		for _, address := range d.Server.Addresses {
			host, port, err := net.SplitHostPort(address)
			ip, ierr := netip.ParseAddr(host)
			number, perr := strconv.ParseUint(port, 10, 16)
			if err != nil || ierr != nil || perr != nil {
				continue
			}
			for _, l := range x.Listeners {
				if l.Address.Port() == uint16(number) && (l.Address.Addr() == ip.Unmap() || l.Address.Addr().IsUnspecified() && ip.IsLoopback()) {
					x.about(TopicPorts, d.Name).fail("give the server's client port another number, 5322 say, there and in addresses of [domain.server]",
						"%s is xtokend's own listener and the address of the server: xtokend would connect to itself", l)
				}
			}
		}
	}
}

// Reachable is where a listener is reached from this machine, a host:port. One at [::]
// is reached at localhost: there may be no IPv6.
func Reachable(address netip.AddrPort) string {
	switch ip := address.Addr(); {
	case ip == netip.IPv6Unspecified():
		return net.JoinHostPort("localhost", strconv.Itoa(int(address.Port())))
	case ip == netip.IPv4Unspecified():
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), address.Port()).String()
	}
	return address.String()
}
