package component

import "time"

// Limits bound what peers may use up. A zero field has the default that is
// named beside it; where zero is a meaning of its own, that is said.
type Limits struct {
	AuthAttempts int // failed ones, per stream; 3
	// FailedPerMinutePerAddress and FailedPerMinutePerUser bound failed
	// attempts; zero: no limit.
	FailedPerMinutePerAddress int
	FailedPerMinutePerUser    int
	IPv6Prefix                int           // bits that count as one address; 64
	Streams                   int           // 20000
	StreamsPerAddress         int           // zero: no limit
	Unauthenticated           int           // at the cap the oldest is closed; 6000
	ElementBytes              int           // from clients, after authentication; 262144
	UpstreamElementBytes      int           // from upstreams, where an element must be whole; 1048576
	ElementDepth              int           // 64
	NegotiationTimeout        time.Duration // from accept to relay; 30 s
	WriteTimeout              time.Duration // for one write to a peer; 30 s
}

const (
	// negotiationElementBytes bounds an element before authentication.
	negotiationElementBytes = 16384
	// negotiationElements bounds how many elements a client may send before it
	// is authenticated: some failures are not counted as attempts.
	negotiationElements = 64
	// upstreamHeadBytes bounds the upstream's header and its features.
	upstreamHeadBytes = 65536
	// verifyTimeout bounds the wait for the replay store.
	verifyTimeout = 5 * time.Second
	// upstreamTimeout bounds opening a stream at the upstream, account and all.
	upstreamTimeout = 10 * time.Second
	// closeTimeout bounds each wait at the end of a session: for the upstream's
	// stream end after the client's, and for the client to take in our last words.
	closeTimeout = 3 * time.Second
	// deadPeerTimeout bounds how long what was written may stay unacknowledged.
	deadPeerTimeout = 2 * time.Minute
	// lingerBytes bounds what is read from a client after our stream end, so that
	// what is under way does not turn into a reset that destroys our last words.
	lingerBytes = 4 << 20
	// strangerLingerBytes is lingerBytes for those who have not logged in.
	strangerLingerBytes = 2 << 20
	// refusals is how many connections above Limits.Streams are told why they
	// are refused; more are closed without a word.
	refusals = 64
)

func (l Limits) withDefaults() Limits {
	positive := func(v *int, def int) {
		if *v <= 0 {
			*v = def
		}
	}
	positive(&l.AuthAttempts, 3)
	positive(&l.IPv6Prefix, 64)
	positive(&l.Streams, 20000)
	positive(&l.Unauthenticated, 6000)
	positive(&l.ElementBytes, 262144)
	positive(&l.UpstreamElementBytes, 1048576)
	positive(&l.ElementDepth, 64)
	if l.NegotiationTimeout <= 0 {
		l.NegotiationTimeout = 30 * time.Second
	}
	if l.WriteTimeout <= 0 {
		l.WriteTimeout = 30 * time.Second
	}
	return l
}
