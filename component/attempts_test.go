package component

import (
	"fmt"
	"net/netip"
	"testing"
	"time"
)

func TestFailedAttemptsAreCountedPerAddressAndUser(t *testing.T) {
	now := time.Unix(1551193138, 0)
	a := newAttempts(Limits{FailedPerMinutePerAddress: 2, FailedPerMinutePerUser: 3, IPv6Prefix: 64}, func() time.Time { return now })
	first, second := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2")
	for i, want := range []time.Duration{0, 0, 30 * time.Second} {
		if got := a.wait(first).Round(time.Millisecond); got != want {
			t.Fatalf("after %d failures the wait is %v, want %v", i, got, want)
		}
		if i < 2 {
			a.failed(first, "alice@example.org")
		}
	}
	if got := a.wait(second); got != 0 {
		t.Errorf("another address waits %v", got)
	}
	a.failed(second, "alice@example.org")
	if got := a.waitUser("alice@example.org").Round(time.Millisecond); got != 20*time.Second {
		t.Errorf("the user waits %v, want 20s", got)
	}
	if got := a.waitUser("bob@example.org"); got != 0 {
		t.Errorf("another user waits %v", got)
	}
	now = now.Add(30 * time.Second)
	if got := a.wait(first); got != 0 {
		t.Errorf("after the wait it is still %v", got)
	}
}

func TestAnIPv6PrefixCountsAsOneAddress(t *testing.T) {
	now := time.Unix(1551193138, 0)
	a := newAttempts(Limits{FailedPerMinutePerAddress: 1, IPv6Prefix: 64}, func() time.Time { return now })
	a.failed(netip.MustParseAddr("2001:db8:0:1::1"), "")
	if a.wait(netip.MustParseAddr("2001:db8:0:1:ffff::2%eth0")) == 0 {
		t.Error("another address of the same prefix need not wait")
	}
	if a.wait(netip.MustParseAddr("2001:db8:0:2::1")) != 0 {
		t.Error("an address of another prefix must wait")
	}
}

func TestMemoryOfFailedAttemptsIsBounded(t *testing.T) {
	b := newBuckets[string](1)
	now := time.Unix(1551193138, 0)
	for i := range bucketsMax + 10 {
		b.take(fmt.Sprint(i), now)
		if len(b.byKey) > bucketsMax {
			t.Fatalf("%d keys are remembered", len(b.byKey))
		}
	}
	if b.wait(fmt.Sprint(bucketsMax+9), now) == 0 {
		t.Error("the newest failure was forgotten")
	}
}

func TestNoLimitCountsNothing(t *testing.T) {
	a := newAttempts(Limits{}, time.Now)
	a.failed(netip.Addr{}, "alice@example.org")
	if a.wait(netip.Addr{}) != 0 || a.waitUser("alice@example.org") != 0 {
		t.Error("something is limited")
	}
}
