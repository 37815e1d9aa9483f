package component

import (
	"context"
	"fmt"
	"net/netip"
	"testing"
)

// arrive adds a connection of address, and returns it with what it was told.
func arrive(r *registry, address string) (*session, admission) {
	_, cancel := context.WithCancel(context.Background())
	s := &session{address: netip.MustParseAddr(address), cancel: cancel}
	s.verdict = r.add(s, false)
	return s, s.verdict
}

// A flood from one address displaces itself, however much comes of it.
func TestAFloodDisplacesItself(t *testing.T) {
	reached := map[string]int{}
	r := newRegistry(Limits{Unauthenticated: 10, IPv6Prefix: 64}.withDefaults(), func(limit string) { reached[limit]++ })
	first, _ := arrive(r, "192.0.2.1")
	for i := range 100 {
		arrive(r, fmt.Sprintf("2001:db8::%x", i))
	}
	second, _ := arrive(r, "192.0.2.2")
	for i := range 100 {
		arrive(r, fmt.Sprintf("2001:db8::%x:1", i))
	}
	if !first.counted || !second.counted {
		t.Error("somebody else was displaced")
	}
	if n := r.count(); n != 10 {
		t.Errorf("%d are admitted, want 10", n)
	}
	if reached[limitUnauthenticated] != 192 {
		t.Errorf("%d were displaced, want 192", reached[limitUnauthenticated])
	}
}

func TestStreamsPerAddress(t *testing.T) {
	for _, c := range []struct {
		name      string
		addresses []string
		want      []admission
	}{
		{"below and at the limit", []string{"192.0.2.1", "192.0.2.1"}, []admission{admitted, admitted}},
		{"above it", []string{"192.0.2.1", "192.0.2.1", "192.0.2.1", "192.0.2.2"}, []admission{admitted, admitted, refused, admitted}},
		{"an IPv6 prefix is one", []string{"2001:db8::1", "2001:db8::2", "2001:db8::3", "2001:db8:0:1::1"}, []admission{admitted, admitted, refused, admitted}},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRegistry(Limits{StreamsPerAddress: 2}.withDefaults(), func(string) {})
			var all []*session
			for i, address := range c.addresses {
				s, got := arrive(r, address)
				if got != c.want[i] {
					t.Errorf("number %d gets %v, want %v", i+1, got, c.want[i])
				}
				all = append(all, s)
			}
			for _, s := range all {
				r.remove(s)
			}
			if r.count() != 0 || len(r.perAddress) != 0 || r.unauthenticated.Len() != 0 {
				t.Errorf("something is left: %d, %v, %d", r.count(), r.perAddress, r.unauthenticated.Len())
			}
		})
	}
}

// Many streams of one trusted proxy are those of its clients, each of whom has a
// limit of his own.
func TestClientsOfAProxyAreCountedByTheirOwnAddress(t *testing.T) {
	reached := map[string]int{}
	r := newRegistry(Limits{StreamsPerAddress: 1, Unauthenticated: 4}.withDefaults(), func(limit string) { reached[limit]++ })
	through := func(address string) (*session, admission) {
		s := &session{address: netip.MustParseAddr("192.0.2.254"), cancel: func() {}}
		if s.verdict = r.add(s, true); s.verdict != admitted {
			t.Fatalf("the proxy gets %v", s.verdict)
		}
		s.verdict = r.identify(s, netip.MustParseAddr(address))
		return s, s.verdict
	}
	alice, got := through("203.0.113.1")
	if got != admitted {
		t.Errorf("the first client gets %v", got)
	}
	if _, got = through("203.0.113.2"); got != admitted {
		t.Errorf("another client gets %v", got)
	}
	again, got := through("203.0.113.1")
	if got != refused || reached[limitStreamsPerAddress] != 1 {
		t.Errorf("the first client's second stream gets %v, counted %v", got, reached)
	}
	r.remove(again)
	r.remove(alice)
	if _, got = through("203.0.113.1"); got != admitted {
		t.Errorf("after the first has gone, the next gets %v", got)
	}
}

// A connection that was displaced before it said whose it is has no place.
func TestDisplacedBeforeItIsKnown(t *testing.T) {
	r := newRegistry(Limits{StreamsPerAddress: 1, Unauthenticated: 1}.withDefaults(), func(string) {})
	s := &session{address: netip.MustParseAddr("192.0.2.254"), cancel: func() {}}
	s.verdict = r.add(s, true)
	other, _ := arrive(r, "192.0.2.1")
	r.identify(s, netip.MustParseAddr("203.0.113.1"))
	r.remove(s)
	r.remove(other)
	if r.count() != 0 || len(r.perAddress) != 0 || r.unauthenticated.Len() != 0 {
		t.Errorf("something is left: %d, %v, %d", r.count(), r.perAddress, r.unauthenticated.Len())
	}
}
