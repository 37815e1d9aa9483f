package link

import (
	"hash/maphash"
	"time"

	"golang.org/x/time/rate"
)

// What is answered to those who are no admins. A client asks a component once or
// twice at a login; what is beyond these rates is dropped without an answer.
const (
	answersPerSecond        = 1000 // to all of them together
	answersPerSecondAndPeer = 10   // to one user of the domain, or to one other domain
	answersBurstPerPeer     = 20
	peerBuckets             = 1024
)

// allowance bounds what peers are answered. Its size does not depend on how many
// they are: those of one bucket share it, and nobody can find out whose that is.
type allowance struct {
	seed  maphash.Seed
	all   *rate.Limiter
	peers [peerBuckets]*rate.Limiter
}

func newAllowance() *allowance {
	a := &allowance{seed: maphash.MakeSeed(), all: rate.NewLimiter(answersPerSecond, answersPerSecond)}
	for i := range a.peers {
		a.peers[i] = newPeerLimiter()
	}
	return a
}

func newPeerLimiter() *rate.Limiter {
	return rate.NewLimiter(answersPerSecondAndPeer, answersBurstPerPeer)
}

// take says whether peer may have one more answer. What is refused to a peer is
// not taken from the others' share.
func (a *allowance) take(peer string, now time.Time) bool {
	return a.peers[maphash.String(a.seed, peer)%peerBuckets].AllowN(now, 1) && a.all.AllowN(now, 1)
}
