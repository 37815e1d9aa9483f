package component

import (
	"container/list"
	"net/netip"
	"sync"

	"xtokend/internal/longestqueue"
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
	reached func(limit string) // is told of each limit that was met

	mu              sync.Mutex
	limits          Limits
	admitted        int
	refused         int
	perAddress      map[netip.Prefix]int // of those whose address is known
	unauthenticated longestqueue.Set[netip.Prefix, *session]
	ended           struct{ fromClient, toClient int64 } // bytes that sessions which are no more have relayed
	named           list.List                            // of *session that have claimed to be somebody, by the time of their login
}

type waiting = longestqueue.Entry[netip.Prefix, *session]

func newRegistry(l Limits, reached func(string)) *registry {
	return &registry{limits: l, reached: reached, perAddress: make(map[netip.Prefix]int)}
}

// limit changes the limits for those that come from now on.
func (r *registry) limit(l Limits) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.limits = l
}

// add admits s or not. At the cap on unauthenticated streams the oldest of the
// address that has most of them ends: a flood of silent connections displaces
// itself. It shuts out others only if it comes from as many addresses as there are
// places, and fills all of them anew in the time of a login: of addresses that hold
// as many, the oldest goes. (Whoever has sent more is not preferred: a flood of
// clients that send a header would then displace those that are about to.)
//
// A connection of a trusted proxy is provisional: s.address is the proxy's until
// identify says whose it is.
func (r *registry) add(s *session, provisional bool) admission {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.admitted >= r.limits.Streams {
		return r.refuse(s, limitStreams)
	}
	if !provisional && !r.hasPlace(s.address) {
		return r.refuse(s, limitStreamsPerAddress)
	}
	r.admitted++
	s.counted = true
	if !provisional {
		r.countAddress(s)
	}
	s.waiting = r.unauthenticated.Push(r.prefix(s.address), s)
	if r.unauthenticated.Len() > r.limits.Unauthenticated {
		victim := r.unauthenticated.Victim().Value
		r.release(victim)
		r.reached(limitUnauthenticated)
		victim.stop(errDisplaced)
	}
	return admitted
}

// identify says whose a provisional connection is, and whether it stays admitted.
func (r *registry) identify(s *session, address netip.Addr) admission {
	r.mu.Lock()
	defer r.mu.Unlock()
	before := r.prefix(s.address)
	s.address = address
	if !s.counted { // displaced meanwhile
		return admitted
	}
	if !r.hasPlace(address) {
		r.release(s)
		return r.refuse(s, limitStreamsPerAddress)
	}
	r.countAddress(s)
	if prefix := r.prefix(address); prefix != before {
		r.settle(s)
		s.waiting = r.unauthenticated.Push(prefix, s)
	}
	return admitted
}

func (r *registry) hasPlace(address netip.Addr) bool {
	return r.limits.StreamsPerAddress <= 0 || r.perAddress[r.prefix(address)] < r.limits.StreamsPerAddress
}

func (r *registry) countAddress(s *session) {
	s.addressCounted, s.prefix = true, r.prefix(s.address)
	r.perAddress[s.prefix]++
}

// refuse says how much is said to a connection over a limit.
func (r *registry) refuse(s *session, limit string) admission {
	s.limit = limit
	r.reached(limit)
	if r.refused >= refusals {
		return dropped
	}
	r.refused++
	return refused
}

// keep says that s does not make room for others, until wait is called.
func (r *registry) keep(s *session) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.settle(s)
}

// wait puts s back among those that may be displaced, as the youngest.
func (r *registry) wait(s *session) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if s.counted && s.waiting == nil {
		s.waiting = r.unauthenticated.Push(r.prefix(s.address), s)
	}
}

// authenticated says that s is no longer among those that may be displaced, and
// who its user is. A session that has been displaced stays out.
func (r *registry) authenticated(s *session) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.settle(s)
	if s.named != nil {
		s.authenticated, s.transportName = true, s.transport.name()
		r.named.MoveToBack(s.named)
	}
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
	if s.named != nil {
		r.ended.fromClient += s.relayed.fromClient.Load()
		r.ended.toClient += s.relayed.toClient.Load()
		r.named.Remove(s.named)
		s.named, s.authenticated = nil, false
	}
	r.admitted--
	if !s.addressCounted {
		return
	}
	s.addressCounted = false
	if r.perAddress[s.prefix]--; r.perAddress[s.prefix] <= 0 {
		delete(r.perAddress, s.prefix)
	}
}

func (r *registry) settle(s *session) {
	r.unauthenticated.Remove(s.waiting)
	s.waiting = nil
}

func (r *registry) count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.admitted + r.refused
}

func (r *registry) prefix(a netip.Addr) netip.Prefix { return AddressPrefix(a, r.limits.IPv6Prefix) }

// AddressPrefix is what counts as one address to the limits: an IPv4 address, or
// an IPv6 prefix of so many bits, since one customer has all of it. What is no
// address has the zero prefix.
func AddressPrefix(a netip.Addr, ipv6Bits int) netip.Prefix {
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
