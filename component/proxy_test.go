package component_test

import (
	"net"
	"net/netip"
	"strings"
	"testing"

	"xtokend/internal/transcript"
)

var loopback = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}

const (
	v1Stranger = "PROXY TCP4 203.0.113.7 198.51.100.1 56324 5222\r\n"
	v1Itself   = "PROXY TCP4 127.0.0.1 127.0.0.1 56324 5222\r\n"
	// 203.0.113.7:56324 to 198.51.100.1:5222.
	v2Start       = "\r\n\r\n\x00\r\nQUIT\n"
	v2Addresses   = "\xcb\x00\x71\x07\xc6\x33\x64\x01\xdc\x04\x14\x66"
	v2Stranger    = v2Start + "\x21\x11\x00\x0c" + v2Addresses
	v2OverTLS     = v2Start + "\x21\x11\x00\x1e" + v2Addresses + "\x20\x00\x0f\x01\x00\x00\x00\x00\x21\x00\x07TLSv1.3"
	v2Local       = v2Start + "\x20\x00\x00\x00"
	withoutTLSYet = ourHeader + starttlsRequired
	withTLS       = ourHeader + "<stream:features>" + mechanisms + "</stream:features>"
	onLoopback    = ourHeader + "<stream:features><starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'></starttls>" + mechanisms + "</stream:features>"
)

func TestClientsBehindATrustedProxy(t *testing.T) {
	for _, c := range []struct {
		name, sent, offered, address, transport string
	}{
		{"version 1", v1Stranger, withoutTLSYet, "203.0.113.7", "tcp"},
		{"version 2", v2Stranger, withoutTLSYet, "203.0.113.7", "tcp"},
		{"version 2, over TLS", v2OverTLS, withTLS, "203.0.113.7", "tcp+tls"},
		{"whom the proxy does not know", "PROXY UNKNOWN\r\n", withoutTLSYet, "127.0.0.1", "tcp"},
		{"another on loopback", strings.Replace(v1Stranger, "203.0.113.7", "127.0.0.2", 1), withoutTLSYet, "127.0.0.2", "tcp"},
		{"the proxy itself", v1Itself, onLoopback, "127.0.0.1", "tcp"},
		{"the proxy itself, local", v2Local, onLoopback, "127.0.0.1", "tcp"},
		{"no header", "", onLoopback, "127.0.0.1", "tcp"},
	} {
		t.Run(c.name, func(t *testing.T) {
			sc := &scene{}
			sc.config.TrustedProxies = loopback
			sc.start(t)
			client := sc.dial(t, "tcp")
			client.send(c.sent + header)
			client.expect(c.offered)
			client.send(transcript.AuthElement("X-TOKEN", "", "alice", sc.token(t, "alice", 0)))
			line := "msg=authenticated"
			if c.offered == withoutTLSYet {
				client.expect("<failure xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><encryption-required/>…</failure>")
				line = `msg="authentication refused"`
			} else {
				client.expect(success)
			}
			if want := line + " address=" + c.address + " transport=" + c.transport + " "; !strings.Contains(sc.log.String(), want) {
				t.Errorf("the log has no %q", want)
			}
		})
	}
}

// Whoever cannot say that his client has come over TLS leaves TLS to us.
func TestTLSBehindAProxyHeader(t *testing.T) {
	sc := &scene{}
	sc.config.TrustedProxies = loopback
	sc.start(t)
	t.Run("direct", func(t *testing.T) {
		conn, err := net.Dial("tcp4", sc.tls.String())
		must(t, err)
		defer conn.Close()
		c := &client{t: t, conn: conn}
		c.send(v1Stranger)
		c.handshake(sc.clientTLS)
		c.login(sc, "alice")
	})
	t.Run("STARTTLS", func(t *testing.T) {
		c := sc.dial(t, "tcp")
		c.send(v2Stranger + header)
		c.expect(withoutTLSYet)
		c.send(`<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>`)
		c.expect(`<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>`)
		c.handshake(sc.clientTLS)
		c.login(sc, "bob")
	})
	for _, want := range []string{"address=203.0.113.7 transport=tcp+tls", "address=203.0.113.7 transport=tcp+starttls"} {
		if !strings.Contains(sc.log.String(), want) {
			t.Errorf("the log has no %q", want)
		}
	}
}

// From anybody else a header is the beginning of a stream that is no XML.
func TestHeadersOfStrangersAreNotBelieved(t *testing.T) {
	for name, sent := range map[string]string{"version 1": v1Stranger, "version 2": v2OverTLS} {
		t.Run(name, func(t *testing.T) {
			sc := (&scene{}).start(t)
			c := sc.dial(t, "tcp")
			c.send(sent + header)
			c.expect(ourHeader + "<stream:error><not-well-formed …</stream:stream>")
			c.expectEOF()
			if strings.Contains(sc.log.String(), "203.0.113.7") {
				t.Error("the log has the address that the header names")
			}
		})
	}
}

func TestABrokenHeaderClosesTheConnection(t *testing.T) {
	for name, sent := range map[string]string{
		"no address":     "PROXY TCP4 rubbish 198.51.100.1 56324 5222\r\n",
		"without end":    "PROXY " + strings.Repeat("x", 200),
		"longer than it": v2Start + "\x21\x11\xff\xff" + v2Addresses,
	} {
		t.Run(name, func(t *testing.T) {
			sc := &scene{}
			sc.config.TrustedProxies = loopback
			sc.start(t)
			c := sc.dial(t, "tcp")
			c.send(sent)
			for c.more() == nil {
			}
			if c.buf.Len() > 0 {
				t.Errorf("the front said %q", c.buf.String())
			}
			sc.shutdown(t)
			for _, want := range []string{"level=WARN msg=\"a trusted proxy has sent a PROXY header that is none", `reason="broken PROXY header"`} {
				if !strings.Contains(sc.log.String(), want) {
					t.Errorf("the log has no %q", want)
				}
			}
		})
	}
}

// A proxy that says nothing is in nobody's way.
func TestASilentProxyHoldsUpNobody(t *testing.T) {
	sc := &scene{}
	sc.config.TrustedProxies = loopback
	sc.start(t)
	silent := []*client{sc.dial(t, "tcp"), sc.dial(t, "tls"), sc.dial(t, "tcp")}
	silent[2].send("PROXY TCP4 203.")
	for _, transport := range []string{"tcp", "starttls", "tls", "websocket", "bosh"} {
		sc.dial(t, transport).login(sc, "alice")
	}
	silent[2].send("0.113.7 198.51.100.1 56324 5222\r\n" + header)
	silent[2].expect(withoutTLSYet)
	silent[0].login(sc, "bob")
	silent[1].login(sc, "bob")
}

// What is counted for each address is counted for the client's, not the proxy's.
func TestLimitsOfClientsBehindAProxy(t *testing.T) {
	other := strings.Replace(v2OverTLS, "\xcb\x00\x71\x07", "\xcb\x00\x71\x08", 1)
	t.Run("streams", func(t *testing.T) {
		sc := &scene{}
		sc.config.TrustedProxies, sc.config.Limits.StreamsPerAddress = loopback, 1
		sc.start(t)
		first := sc.dial(t, "tcp")
		first.send(v2OverTLS + header)
		first.expect(withTLS)
		second := sc.dial(t, "tcp")
		second.send(v2OverTLS + header)
		second.expect(ourHeader + "<stream:error><resource-constraint …</stream:stream>")
		second.expectEOF()
		another := sc.dial(t, "tcp")
		another.send(other + header)
		another.expect(withTLS)
		if got := sc.front.LimitsReached()["streams_per_address"]; got != 1 {
			t.Errorf("%d refusals are counted, want 1", got)
		}
	})
	t.Run("failed attempts", func(t *testing.T) {
		sc := &scene{}
		sc.config.TrustedProxies, sc.config.Limits.FailedPerMinutePerAddress = loopback, 1
		sc.start(t)
		for _, k := range []struct{ header, want string }{
			{v2OverTLS, "<not-authorized/>"}, {v2OverTLS, "<temporary-auth-failure/>"}, {other, "<not-authorized/>"},
		} {
			c := sc.dial(t, "tcp")
			c.send(k.header + header)
			c.expect(withTLS)
			c.send(transcript.AuthElement("X-TOKEN", "", "alice", forged(t, "alice")))
			c.expect("<failure xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>" + k.want + "…</failure>")
			c.conn.Close()
		}
	})
}
