package web

import (
	"errors"
	"net"
	"net/http"
	"net/netip"
	"strings"

	"xtokend/component"
)

var (
	// errForwarding is returned for forwarding headers that leave it in doubt who the
	// client is and how it has come.
	errForwarding = errors.New("the proxy's X-Forwarded-For or X-Forwarded-Proto cannot be understood")
	errTrustTaken = errors.New("the connection began with a PROXY header, and its peer is none of trusted_proxies any more")
)

// client says who has sent a request. While that is in doubt, nobody can log in.
func (s *Server) client(r *http.Request) component.Client {
	conn := connectionOf(r)
	proxy, header := addressOf(conn.raw.RemoteAddr()), conn.proxyHeader()
	peer, overTLS := header.Client(proxy), r.TLS != nil || header != nil && header.TLS
	trusted := s.settings.Load().trusted
	if header.NamesNobody() {
		trusted = nil // the headers of the request may be the unknown client's own
	}
	c, err := clientOf(peer, addressOf(conn.listener), overTLS, r.Header, trusted)
	c.Loopback = c.Loopback && !header.NamesAnother(proxy)
	if header != nil && !s.isTrusted(proxy) {
		peer, err = proxy, errTrustTaken
	}
	if err != nil {
		if omitted, ok := s.storms.Allow("forwarding"); ok {
			s.log.Info("a proxy leaves it in doubt who its client is: no login is offered",
				"address", peer.String(), "error", err, "similar_lines_omitted", omitted)
		}
		return component.Client{Address: peer}
	}
	return c
}

func (s *Server) isTrusted(address netip.Addr) bool {
	return isTrusted(address, s.settings.Load().trusted)
}

func addressOf(a net.Addr) netip.Addr {
	if tcp, ok := a.(*net.TCPAddr); ok {
		return tcp.AddrPort().Addr().Unmap().WithZone("")
	}
	return netip.Addr{}
}

// clientOf says who has sent a request with these headers over a connection from
// peer to a listener that is bound to local. The headers of a trusted proxy alone are believed. It
// returns an error if those are in doubt.
func clientOf(peer, local netip.Addr, overTLS bool, header http.Header, trusted []netip.Prefix) (component.Client, error) {
	c := component.Client{Address: peer, Secure: overTLS}
	c.Loopback = peer.IsLoopback() && local.IsLoopback() && !namesAnother(header, peer)
	if !isTrusted(peer, trusted) {
		return c, nil
	}
	addresses, protos := header.Values("X-Forwarded-For"), header.Values("X-Forwarded-Proto")
	var err error
	if len(addresses) > 0 {
		if c.Address, err = clientAddress(addresses, trusted); err != nil {
			return component.Client{}, err
		}
	}
	// A trusted proxy that sends none of them is the client itself.
	if len(addresses) > 0 || len(protos) > 0 || len(header.Values("Forwarded")) > 0 {
		if c.Secure, err = cameOverTLS(protos); err != nil {
			return component.Client{}, err
		}
	}
	return c, nil
}

// clientAddress returns the right-most address that is no trusted proxy's; if all
// are, the left-most. What stands to its left is the client's own word: it is not
// looked at.
func clientAddress(values []string, trusted []netip.Prefix) (netip.Addr, error) {
	var address netip.Addr
	// Several fields are one list (RFC 9110 §5.3).
	list := strings.Join(values, ",")
	for more := true; more; {
		entry := list
		if i := strings.LastIndexByte(list, ','); i >= 0 {
			list, entry = list[:i], list[i+1:]
		} else {
			more = false
		}
		var err error
		if address, err = parseForwarded(entry); err != nil {
			return netip.Addr{}, err
		}
		if !isTrusted(address, trusted) {
			break
		}
	}
	return address, nil
}

// parseForwarded takes an entry of X-Forwarded-For: an address, with a port where
// a proxy writes one, an IPv6 address then in brackets.
func parseForwarded(entry string) (netip.Addr, error) {
	entry = strings.Trim(entry, " \t")
	address, err := netip.ParseAddr(entry)
	if err != nil {
		var withPort netip.AddrPort
		withPort, err = netip.ParseAddrPort(entry)
		address = withPort.Addr()
	}
	if err != nil {
		inner, opened := strings.CutPrefix(entry, "[")
		inner, closed := strings.CutSuffix(inner, "]")
		if address, err = netip.ParseAddr(inner); err == nil && !(opened && closed && address.Is6()) {
			err = errForwarding
		}
	}
	// A zone means something on the proxy's machine alone.
	if err != nil || address.Zone() != "" || address.IsUnspecified() {
		return netip.Addr{}, errForwarding
	}
	return address.Unmap(), nil
}

// cameOverTLS reports whether the client's connection to the first proxy and those
// between proxies, as far as they are told, are all encrypted.
func cameOverTLS(values []string) (bool, error) {
	if len(values) == 0 {
		return false, nil
	}
	secure := true
	for proto := range strings.SplitSeq(strings.Join(values, ","), ",") {
		switch strings.ToLower(strings.Trim(proto, " \t")) {
		case "https", "wss":
		case "http", "ws":
			secure = false
		default:
			return false, errForwarding
		}
	}
	return secure, nil
}

// namesAnother reports whether headers tell of a client behind peer, whoever has
// written them. Those that nobody reads here for its address tell of one by being
// there.
func namesAnother(header http.Header, peer netip.Addr) bool {
	for _, name := range []string{"Forwarded", "Via"} {
		if len(header.Values(name)) > 0 {
			return true
		}
	}
	named := false
	for _, name := range []string{"X-Forwarded-For", "X-Real-Ip"} {
		for _, list := range header.Values(name) {
			for entry := range strings.SplitSeq(list, ",") {
				if address, err := parseForwarded(entry); err != nil || address != peer {
					return true
				}
				named = true
			}
		}
	}
	return !named && len(header.Values("X-Forwarded-Proto")) > 0
}

func isTrusted(address netip.Addr, trusted []netip.Prefix) bool {
	for _, prefix := range trusted {
		if prefix.Contains(address) {
			return true
		}
	}
	return false
}
