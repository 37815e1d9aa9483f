package component

import (
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// attempts bounds the failed attempts to authenticate of each address and each
// user. Its lock is a leaf.
type attempts struct {
	ipv6Prefix int
	now        func() time.Time
	addresses  *buckets[netip.Prefix]
	users      *buckets[string]
}

func newAttempts(l Limits, now func() time.Time) *attempts {
	return &attempts{
		ipv6Prefix: l.IPv6Prefix,
		now:        now,
		addresses:  newBuckets[netip.Prefix](l.FailedPerMinutePerAddress),
		users:      newBuckets[string](l.FailedPerMinutePerUser),
	}
}

// with is a with other limits, which has what a has counted. Those of addresses are
// counted anew if another IPv6 prefix is one address.
func (a *attempts) with(l Limits) *attempts {
	now := a.now()
	next := *a
	next.users.limit(l.FailedPerMinutePerUser, now)
	if next.addresses.limit(l.FailedPerMinutePerAddress, now); l.IPv6Prefix != a.ipv6Prefix {
		next.ipv6Prefix, next.addresses = l.IPv6Prefix, newBuckets[netip.Prefix](l.FailedPerMinutePerAddress)
	}
	return &next
}

// wait is how long the address must wait before its next attempt is looked at;
// zero if it need not.
func (a *attempts) wait(address netip.Addr) time.Duration {
	return a.addresses.wait(AddressPrefix(address, a.ipv6Prefix), a.now())
}

// waitUser is like wait, for a user's bare JID.
func (a *attempts) waitUser(user string) time.Duration { return a.users.wait(user, a.now()) }

// failed counts one failed attempt. The user is "" if none was named.
func (a *attempts) failed(address netip.Addr, user string) {
	a.addresses.take(AddressPrefix(address, a.ipv6Prefix), a.now())
	a.failedUser(user)
}

// failedUser is like failed, for an attempt whose address is not known.
func (a *attempts) failedUser(user string) {
	if user != "" {
		a.users.take(user, a.now())
	}
}

// bucketsMax bounds the number of keys that are remembered. When it is reached
// those that have recovered are forgotten, and if that is not enough all are:
// a limit that forgets is better than a memory that grows.
const bucketsMax = 1 << 17

// buckets holds a token bucket for each key that has failed lately.
type buckets[K comparable] struct {
	mu        sync.Mutex
	perMinute int // no limit if it is not positive
	byKey     map[K]*rate.Limiter
}

func newBuckets[K comparable](perMinute int) *buckets[K] {
	return &buckets[K]{perMinute: perMinute, byKey: make(map[K]*rate.Limiter)}
}

// limit changes the limit also for those that have failed: whoever has used it up
// gets nothing by that.
func (b *buckets[K]) limit(perMinute int, now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if perMinute == b.perMinute {
		return
	}
	b.perMinute = perMinute
	if perMinute <= 0 {
		clear(b.byKey)
	}
	for _, l := range b.byKey {
		l.SetLimitAt(now, perMinuteRate(perMinute))
		l.SetBurstAt(now, perMinute)
	}
}

func perMinuteRate(n int) rate.Limit { return rate.Limit(float64(n) / 60) }

func (b *buckets[K]) wait(key K, now time.Time) time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	l := b.byKey[key]
	if l == nil {
		return 0
	}
	missing := 1 - l.TokensAt(now)
	if missing <= 0 {
		return 0
	}
	return time.Duration(missing * float64(time.Minute) / float64(b.perMinute))
}

func (b *buckets[K]) take(key K, now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.perMinute <= 0 {
		return
	}
	l := b.byKey[key]
	if l == nil {
		if len(b.byKey) >= bucketsMax {
			b.forget(now)
		}
		l = rate.NewLimiter(perMinuteRate(b.perMinute), b.perMinute)
		b.byKey[key] = l
	}
	l.AllowN(now, 1)
}

func (b *buckets[K]) forget(now time.Time) {
	for key, l := range b.byKey {
		if l.TokensAt(now) >= float64(b.perMinute) {
			delete(b.byKey, key)
		}
	}
	if len(b.byKey) >= bucketsMax {
		clear(b.byKey)
	}
}
