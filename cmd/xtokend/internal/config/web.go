package config

import (
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"

	"xtokend/component/web"
)

// trustedProxies reads trusted_proxies: addresses, or prefixes of them.
func (l *loader) trustedProxies(v value[[]string]) []netip.Prefix {
	const example = `write "192.0.2.1" or "10.0.0.0/8", say`
	var proxies []netip.Prefix
	for i, text := range get(l, "trusted_proxies", v, []string{"127.0.0.1", "::1"}) {
		key := fmt.Sprintf("trusted_proxies[%d]", i)
		prefix, err := parsePrefix(text)
		switch {
		case err != nil || prefix.Addr().Zone() != "":
			l.fault(key, example, "%q is neither an IP address nor a prefix", text)
			continue
		case prefix != prefix.Masked():
			l.fault(key, fmt.Sprintf("write %q, or %q", prefix.Masked(), prefix.Addr()), "%q has more bits set than the prefix is long", text)
			continue
		case prefix.Addr().Is4In6():
			// Peers are known by their IPv4 form: such a prefix would match none.
			l.fault(key, "write it as a prefix of IPv4 addresses", "%q is a prefix of IPv4 addresses written as IPv6", text)
			continue
		case prefix.Bits() == 0:
			l.warn(key, "name the proxies alone", "%s is everybody: any client can give itself any address, and say that it has come over TLS", text)
		}
		proxies = append(proxies, prefix)
	}
	return proxies
}

var nodeName = regexp.MustCompile(`^[a-z0-9]{0,32}$`)

// node reads node. Proxies compare it with what stands before the hyphen of a sid.
func (l *loader) node(v value[string]) string {
	name := get(l, "node", v, "")
	if !nodeName.MatchString(name) {
		l.fault("node", `write "n1", say`, "%q is not up to 32 small letters and digits", name)
	}
	return name
}

// parsePrefix takes a single address as the prefix of all its bits.
func parsePrefix(text string) (netip.Prefix, error) {
	if strings.Contains(text, "/") {
		return netip.ParsePrefix(text)
	}
	address, err := netip.ParseAddr(text)
	if err != nil || address.Zone() != "" {
		return netip.Prefix{}, fmt.Errorf("%q is not an address", text)
	}
	// ::ffff:127.0.0.1 and 127.0.0.1 are one address (RFC 4291 §2.5.5.2).
	address = address.Unmap()
	return netip.PrefixFrom(address, address.BitLen()), nil
}

// allowedOrigins reads allowed_origins and brings each to its normal form.
func (l *loader) allowedOrigins(v value[[]string]) []string {
	given := get(l, "allowed_origins", v, nil)
	var origins []string
	for i, text := range given {
		key := fmt.Sprintf("allowed_origins[%d]", i)
		if text == web.AnyOrigin {
			if len(given) > 1 {
				l.fault(key, "leave the others out, or this one", `"*" is any origin, and there are others beside it`)
			}
			origins = append(origins, text)
			continue
		}
		// Pages of apps and of browser extensions have schemes of their own.
		if scheme, _, _ := strings.Cut(text, "://"); slices.Contains([]string{"ws", "wss", "xmpp", "xmpps"}, strings.ToLower(scheme)) {
			l.fault(key, `write "https://www.example.org", say: the origin of the page, not the address that it connects to`,
				"%q is no page's origin", text)
			continue
		}
		origin, err := web.ParseOrigin(text)
		switch {
		case err != nil:
			l.fault(key, `write "https://www.example.org", say: what the address of the page begins with`, "%q %v", text, err)
		case slices.Contains(origins, origin):
			l.fault(key, "", "%q is listed twice", origin)
		default:
			origins = append(origins, origin)
		}
	}
	return origins
}

// publicURLs reads public_urls of a domain.
func (l *loader) publicURLs(key string, v value[[]string]) []string {
	var urls []string
	for i, text := range get(l, key, v, nil) {
		key := fmt.Sprintf("%s[%d]", key, i)
		switch err := web.CheckPublicURL(text); {
		case err != nil:
			l.fault(key, `write "wss://chat.example.org/xmpp-websocket" or "https://chat.example.org/http-bind", say`, "%q %v", text, err)
		case slices.Contains(urls, text):
			l.fault(key, "", "%q is listed twice", text)
		default:
			urls = append(urls, text)
		}
	}
	return urls
}

// webWithoutUse warns of settings for browsers that the listeners leave without
// use. With a fault among the settings, one of them may just be misspelt.
func (l *loader) webWithoutUse(cfg *Config) {
	if len(l.faults) > 0 {
		return
	}
	if !slices.ContainsFunc(cfg.Listeners, Listener.IsWeb) {
		const (
			text = "has no effect: no listener is for browsers"
			hint = `add "http://127.0.0.1:5280" or "https://[::]:5281" to listen, or leave it out`
		)
		if len(cfg.AllowedOrigins) > 0 {
			l.warn("allowed_origins", hint, text)
		}
		for i, d := range cfg.Domains {
			if len(d.PublicURLs) > 0 {
				l.warn(fmt.Sprintf("domain[%d].public_urls", i), hint, text)
			}
		}
		return
	}
	beyond := func(l Listener) bool { return l.IsWeb() && (l.Scheme == HTTPS || !l.Loopback) }
	if !slices.ContainsFunc(cfg.Listeners, beyond) && !slices.ContainsFunc(cfg.TrustedProxies, hasLoopback) {
		l.warn("trusted_proxies", `leave it out: 127.0.0.1 and ::1 are the default`,
			"names no proxy on this machine, and browsers are served here alone: clients that a proxy says are on other machines cannot log in")
	}
}

// hasLoopback reports whether a connection to a loopback address can come from p.
func hasLoopback(p netip.Prefix) bool {
	return p.Overlaps(netip.MustParsePrefix("127.0.0.0/8")) || p.Contains(netip.IPv6Loopback())
}
