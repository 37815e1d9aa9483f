package config

import (
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
)

var defaultListen = []string{"xmpp://[::]:5222", "xmpps://[::]:5223"}

// listeners reads listen. Port 0 may be listed more than once: each is another.
func (l *loader) listeners(raw *rawFile, proxies []netip.Prefix) []Listener {
	elsewhere := clientsAreElsewhere(raw)
	def := defaultListen
	if elsewhere {
		def = nil
	}
	uris := get(l, "listen", raw.Listen, def)
	switch {
	case elsewhere && len(uris) > 0:
		l.fault("listen", `leave it out, or give a domain another upstream`, `no client can log in here: every domain has upstream = "none"`)
	case !elsewhere && len(uris) == 0:
		l.fault("listen", `write listen = ["xmpp://[::]:5222"], say`, "is empty")
	}
	var listeners []Listener
	taken := map[netip.AddrPort]bool{}
	for i, uri := range uris {
		key := "listen[" + strconv.Itoa(i) + "]"
		listener, ok := l.listener(key, uri)
		if !ok {
			continue
		}
		if taken[listener.Address] {
			l.fault(key, "", "%s is listed twice", listener.Address)
		}
		taken[listener.Address] = listener.Address.Port() != 0
		if raw.TLS == nil {
			l.needsTLS(key, listener)
		}
		if !listener.Loopback {
			l.inClear(key, listener, proxies)
		}
		listeners = append(listeners, listener)
	}
	return listeners
}

// clientsAreElsewhere says whether no domain has clients of ours.
func clientsAreElsewhere(raw *rawFile) bool {
	has := func(d rawDomain) bool { return Upstream(d.Upstream.got) != UpstreamNone }
	return len(raw.Domain) > 0 && !slices.ContainsFunc(raw.Domain, has)
}

// needsTLS reports a listener that cannot do without a certificate: passwords and
// tokens do not cross a network in the clear.
func (l *loader) needsTLS(key string, listener Listener) {
	const hint = "add [tls] with certificate and key"
	switch {
	case listener.Scheme == XMPPS || listener.Scheme == HTTPS:
		l.fault(key, hint, "%s needs a certificate", listener)
	case listener.Scheme == XMPP && !listener.Loopback:
		l.fault(key, hint+", or listen on 127.0.0.1 or [::1] only", "%s needs a certificate: beyond loopback STARTTLS is required", listener)
	}
}

// inClear reports HTTP without TLS beyond loopback, unless it is for proxies
// alone, each of which can say how its own client has come.
func (l *loader) inClear(key string, listener Listener, proxies []netip.Prefix) {
	beyond := func(p netip.Prefix) bool { return !p.Addr().IsLoopback() }
	switch {
	case listener.Scheme == HTTPInsecure:
		l.warn(key, "use https://, or http:// on 127.0.0.1 or [::1] behind a proxy that ends TLS",
			"%s is not encrypted: no login is offered over it, but to clients that a trusted proxy has served over TLS", listener)
	case listener.Scheme == HTTP && !slices.ContainsFunc(proxies, beyond):
		l.fault(key, "use https://; or name the proxy that ends TLS in trusted_proxies, then it alone is answered; or write http+insecure://, over which no login is offered",
			"%s is not encrypted, and no proxy beyond loopback is trusted", listener)
	}
}

// listener parses one address to listen on for clients.
func (l *loader) listener(key, uri string) (Listener, bool) {
	const example = `write "xmpp://[::]:5222", "xmpps://192.0.2.1:5223", "https://[::]:5281" or "http://127.0.0.1:5280", say`
	return l.endpoint(key, uri, example, XMPP, XMPPS, HTTP, HTTPS, HTTPInsecure)
}

// endpoint parses one address to listen on, with one of the schemes.
func (l *loader) endpoint(key, uri, example string, schemes ...Scheme) (Listener, bool) {
	u, err := url.Parse(uri)
	if err != nil || u.Host == "" {
		l.fault(key, example, "%q is not an address to listen on", uri)
		return Listener{}, false
	}
	scheme := Scheme(u.Scheme)
	if !slices.Contains(schemes, scheme) {
		l.fault(key, example, "%q is not a scheme to listen with", u.Scheme)
		return Listener{}, false
	}
	if u.User != nil || u.Path != "" || u.RawQuery != "" || u.Fragment != "" {
		l.fault(key, example, "%q has more than scheme, address and port", uri)
		return Listener{}, false
	}
	address, err := netip.ParseAddrPort(u.Host)
	if err != nil {
		// A name could mean another address tomorrow, and whether one is
		// loopback decides whether TLS is required.
		l.fault(key, example+"; [::] is every address, 127.0.0.1 this machine alone", "%q needs an IP address and a port", uri)
		return Listener{}, false
	}
	// ::ffff:127.0.0.1 and 127.0.0.1 are one address (RFC 4291 §2.5.5.2).
	ip := address.Addr().Unmap()
	return Listener{Scheme: scheme, Address: netip.AddrPortFrom(ip, address.Port()), Loopback: ip.IsLoopback()}, true
}

// peer checks an address to connect to: "host:port", the host an IP address or
// a name. Without encryption it must be a loopback address.
func (l *loader) peer(key, address string, p Protection, encrypted string) {
	host, port, err := net.SplitHostPort(address)
	number, perr := strconv.ParseUint(port, 10, 16)
	if err != nil || host == "" || perr != nil || number == 0 {
		l.fault(key, `write "127.0.0.1:5322", say`, "%q is not an address and a port", address)
		return
	}
	ip, err := netip.ParseAddr(host)
	if p == Plaintext && (err != nil || !ip.Unmap().IsLoopback()) {
		l.fault(key, `set tls = `+encrypted+`, or connect to 127.0.0.1 or [::1]`, `%q is not a loopback address, and tls = "none" is for those alone`, address)
	}
}
