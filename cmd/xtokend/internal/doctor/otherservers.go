package doctor

import (
	"context"
	"net"
	"net/netip"
	"strconv"

	"xtokend/cmd/xtokend/internal/config"
)

// otherServers looks whether the servers of other domains are still answered where the
// DNS leads them (RFC 6120 §3.2.1): a server that was shut up in loopback for xtokend
// with too broad a setting is cut off from them.
func (x *examination) otherServers(ctx context.Context, d *Domain) {
	if d.Upstream != config.UpstreamServer {
		return
	}
	name := asciiName(d.Name)
	records, err := x.lookupSRV(ctx, "xmpp-server", name)
	if err != nil {
		return // told of the records for clients
	}
	for _, r := range records {
		addresses, err := x.lookupIP(ctx, r.Target)
		if err != nil {
			continue
		}
		for _, ip := range addresses {
			x.otherServer(ctx, d, "the record _xmpp-server._tcp."+name, netip.AddrPortFrom(ip, r.Port))
		}
	}
}

func (x *examination) otherServer(ctx context.Context, d *Domain, what string, at netip.AddrPort) {
	ctx, cancel := step(ctx)
	defer cancel()
	const encrypt = `on Prosody do not disable the module "tls" for the domain: c2s_require_encryption = false is enough; and give it a certificate`
	a := x.about(TopicDNS, d.Name)
	dialing, done := context.WithTimeout(ctx, dialTimeout)
	defer done()
	conn, err := x.Dial(dialing, "tcp", net.JoinHostPort(at.Addr().String(), strconv.Itoa(int(at.Port()))))
	if err != nil {
		a.warn(`on Prosody leave "interfaces" and s2s_interfaces as they come, and set c2s_interfaces and component_interfaces alone; or try from another network`,
			"%s leads other servers to %s, where nobody answers: %v", what, at, closedEarly(err))
		return
	}
	defer conn.Close()
	s := newStream(ctx, conn, d.Name)
	s.content = nsServer
	features, err := s.open()
	if err != nil { // Prosody without TLS has nothing to offer, and says so
		a.warn("see the server's log; "+encrypt, "%s leads other servers to %s, where no stream can be opened: %v", what, at, err)
		return
	}
	defer s.close()
	if _, ok := features.Child(nsTLS, "starttls"); !ok {
		a.warn(encrypt,
			"%s leads other servers to %s, where no encryption is offered: most will not connect", what, at)
		return
	}
	a.ok("%s leads other servers to %s, where they can connect", what, at)
}
