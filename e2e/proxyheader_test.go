package e2e

import (
	"context"
	"net"
	"net/http"
	"testing"
)

// dialAs connects to an address from that of a visitor. scheme is that of a
// service.
func (s *site) dialAs(t *testing.T, visitor, scheme, address string) *stream {
	t.Helper()
	dialer := &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(visitor)}}
	conn, err := dialer.DialContext(s.ctx, "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	f := &tcpFraming{conn: conn}
	f.release = context.AfterFunc(s.ctx, func() { conn.Close() })
	t.Cleanup(f.close)
	if scheme == "xmpps" {
		config := s.tls.Clone()
		config.NextProtos = []string{"xmpp-client"} // XEP-0368
		if err := f.handshake(s.ctx, config); err != nil {
			t.Fatal(err)
		}
	}
	return &stream{framing: f}
}

// bindAs logs alice in on a stream that has been opened.
func (s *site) bindAs(t *testing.T, stream *stream) {
	t.Helper()
	if err := stream.authenticate("X-TOKEN", "alice", s.issuer.token("alice")); err != nil {
		t.Fatal(err)
	}
	if jid, err := stream.bind(); err != nil || bareJID(jid) != "alice@"+domain {
		t.Errorf("bound to %q, error %v", jid, err)
	}
}

func open(t *testing.T, stream *stream) element {
	t.Helper()
	features, err := stream.open()
	if err != nil {
		t.Fatal(err)
	}
	return features
}

func TestXMPPClientsLogInThroughHAProxy(t *testing.T) {
	s := newSiteOn(t, builtInHost, nil)
	addresses := runHAProxy(t, s, t.TempDir(), contribution(t, "haproxy.cfg"))
	t.Run("direct TLS", func(t *testing.T) {
		offset := s.front.log.Len()
		stream := s.dialAs(t, visitor, "xmpps", addresses[1])
		if _, offered := open(t, stream).child("mechanisms"); !offered {
			t.Error("no mechanisms are offered")
		}
		s.bindAs(t, stream)
		s.awaitLog("msg=authenticated address="+visitor+" transport=tcp+tls", offset)
	})
	t.Run("STARTTLS", func(t *testing.T) {
		offset := s.front.log.Len()
		stream := s.dialAs(t, visitor, "xmpp", addresses[2])
		if _, offered := open(t, stream).child("mechanisms"); offered {
			t.Error("mechanisms are offered in clear")
		}
		if err := stream.startTLS(s.ctx, s.tls); err != nil {
			t.Fatal(err)
		}
		open(t, stream)
		s.bindAs(t, stream)
		s.awaitLog("msg=authenticated address="+visitor+" transport=tcp+starttls", offset)
	})
}

// Version 1 cannot say how the client has come.
func TestVersion1OfThePROXYProtocolDoesNotSpeakOfTLS(t *testing.T) {
	s := newSiteOn(t, builtInHost, nil)
	settings := settle(t, contribution(t, "haproxy.cfg"), "send-proxy-v2-ssl", "send-proxy")
	addresses := runHAProxy(t, s, t.TempDir(), settings)
	offset := s.front.log.Len()
	stream := s.dialAs(t, visitor, "xmpps", addresses[1])
	if _, offered := open(t, stream).child("mechanisms"); offered {
		t.Error("mechanisms are offered")
	}
	stream.close()
	s.awaitLog(`msg="session closed" address=`+visitor+" transport=tcp", offset)
}

// HAProxy may say by the PROXY protocol what it says by headers of HTTP otherwise.
func TestBrowsersLogInBehindAPROXYHeader(t *testing.T) {
	for _, c := range []struct {
		name, option string
		offered      bool
	}{{"version 1", "send-proxy", false}, {"version 2", "send-proxy-v2-ssl", true}} {
		t.Run(c.name, func(t *testing.T) {
			s := newSiteOn(t, builtInHost, nil)
			settings := settle(t, without(t, "X-Forwarded-", contribution(t, "haproxy.cfg")),
				"127.0.0.1:5280 check", "127.0.0.1:5280 check "+c.option)
			client := s.visitor(t, runHAProxy(t, s, t.TempDir(), settings)[0])
			for _, endpoint := range webEndpoints {
				t.Run(endpoint.name, func(t *testing.T) {
					header := http.Header{"X-Forwarded-For": {"127.0.0.1"}, "X-Forwarded-Proto": {"https"}} // its own word
					if c.offered {
						s.logInThrough(t, client, endpoint, visitor, header)
						return
					}
					stream := client.connect(t, endpoint, header)
					if _, offered := open(t, stream).child("mechanisms"); offered {
						t.Error("mechanisms are offered")
					}
				})
			}
		})
	}
}
