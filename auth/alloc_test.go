//go:build !race

package auth_test

import (
	"context"
	"testing"
	"time"

	"xtokend/auth"
)

// The race detector makes pools drop what they hold, so it cannot be on here.

// Accepting allocates nothing, so a login storm leaves no garbage.
func TestVerifyAllocatesNothing(t *testing.T) {
	key, name := newKey(t, benchSeed, benchSecret), prepare(t, "alice")
	v := newVerifier(t, auth.Config{Now: func() time.Time { return noon }})
	const runs = 200
	var tokens []string
	for range 3 * runs {
		tokens = append(tokens, issue(t, key, "alice", noon))
	}
	next := 0
	verify := func() {
		if _, err := v.Verify(context.Background(), name, tokens[next]); err != nil {
			t.Fatal(err)
		}
		next++
	}
	for range runs {
		verify()
	}
	if allocations := testing.AllocsPerRun(runs, verify); allocations != 0 {
		t.Errorf("%v allocations", allocations)
	}
}
