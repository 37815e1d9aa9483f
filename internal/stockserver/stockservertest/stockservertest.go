// Package stockservertest ends throwaway servers with the tests that use them.
package stockservertest

import (
	"context"
	"testing"
	"time"

	"xtokend/internal/stockserver"
)

// stopTimeout bounds the end of a server; it is killed after that. Prosody
// gives clients 6 s to close their streams.
const stopTimeout = 20 * time.Second

// EndWith has s end with the test, and its log shown when the test has failed.
func EndWith(t testing.TB, s *stockserver.Server) {
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), stopTimeout)
		defer cancel()
		// A frozen process would not see the signal.
		if err := s.Thaw(); err != nil {
			t.Error(err)
		}
		if err := s.Stop(ctx); err != nil {
			t.Error(err)
		}
		if t.Failed() {
			t.Logf("the server's log:\n%s", s.Log())
		}
	})
}

// HasAccount says whether the domain of s has an account of this name.
func HasAccount(t testing.TB, s *stockserver.Server, localpart string) bool {
	t.Helper()
	has, err := s.HasAccount(t.Context(), localpart)
	if err != nil {
		t.Fatal(err)
	}
	return has
}
