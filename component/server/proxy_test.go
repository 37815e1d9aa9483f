package server_test

import (
	"context"
	"crypto/tls"
	"encoding/binary"
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"

	"mellium.im/xmpp/jid"

	"xtokend/component/server"
	"xtokend/component/upstream"
	"xtokend/internal/ejabberd"
	"xtokend/internal/ejabberdtest"
)

// The header is taken apart here by hand, as the specification has it (§2.2).
func TestTheServerIsToldTheClientsAddress(t *testing.T) {
	const signature = "\r\n\r\n\x00\r\nQUIT\n"
	for _, c := range []struct {
		name, client, want string // "": our own
		family             byte
	}{
		{"IPv4", "203.0.113.7", "203.0.113.7", 0x11},
		{"IPv4 in IPv6", "::ffff:203.0.113.7", "203.0.113.7", 0x11},
		{"IPv6", "2001:db8::7", "2001:db8::7", 0x21},
		{"IPv6 with a zone", "fe80::7%eth0", "fe80::7", 0x21},
		{"nobody in particular", "", "127.0.0.1", 0x11},
	} {
		t.Run(c.name, func(t *testing.T) {
			l, err := net.Listen("tcp4", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			received := make(chan string, 1)
			go func() {
				defer close(received)
				conn, err := l.Accept()
				if err != nil {
					return
				}
				defer conn.Close()
				fixed := make([]byte, 16)
				if _, err := io.ReadFull(conn, fixed); err != nil {
					return
				}
				rest := make([]byte, binary.BigEndian.Uint16(fixed[14:]))
				io.ReadFull(conn, rest)
				begin := make([]byte, len("<?xml "))
				io.ReadFull(conn, begin)
				received <- string(fixed) + string(rest) + string(begin)
			}()
			s, err := server.New(server.Config{Domain: "example.org", Addresses: []string{l.Addr().String()}, AccountSecret: secret, SendProxy: true})
			if err != nil {
				t.Fatal(err)
			}
			ctx := t.Context()
			if c.client != "" {
				ctx = upstream.WithClient(ctx, netip.MustParseAddr(c.client))
			}
			fails(t, ctx, s, alice, "stream header")
			got, rest, _ := strings.Cut(<-received, "<?xml ")
			if rest != "" || !strings.HasPrefix(got, signature+"\x21"+string(c.family)+"\x00") {
				t.Fatalf("the header is %q", got)
			}
			addresses, length := []byte(got[16:]), 4
			if c.family == 0x21 {
				length = 16
			}
			source, _ := netip.AddrFromSlice(addresses[:length])
			destination, _ := netip.AddrFromSlice(addresses[length : 2*length])
			if len(addresses) != 2*length+4 || source.Unmap().String() != c.want || destination.Unmap().String() != "127.0.0.1" {
				t.Errorf("from %s to %s, %d bytes", source, destination, len(addresses))
			}
		})
	}
}

func TestEjabberdKnowsTheClientsAddress(t *testing.T) {
	p := ejabberdtest.Start(t, ejabberd.Options{TLS: true, ProxyProtocol: true})
	config := server.Config{Domain: p.Domain, AccountSecret: secret, SendProxy: true, TLSConfig: &tls.Config{RootCAs: p.Roots()}}
	for _, c := range []struct {
		mode            server.TLSMode
		address, client string
	}{
		{server.TLSNone, p.C2S, "203.0.113.7"}, {server.StartTLS, p.C2S, "203.0.113.8"}, {server.DirectTLS, p.DirectTLS, "2001:db8::9"},
	} {
		config.TLS, config.Addresses = c.mode, []string{c.address}
		s, err := server.New(config)
		if err != nil {
			t.Fatal(err)
		}
		user := jid.MustParse("alice@" + p.Domain)
		makeAccount(t, p, user)
		conn, err := s.Open(upstream.WithClient(t.Context(), netip.MustParseAddr(c.client)), user)
		if err != nil {
			t.Fatal(err)
		}
		if got := restart(t, conn); !strings.Contains(got, "urn:ietf:params:xml:ns:xmpp-bind") {
			t.Errorf("no binding offered after authentication: %q", got)
		}
		conn.Close()
		opens(t, s, user) // for nobody in particular
	}
	if err := p.Stop(context.Background()); err != nil { // its log is whole then
		t.Fatal(err)
	}
	for _, want := range []string{"from 203.0.113.7", "from 203.0.113.8", "from 2001:db8::9", "from 127.0.0.1"} {
		if !strings.Contains(p.Log(), want) {
			t.Errorf("ejabberd's log has no %q", want)
		}
	}
}
