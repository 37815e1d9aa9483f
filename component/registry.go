package component

import (
	"container/list"
	"net/netip"
	"sync"
)

// admission is what the registry says about a new connection.
type admission uint8

const (
	admitted admission = iota
	refused            // over a limit: to be told so, and closed
	dropped            // over every limit: closed without a word
)

// registry counts the connections and keeps the unauthenticated ones in order
// of arrival. Its lock is a leaf.
type registry struct {
	limits Limits

	mu              sync.Mutex
	admitted        int
	refused         int
	perAddress      map[netip.Prefix]int
	unauthenticated *list.List // of *session, oldest first
}

func newRegistry(l Limits) *registry {
	return &registry{limits: l, perAddress: make(map[netip.Prefix]int), unauthenticated: list.New()}
}

// add admits s or not. At the cap on unauthenticated streams it ends the oldest
// of them, so that a flood of silent connections cannot shut others out.
func (r *registry) add(s *session) admission {
	r.mu.Lock()
	defer r.mu.Unlock()
	prefix := r.prefix(s.address)
	if r.admitted >= r.limits.Streams ||
		r.limits.StreamsPerAddress > 0 && r.perAddress[prefix] >= r.limits.StreamsPerAddress {
		if r.refused >= refusals {
			return dropped
		}
		r.refused++
		return refused
	}
	if r.unauthenticated.Len() >= r.limits.Unauthenticated {
		victim := r.unauthenticated.Front().Value.(*session)
		r.release(victim)
		victim.cancel(errDisplaced)
	}
	r.admitted++
	r.perAddress[prefix]++
	s.counted = true
	s.waiting = r.unauthenticated.PushBack(s)
	return admitted
}

// authenticated says that s is no longer among those that may be displaced.
func (r *registry) authenticated(s *session) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.settle(s)
}

// remove takes s out; it must be called once for each add that did not drop it.
func (r *registry) remove(s *session) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if s.verdict == refused {
		r.refused--
		return
	}
	r.release(s)
}

// release gives back the place of an admitted session, once.
func (r *registry) release(s *session) {
	r.settle(s)
	if !s.counted {
		return
	}
	s.counted = false
	r.admitted--
	prefix := r.prefix(s.address)
	if r.perAddress[prefix]--; r.perAddress[prefix] <= 0 {
		delete(r.perAddress, prefix)
	}
}

func (r *registry) settle(s *session) {
	if s.waiting != nil {
		r.unauthenticated.Remove(s.waiting)
		s.waiting = nil
	}
}

func (r *registry) count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.admitted + r.refused
}

func (r *registry) prefix(a netip.Addr) netip.Prefix { return addressPrefix(a, r.limits.IPv6Prefix) }

// addressPrefix is what counts as one address: an IPv4 address, or an IPv6
// prefix, since one customer has all of it.
func addressPrefix(a netip.Addr, ipv6Bits int) netip.Prefix {
	bits := a.BitLen()
	if a.Is6() {
		bits = ipv6Bits
	}
	p, err := a.WithZone("").Prefix(bits)
	if err != nil {
		return netip.Prefix{} // not an IP connection: all of these count as one
	}
	return p
}
