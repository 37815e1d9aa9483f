package server

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/xdg-go/scram"
)

func testClient(tb testing.TB) *scram.Client {
	client, err := scram.SHA1.NewClientUnprepped("alice", "password", "")
	if err != nil {
		tb.Fatal(err)
	}
	return client
}

func TestKeysAreReplacedByNewFactors(t *testing.T) {
	k := newKeys(10)
	id := keyID{"alice@example.org", "SCRAM-SHA-1", "password"}
	var last *keptKeys
	for i := range 20 {
		factors := scram.KeyFactors{Salt: fmt.Sprint("salt", i), Iters: minIterations}
		kept, err := k.get(t.Context(), id, factors, testClient(t))
		if err != nil {
			t.Fatal(err)
		}
		if kept == last {
			t.Fatal("keys of another salt were given")
		}
		again, err := k.get(t.Context(), id, factors, nil) // nothing is derived, so no client is needed
		if err != nil || again != kept {
			t.Fatalf("keys were not kept: %v", err)
		}
		last = kept
	}
	if len(k.byID) != 1 || k.recent.Len() != 1 {
		t.Errorf("%d and %d sets of keys for one user", len(k.byID), k.recent.Len())
	}
}

func TestKeysForgetTheLeastRecent(t *testing.T) {
	k := newKeys(2)
	factors := scram.KeyFactors{Salt: "salt", Iters: minIterations}
	for _, user := range []string{"a", "b", "a", "c"} { // b was used least recently
		if _, err := k.get(t.Context(), keyID{user, "SCRAM-SHA-1", "password"}, factors, testClient(t)); err != nil {
			t.Fatal(err)
		}
	}
	for user, want := range map[string]bool{"a": true, "b": false, "c": true} {
		if kept := k.find(keyID{user, "SCRAM-SHA-1", "password"}, factors) != nil; kept != want {
			t.Errorf("keys of %s are kept: %t", user, kept)
		}
	}
	if len(k.byID) != 2 || k.recent.Len() != 2 {
		t.Errorf("%d and %d sets of keys are kept", len(k.byID), k.recent.Len())
	}
}

func TestKeysAtOnceAreDerivedOnce(t *testing.T) {
	k := newKeys(10)
	var wg sync.WaitGroup
	got := make([]*keptKeys, 8)
	for i := range got {
		wg.Go(func() {
			kept, err := k.get(t.Context(), keyID{"alice", "SCRAM-SHA-1", "password"}, scram.KeyFactors{Salt: "salt", Iters: minIterations}, testClient(t))
			if err != nil {
				t.Error(err)
			}
			got[i] = kept
		})
	}
	wg.Wait()
	different := make(map[*keptKeys]bool)
	for _, kept := range got {
		different[kept] = true
	}
	// As many derivations may begin together as may run together.
	if most := int(derivationsAtOnce); len(different) > most {
		t.Errorf("derived %d times, %d at once are allowed", len(different), most)
	}
}

func TestDerivationWaitsNoLongerThanContext(t *testing.T) {
	if err := derivations.Acquire(t.Context(), derivationsAtOnce); err != nil {
		t.Fatal(err)
	}
	defer derivations.Release(derivationsAtOnce)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	k := newKeys(10)
	factors := scram.KeyFactors{Salt: "salt", Iters: minIterations}
	if _, err := k.get(ctx, keyID{"alice", "SCRAM-SHA-1", "password"}, factors, testClient(t)); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want %v", err, context.Canceled)
	}
}

// BenchmarkAnswer is what a login costs this side in SCRAM at Prosody's 10,000
// iterations, with keys that are kept and without.
func BenchmarkAnswer(b *testing.B) {
	serverFirst := func(nonce string) string {
		return "r=" + nonce + "x,s=" + base64.StdEncoding.EncodeToString([]byte("0123456789abcdef")) + ",i=10000"
	}
	login := func(b *testing.B, k *keys) {
		x := &exchange{keys: k, id: keyID{"alice", "SCRAM-SHA-1", "password"}, nonce: newNonce(), client: testClient(b)}
		if _, err := x.first(); err != nil {
			b.Fatal(err)
		}
		if _, err := x.answer(b.Context(), serverFirst(x.nonce)); err != nil {
			b.Fatal(err)
		}
	}
	b.Run("warm", func(b *testing.B) {
		k := newKeys(1)
		login(b, k)
		b.ReportAllocs()
		for b.Loop() {
			login(b, k)
		}
	})
	b.Run("cold", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			login(b, newKeys(1))
		}
	})
}
