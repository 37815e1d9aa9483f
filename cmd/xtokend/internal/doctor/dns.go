package doctor

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"xtokend/cmd/xtokend/internal/config"
)

const (
	lookupTimeout = 10 * time.Second
	// mostRecords and mostAddresses bound what is tried of what the DNS says.
	mostRecords   = 8
	mostAddresses = 4

	defaultPort = 5222 // RFC 6120 §3.2.2
)

// dns looks where the DNS leads clients that know the domain alone (RFC 6120 §3.2,
// XEP-0368 §3).
func (x *examination) dns(ctx context.Context, d *Domain) {
	a := x.about(TopicDNS, d.Name)
	name := asciiName(d.Name)
	if _, err := netip.ParseAddr(strings.Trim(name, "[]")); err == nil || !strings.Contains(name, ".") {
		a.skip("%s is no name of the DNS", d.Name)
		return
	}
	for _, kind := range []struct {
		service string
		scheme  config.Scheme
	}{{"xmpp-client", config.XMPP}, {"xmpps-client", config.XMPPS}} {
		records, err := x.lookupSRV(ctx, kind.service, name)
		switch {
		case err != nil:
			a.warn("see the DNS servers of this machine, and those of the domain", "_%s._tcp.%s cannot be looked up: %v", kind.service, name, err)
		case len(records) > 0:
			x.records(ctx, d, a, kind.service, kind.scheme, records)
		case kind.scheme == config.XMPP:
			x.withoutRecord(ctx, d, a, name)
		case x.listens(config.XMPPS) > 0:
			a.warn(fmt.Sprintf("add: _xmpps-client._tcp.%s. IN SRV 0 0 %d %s.", name, x.listens(config.XMPPS), name),
				"there is no record _xmpps-client._tcp.%s: clients do not find the port for direct TLS", name)
		}
	}
}

// lookupSRV returns the records; none is no error.
func (x *examination) lookupSRV(ctx context.Context, service, name string) ([]*net.SRV, error) {
	ctx, cancel := context.WithTimeout(ctx, lookupTimeout)
	defer cancel()
	_, records, err := x.Resolver.LookupSRV(ctx, service, "tcp", name+".")
	var missing *net.DNSError
	if errors.As(err, &missing) && missing.IsNotFound {
		return nil, nil
	}
	return records[:min(len(records), mostRecords)], err
}

// listens is the first port of the settings with that scheme, 0 if there is none.
func (x *examination) listens(s config.Scheme) uint16 {
	for _, l := range x.Listeners {
		if l.Scheme == s {
			return l.Address.Port()
		}
	}
	return 0
}

// withoutRecord looks where clients go that find no record: to the domain's own
// address (RFC 6120 §3.2.2).
func (x *examination) withoutRecord(ctx context.Context, d *Domain, a about, name string) {
	port := x.listens(config.XMPP)
	if port == 0 {
		a.ok("there is no record _xmpp-client._tcp.%s, and no listener for it", name)
		return
	}
	add := fmt.Sprintf("add: _xmpp-client._tcp.%s. IN SRV 0 0 %d the name of this machine", name, port)
	if port != defaultPort {
		a.warn(add, "there is no record _xmpp-client._tcp.%s: clients look at port %d, and xtokend listens at %d", name, defaultPort, port)
		return
	}
	x.destination(ctx, d, a, fmt.Sprintf("%s without a record", name), config.XMPP, name, defaultPort, add)
}

// records follows each record as a client does.
func (x *examination) records(ctx context.Context, d *Domain, a about, service string, scheme config.Scheme, records []*net.SRV) {
	for _, r := range records {
		target := strings.TrimSuffix(r.Target, ".")
		what := fmt.Sprintf("_%s._tcp.%s (%s port %d)", service, asciiName(d.Name), cmp.Or(target, "."), r.Port)
		if target == "" { // RFC 2782: decidedly not available
			if port := x.listens(scheme); port != 0 {
				a.fail(fmt.Sprintf("have the record name this machine and port %d", port), "the record %s says that there is no such service", what)
			}
			continue
		}
		x.destination(ctx, d, a, "the record "+what, scheme, target, r.Port,
			fmt.Sprintf("have the record name this machine and port %d, or have what answers there pass clients on to it", x.listens(scheme)))
	}
}

// destination looks whether xtokend answers at a name and port. what leads there.
func (x *examination) destination(ctx context.Context, d *Domain, a about, what string, scheme config.Scheme, name string, port uint16, hint string) {
	addresses, err := x.lookupIP(ctx, name)
	if err != nil || len(addresses) == 0 {
		a.fail("add an A or AAAA record for "+name, "%s: the name %s has no address (%s)", what, name, noAddress(err))
		return
	}
	if !x.Running {
		if slices.ContainsFunc(x.Listeners, func(l config.Listener) bool { return l.Scheme == scheme && l.Address.Port() == port }) {
			a.ok("%s leads to a port of the settings, at %s", what, list(addresses))
		} else {
			a.warn(hint, "%s leads to %s, and no %s:// listener has port %d", what, list(addresses), scheme, port)
		}
		return
	}
	for _, ip := range addresses {
		x.meet(ctx, d, a, what, scheme, netip.AddrPortFrom(ip, port), hint)
	}
}

// meet connects as a client does, and looks who answers.
func (x *examination) meet(ctx context.Context, d *Domain, a about, what string, scheme config.Scheme, at netip.AddrPort, hint string) {
	ctx, cancel := step(ctx)
	defer cancel()
	r := route{Target: Target{config.Listener{Scheme: scheme, Address: at}, at.String()}}
	c, err := connect(ctx, r, d.Name)
	if err != nil {
		a.warn(hint+"; or try from another network, if this machine cannot reach its own public address", "%s leads to %s, where no stream can be opened from here: %v", what, at, err)
		return
	}
	defer c.close()
	if c.tls != nil {
		x.certificate(d.Name, asciiName(d.Name), "at "+at.String(), c.tls)
	}
	if offered := mechanisms(c.features); !slices.Contains(offered, d.Mechanisms[0]) {
		a.fail(hint, "%s leads to %s, where somebody else answers: it offers %s, and not %s", what, at, cmp.Or(strings.Join(offered, ", "), "no login"), d.Mechanisms[0])
		return
	}
	a.ok("%s leads to xtokend, at %s", what, at)
}

func (x *examination) lookupIP(ctx context.Context, name string) ([]netip.Addr, error) {
	ctx, cancel := context.WithTimeout(ctx, lookupTimeout)
	defer cancel()
	all, err := x.Resolver.LookupNetIP(ctx, "ip", strings.TrimSuffix(name, ".")+".")
	for i := range all {
		all[i] = all[i].Unmap()
	}
	return all[:min(len(all), mostAddresses)], err
}

// noAddress says why, without the name that the text has already.
func noAddress(err error) string {
	var e *net.DNSError
	if errors.As(err, &e) {
		return e.Err
	}
	return "the DNS has none"
}

func list(addresses []netip.Addr) string {
	texts := make([]string, len(addresses))
	for i, ip := range addresses {
		texts[i] = ip.String()
	}
	return strings.Join(texts, ", ")
}

// dialName connects to a name as the resolver knows it.
func (x *examination) dialName(ctx context.Context, _, address string) (net.Conn, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	number, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return nil, err
	}
	addresses := []netip.Addr{}
	if ip, err := netip.ParseAddr(host); err == nil {
		addresses = append(addresses, ip)
	} else if addresses, err = x.lookupIP(ctx, host); err != nil {
		return nil, err
	}
	err = fmt.Errorf("%s has no address", host)
	for _, ip := range addresses {
		var conn net.Conn
		dialing, cancel := context.WithTimeout(ctx, dialTimeout)
		conn, err = x.Dial(dialing, "tcp", netip.AddrPortFrom(ip, uint16(number)).String())
		cancel()
		if err == nil {
			return conn, nil
		}
	}
	return nil, err
}
