// Package dnstest is a DNS server on loopback, for tests.
package dnstest

import (
	"context"
	"net"
	"net/netip"
	"testing"

	"golang.org/x/net/dns/dnsmessage"
)

// Zone is all that the server knows, by absolute names ("example.org.").
type Zone struct {
	Addresses map[string][]netip.Addr
	Services  map[string][]net.SRV // "_xmpp-client._tcp.example.org."
	Refuse    bool                 // answer nothing but SERVFAIL
}

// Resolver answers from the zone until the test ends, and from nowhere else.
func Resolver(t testing.TB, z Zone) *net.Resolver {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	t.Cleanup(func() { conn.Close(); <-ended })
	go func() {
		defer close(ended)
		buf := make([]byte, 4096)
		for {
			n, from, err := conn.ReadFrom(buf)
			if err != nil {
				return
			}
			if answer, err := z.answer(buf[:n]); err == nil {
				conn.WriteTo(answer, from)
			} else {
				t.Logf("dnstest: %v", err)
			}
		}
	}()
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "udp", conn.LocalAddr().String())
	}}
}

func (z Zone) answer(query []byte) ([]byte, error) {
	var asked dnsmessage.Message
	if err := asked.Unpack(query); err != nil {
		return nil, err
	}
	m := dnsmessage.Message{
		Header:    dnsmessage.Header{ID: asked.ID, Response: true, RecursionAvailable: true},
		Questions: asked.Questions,
	}
	if z.Refuse {
		m.RCode = dnsmessage.RCodeServerFailure
		return m.Pack()
	}
	q := asked.Questions[0]
	name := q.Name.String()
	_, hasAddresses := z.Addresses[name]
	_, hasServices := z.Services[name]
	if !hasAddresses && !hasServices {
		m.RCode = dnsmessage.RCodeNameError
	}
	add := func(body dnsmessage.ResourceBody) {
		m.Answers = append(m.Answers, dnsmessage.Resource{
			Header: dnsmessage.ResourceHeader{Name: q.Name, Type: q.Type, Class: dnsmessage.ClassINET, TTL: 60}, Body: body})
	}
	for _, ip := range z.Addresses[name] {
		switch {
		case q.Type == dnsmessage.TypeA && ip.Is4():
			add(&dnsmessage.AResource{A: ip.As4()})
		case q.Type == dnsmessage.TypeAAAA && ip.Is6():
			add(&dnsmessage.AAAAResource{AAAA: ip.As16()})
		}
	}
	for _, s := range z.Services[name] {
		if q.Type != dnsmessage.TypeSRV {
			continue
		}
		target, err := dnsmessage.NewName(s.Target)
		if err != nil {
			return nil, err
		}
		add(&dnsmessage.SRVResource{Priority: s.Priority, Weight: s.Weight, Port: s.Port, Target: target})
	}
	return m.Pack()
}
