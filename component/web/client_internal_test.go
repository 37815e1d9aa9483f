package web

import (
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"xtokend/component"
)

var someTrusted = []netip.Prefix{
	netip.MustParsePrefix("127.0.0.1/32"), netip.MustParsePrefix("::1/128"),
	netip.MustParsePrefix("192.0.2.0/28"), netip.MustParsePrefix("2001:db8:1::/48"),
}

// headers makes a header of lines "Name: value".
func headers(lines ...string) http.Header {
	h := http.Header{}
	for _, line := range lines {
		name, value, _ := strings.Cut(line, ":")
		h.Add(name, strings.TrimPrefix(value, " "))
	}
	return h
}

var clientCases = []struct {
	name        string
	peer, local string
	tls         bool
	lines       []string
	address     string // "": in doubt
	secure      bool
	loopback    bool
}{
	{"anybody over TLS", "203.0.113.7", "198.51.100.1", true, nil, "203.0.113.7", true, false},
	{"anybody in clear", "203.0.113.7", "198.51.100.1", false, nil, "203.0.113.7", false, false},
	{"this machine", "127.0.0.1", "127.0.0.1", false, nil, "127.0.0.1", false, true},
	{"this machine, another of its addresses", "127.0.0.9", "127.0.0.1", false, nil, "127.0.0.9", false, true},
	{"this machine, IPv6", "::1", "::1", false, nil, "::1", false, true},
	{"this machine, its address on the network", "198.51.100.1", "198.51.100.1", false, nil, "198.51.100.1", false, false},
	{"this machine to an address on the network", "127.0.0.1", "198.51.100.1", false, nil, "127.0.0.1", false, false},
	{"the network to loopback", "203.0.113.7", "127.0.0.1", false, nil, "203.0.113.7", false, false},

	{"anybody names himself another", "203.0.113.7", "198.51.100.1", true, []string{"X-Forwarded-For: 10.1.2.3", "X-Forwarded-Proto: http"}, "203.0.113.7", true, false},
	{"anybody says that he is secure", "203.0.113.7", "198.51.100.1", false, []string{"X-Forwarded-Proto: https"}, "203.0.113.7", false, false},
	{"anybody says that he is loopback", "203.0.113.7", "198.51.100.1", false, []string{"X-Forwarded-For: 127.0.0.1"}, "203.0.113.7", false, false},
	{"anybody, rubbish", "203.0.113.7", "198.51.100.1", false, []string{"X-Forwarded-For: rubbish"}, "203.0.113.7", false, false},

	{"proxy on this machine, TLS", "127.0.0.1", "127.0.0.1", false, []string{"X-Forwarded-For: 203.0.113.7", "X-Forwarded-Proto: https"}, "203.0.113.7", true, false},
	{"proxy elsewhere, TLS", "192.0.2.1", "198.51.100.1", false, []string{"X-Forwarded-For: 203.0.113.7", "X-Forwarded-Proto: https"}, "203.0.113.7", true, false},
	{"proxy elsewhere, IPv6", "2001:db8:1::1", "2001:db8:2::1", false, []string{"X-Forwarded-For: 2001:db8:3::1", "X-Forwarded-Proto: https"}, "2001:db8:3::1", true, false},
	{"proxy that says wss", "192.0.2.1", "198.51.100.1", false, []string{"X-Forwarded-For: 203.0.113.7", "X-Forwarded-Proto: WSS"}, "203.0.113.7", true, false},
	{"proxy of a client in clear", "127.0.0.1", "127.0.0.1", false, []string{"X-Forwarded-For: 203.0.113.7", "X-Forwarded-Proto: http"}, "203.0.113.7", false, false},
	{"proxy of a client in clear, over TLS to us", "192.0.2.1", "198.51.100.1", true, []string{"X-Forwarded-For: 203.0.113.7", "X-Forwarded-Proto: http"}, "203.0.113.7", false, false},
	{"proxy that does not say how", "127.0.0.1", "127.0.0.1", false, []string{"X-Forwarded-For: 203.0.113.7"}, "203.0.113.7", false, false},
	{"proxy that does not say how, over TLS to us", "192.0.2.1", "198.51.100.1", true, []string{"X-Forwarded-For: 203.0.113.7"}, "203.0.113.7", false, false},
	{"proxy that does not say who", "192.0.2.1", "198.51.100.1", false, []string{"X-Forwarded-Proto: https"}, "192.0.2.1", true, false},
	{"proxy on this machine that does not say who", "127.0.0.1", "127.0.0.1", false, []string{"X-Forwarded-Proto: http"}, "127.0.0.1", false, false},
	{"proxy that speaks another language, over TLS to us", "192.0.2.1", "198.51.100.1", true, []string{"Forwarded: for=203.0.113.7;proto=https"}, "192.0.2.1", false, false},
	{"proxy that is the client", "192.0.2.1", "198.51.100.1", true, nil, "192.0.2.1", true, false},
	{"two proxies", "192.0.2.1", "198.51.100.1", false, []string{"X-Forwarded-For: 203.0.113.7, 192.0.2.2", "X-Forwarded-Proto: https, https"}, "203.0.113.7", true, false},
	{"two proxies, one hop in clear", "192.0.2.1", "198.51.100.1", false, []string{"X-Forwarded-For: 203.0.113.7, 192.0.2.2", "X-Forwarded-Proto: https,http"}, "203.0.113.7", false, false},
	{"two proxies, one hop in clear, in two lines", "192.0.2.1", "198.51.100.1", false, []string{"X-Forwarded-For: 203.0.113.7", "X-Forwarded-For: 192.0.2.2", "X-Forwarded-Proto: http", "X-Forwarded-Proto: https"}, "203.0.113.7", false, false},
	{"client's own word before the proxy's", "127.0.0.1", "127.0.0.1", false, []string{"X-Forwarded-For: 127.0.0.1, 203.0.113.7", "X-Forwarded-Proto: https"}, "203.0.113.7", true, false},
	{"client's own word in a line before", "127.0.0.1", "127.0.0.1", false, []string{"X-Forwarded-For: 198.51.100.9", "X-Forwarded-For: 203.0.113.7", "X-Forwarded-Proto: https"}, "203.0.113.7", true, false},
	{"client's rubbish before the proxy's word", "127.0.0.1", "127.0.0.1", false, []string{"X-Forwarded-For: rubbish,, 203.0.113.7", "X-Forwarded-Proto: https"}, "203.0.113.7", true, false},
	{"all are proxies", "192.0.2.1", "198.51.100.1", false, []string{"X-Forwarded-For: 192.0.2.3, 192.0.2.2", "X-Forwarded-Proto: https"}, "192.0.2.3", true, false},
	{"proxy with white space", "127.0.0.1", "127.0.0.1", false, []string{"X-Forwarded-For: \t203.0.113.7 ", "X-Forwarded-Proto: \thttps "}, "203.0.113.7", true, false},
	{"proxy that writes the port", "127.0.0.1", "127.0.0.1", false, []string{"X-Forwarded-For: 203.0.113.7:4711", "X-Forwarded-Proto: https"}, "203.0.113.7", true, false},
	{"proxy that writes the port, IPv6", "127.0.0.1", "127.0.0.1", false, []string{"X-Forwarded-For: [2001:db8::1]:4711", "X-Forwarded-Proto: https"}, "2001:db8::1", true, false},
	{"proxy that writes brackets", "127.0.0.1", "127.0.0.1", false, []string{"X-Forwarded-For: [2001:db8::1]", "X-Forwarded-Proto: https"}, "2001:db8::1", true, false},
	{"proxy with IPv4 in IPv6", "127.0.0.1", "127.0.0.1", false, []string{"X-Forwarded-For: ::ffff:203.0.113.7", "X-Forwarded-Proto: https"}, "203.0.113.7", true, false},
	{"trusted proxy with IPv4 in IPv6", "127.0.0.1", "127.0.0.1", false, []string{"X-Forwarded-For: 203.0.113.7, ::ffff:192.0.2.2", "X-Forwarded-Proto: https"}, "203.0.113.7", true, false},

	{"in doubt: no address", "127.0.0.1", "127.0.0.1", false, []string{"X-Forwarded-For: unknown", "X-Forwarded-Proto: https"}, "", false, false},
	{"in doubt: nothing", "127.0.0.1", "127.0.0.1", false, []string{"X-Forwarded-For:", "X-Forwarded-Proto: https"}, "", false, false},
	{"in doubt: nothing behind the comma", "127.0.0.1", "127.0.0.1", false, []string{"X-Forwarded-For: 203.0.113.7,", "X-Forwarded-Proto: https"}, "", false, false},
	{"in doubt: nothing in a second line", "127.0.0.1", "127.0.0.1", false, []string{"X-Forwarded-For: 203.0.113.7", "X-Forwarded-For:", "X-Forwarded-Proto: https"}, "", false, false},
	{"in doubt: rubbish before a trusted proxy", "192.0.2.1", "198.51.100.1", true, []string{"X-Forwarded-For: rubbish, 192.0.2.2", "X-Forwarded-Proto: https"}, "", false, false},
	{"in doubt: zone", "127.0.0.1", "127.0.0.1", false, []string{"X-Forwarded-For: fe80::1%eth0", "X-Forwarded-Proto: https"}, "", false, false},
	{"in doubt: zone and port", "127.0.0.1", "127.0.0.1", false, []string{"X-Forwarded-For: [fe80::1%eth0]:80", "X-Forwarded-Proto: https"}, "", false, false},
	{"in doubt: brackets round IPv4", "127.0.0.1", "127.0.0.1", false, []string{"X-Forwarded-For: [203.0.113.7]", "X-Forwarded-Proto: https"}, "", false, false},
	{"in doubt: half a bracket", "127.0.0.1", "127.0.0.1", false, []string{"X-Forwarded-For: [2001:db8::1", "X-Forwarded-Proto: https"}, "", false, false},
	{"in doubt: leading zeros", "127.0.0.1", "127.0.0.1", false, []string{"X-Forwarded-For: 203.0.113.007", "X-Forwarded-Proto: https"}, "", false, false},
	{"in doubt: no address in particular", "127.0.0.1", "127.0.0.1", false, []string{"X-Forwarded-For: 0.0.0.0", "X-Forwarded-Proto: https"}, "", false, false},
	{"in doubt: unknown protocol", "127.0.0.1", "127.0.0.1", false, []string{"X-Forwarded-For: 203.0.113.7", "X-Forwarded-Proto: spdy"}, "", false, false},
	{"in doubt: no protocol", "127.0.0.1", "127.0.0.1", false, []string{"X-Forwarded-For: 203.0.113.7", "X-Forwarded-Proto:"}, "", false, false},
	{"in doubt: no protocol behind the comma", "127.0.0.1", "127.0.0.1", false, []string{"X-Forwarded-For: 203.0.113.7", "X-Forwarded-Proto: https,"}, "", false, false},

	{"proxy on this machine of a client on it", "127.0.0.1", "127.0.0.1", false, []string{"X-Forwarded-For: 127.0.0.1"}, "127.0.0.1", false, true},
	{"the same, by X-Real-IP", "127.0.0.1", "127.0.0.1", false, []string{"X-Real-IP: 127.0.0.1"}, "127.0.0.1", false, true},
	{"proxy on this machine of another of its addresses", "127.0.0.1", "127.0.0.1", false, []string{"X-Forwarded-For: 127.0.0.2"}, "127.0.0.2", false, false},
	{"another on loopback, not trusted", "127.0.0.9", "127.0.0.1", false, []string{"X-Forwarded-For: 203.0.113.7"}, "127.0.0.9", false, false},
	{"another on loopback, not trusted, rubbish", "127.0.0.9", "127.0.0.1", false, []string{"X-Forwarded-For: rubbish"}, "127.0.0.9", false, false},
	{"loopback, but somebody is named first", "127.0.0.1", "127.0.0.1", false, []string{"X-Forwarded-For: 203.0.113.7, 127.0.0.1"}, "203.0.113.7", false, false},
	{"loopback, but X-Real-IP names somebody", "127.0.0.1", "127.0.0.1", false, []string{"X-Real-IP: 203.0.113.7"}, "127.0.0.1", false, false},
	{"loopback, but X-Real-IP is empty", "127.0.0.1", "127.0.0.1", false, []string{"X-Real-IP:"}, "127.0.0.1", false, false},
	{"loopback, but Forwarded is there", "127.0.0.1", "127.0.0.1", false, []string{"Forwarded: for=127.0.0.1"}, "127.0.0.1", false, false},
	{"loopback, but Via is there", "127.0.0.1", "127.0.0.1", false, []string{"Via: 1.1 cache"}, "127.0.0.1", false, false},
}

func TestClient(t *testing.T) {
	for _, c := range clientCases {
		t.Run(c.name, func(t *testing.T) {
			got, err := clientOf(netip.MustParseAddr(c.peer), netip.MustParseAddr(c.local), c.tls, headers(c.lines...), someTrusted)
			if c.address == "" {
				if err == nil || got != (component.Client{}) {
					t.Errorf("got %+v, want it to be in doubt", got)
				}
				return
			}
			want := component.Client{Address: netip.MustParseAddr(c.address), Secure: c.secure, Loopback: c.loopback}
			if err != nil || got != want {
				t.Errorf("got %+v, error %v, want %+v", got, err, want)
			}
		})
	}
}

func TestNobodyIsTrusted(t *testing.T) {
	peer := netip.MustParseAddr("127.0.0.1")
	got, err := clientOf(peer, peer, false, headers("X-Forwarded-For: 203.0.113.7", "X-Forwarded-Proto: https"), nil)
	if err != nil || got != (component.Client{Address: peer}) {
		t.Errorf("got %+v, error %v: the headers must not be believed, and the client must not pass for this machine", got, err)
	}
}

// Whatever the headers say: who is not trusted stays what his connection says, and
// what a client writes to the left of a trusted proxy's own entry changes nothing
// but whether he passes for this machine.
func FuzzClient(f *testing.F) {
	for _, c := range clientCases {
		h := headers(c.lines...)
		f.Add(strings.Join(h.Values("X-Forwarded-For"), ","), strings.Join(h.Values("X-Forwarded-Proto"), ","), h.Get("Forwarded"), c.tls)
	}
	stranger, proxy := netip.MustParseAddr("203.0.113.7"), netip.MustParseAddr("127.0.0.1")
	f.Fuzz(func(t *testing.T, forwardedFor, proto, forwarded string, tls bool) {
		h := http.Header{"X-Forwarded-For": {forwardedFor}, "X-Forwarded-Proto": {proto}, "Forwarded": {forwarded}}
		got, err := clientOf(stranger, stranger, tls, h, someTrusted)
		if err != nil || got != (component.Client{Address: stranger, Secure: tls}) {
			t.Errorf("a stranger: %+v, %v", got, err)
		}
		got, err = clientOf(proxy, proxy, tls, h, someTrusted)
		if got.Loopback || err != nil && got != (component.Client{}) {
			t.Errorf("through a proxy: %+v, %v", got, err)
		}
		for hop := range strings.SplitSeq(strings.ToLower(proto), ",") {
			if hop = strings.Trim(hop, " \t"); got.Secure && hop != "https" && hop != "wss" {
				t.Errorf("secure, although one hop was %q", hop)
			}
		}
		h.Set("X-Forwarded-For", forwardedFor+", 198.51.100.9")
		h.Set("X-Forwarded-Proto", "https")
		got, err = clientOf(proxy, proxy, tls, h, someTrusted)
		if err != nil || got != (component.Client{Address: netip.MustParseAddr("198.51.100.9"), Secure: true}) {
			t.Errorf("behind the client's own word: %+v, %v", got, err)
		}
	})
}
