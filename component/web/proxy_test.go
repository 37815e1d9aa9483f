package web_test

import (
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"
)

const (
	v1Stranger = "PROXY TCP4 203.0.113.7 198.51.100.1 56324 5280\r\n"
	v1Itself   = "PROXY TCP4 127.0.0.1 127.0.0.1 56324 5280\r\n"
	// 203.0.113.7:56324 to 198.51.100.1:5280, over TLS.
	v2OverTLS = "\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x1e\xcb\x00\x71\x07\xc6\x33\x64\x01\xdc\x04\x14\xa0" +
		"\x20\x00\x0f\x01\x00\x00\x00\x00\x21\x00\x07TLSv1.3"
	v2Local = "\r\n\r\n\x00\r\nQUIT\n\x20\x00\x00\x00"
)

func TestWhoComesBehindAProxyHeader(t *testing.T) {
	proxies := func(more ...string) []netip.Prefix {
		list := loopback
		for _, address := range more {
			list = append(list, netip.PrefixFrom(netip.MustParseAddr(address), 32))
		}
		return list
	}
	forwarded := http.Header{"X-Forwarded-For": {"198.51.100.9"}, "X-Forwarded-Proto": {"https"}}
	for _, c := range []struct {
		name, sent string
		tls        bool
		header     http.Header
		trusted    []netip.Prefix
		address    string
		offered    bool
	}{
		{"a stranger in clear", v1Stranger, false, nil, loopback, "203.0.113.7", false},
		{"a stranger in clear, over TLS to us", v1Stranger, true, nil, loopback, "203.0.113.7", true},
		{"a stranger over TLS", v2OverTLS, false, nil, loopback, "203.0.113.7", true},
		{"a stranger who names himself another", v1Stranger, false, forwarded, loopback, "203.0.113.7", false},
		{"a trusted proxy behind the first", v1Stranger, false, forwarded, proxies("203.0.113.7"), "198.51.100.9", true},
		{"one whom the proxy does not know", "PROXY UNKNOWN\r\n", false, nil, loopback, "127.0.0.1", false},
		{"one whom the proxy does not know, who names himself another", "PROXY UNKNOWN\r\n", false, forwarded, loopback, "127.0.0.1", false},
		{"the proxy itself", v1Itself, false, nil, loopback, "127.0.0.1", true},
		{"the proxy itself, local", v2Local, false, nil, loopback, "127.0.0.1", true},
		{"no header", "", false, nil, loopback, "127.0.0.1", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			sc := &scene{proxyHeader: c.sent}
			sc.config.TrustedProxies = c.trusted
			sc.start(t)
			scheme, host := "", sc.http
			if c.tls {
				scheme, host = "s", sc.https
			}
			offer := "<stream:features …</stream:features>"
			t.Run("WebSocket", func(t *testing.T) {
				socket := sc.dial(t, "ws"+scheme+"://"+host+"/xmpp-websocket", c.header)
				socket.say("<open xmlns='urn:ietf:params:xml:ns:xmpp-framing' to='example.org' version='1.0'/>")
				socket.hear("<open …/>")
				socket.hear(offer)
				socket.say(authElement("alice", sc.token(t, "alice")))
				socket.hear(map[bool]string{true: "<success …/>", false: "<failure …<encryption-required/>…</failure>"}[c.offered])
			})
			line := map[bool]string{true: "msg=authenticated", false: "reason=encryption-required"}[c.offered]
			sc.awaitLog(t, line, "address="+c.address+" transport=websocket")
			if c.header != nil {
				return
			}
			t.Run("BOSH", func(t *testing.T) {
				client := sc.bosh(t, "http"+scheme+"://"+host+"/http-bind")
				got := strings.Contains(client.create(boshCreation).body, "<mechanism>")
				if got != c.offered {
					t.Errorf("mechanisms are offered: %v", got)
				}
			})
		})
	}
}

// A header from anybody else is no request of HTTP.
func TestHeadersOfStrangersAreNoRequests(t *testing.T) {
	for name, sent := range map[string]string{"version 1": v1Stranger, "version 2": v2OverTLS} {
		t.Run(name, func(t *testing.T) {
			sc := (&scene{}).start(t)
			conn := dialTCP(t, sc.http)
			io.WriteString(conn, sent+"GET /xtoken.js HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
			if got := rest(t, conn); !strings.HasPrefix(got, "HTTP/1.1 400 ") {
				t.Errorf("the server said %q", got)
			}
		})
	}
}

func TestABrokenProxyHeaderClosesTheConnection(t *testing.T) {
	for name, address := range map[string]func(*scene) string{
		"http": func(sc *scene) string { return sc.http }, "https": func(sc *scene) string { return sc.https },
	} {
		t.Run(name, func(t *testing.T) {
			sc := &scene{}
			sc.config.TrustedProxies = loopback
			sc.start(t)
			conn := dialTCP(t, address(sc))
			io.WriteString(conn, "PROXY TCP4 rubbish 198.51.100.1 56324 5280\r\nGET /xtoken.js HTTP/1.1\r\nHost: a\r\n\r\n")
			if got := rest(t, conn); strings.Contains(got, "200 OK") {
				t.Errorf("the server said %q", got)
			}
			sc.awaitLog(t, "level=WARN", "a PROXY header that is none")
		})
	}
}

// A proxy that says nothing is closed in good time, and in nobody's way.
func TestASilentProxyHoldsUpNobody(t *testing.T) {
	sc := &scene{header: short, idle: short}
	sc.config.TrustedProxies = loopback
	sc.start(t)
	var silent []net.Conn
	for _, address := range []string{sc.http, sc.https} {
		for _, sent := range []string{"", "PROXY TCP4 203."} {
			conn := dialTCP(t, address)
			io.WriteString(conn, sent)
			silent = append(silent, conn)
		}
	}
	if status, _, _ := sc.ask(t, http.MethodGet, "/xtoken.js", "", ""); status != http.StatusOK {
		t.Errorf("another client gets status %d", status)
	}
	for _, conn := range silent {
		rest(t, conn)
	}
}
