// Package stockservertest ends throwaway servers with the tests that use them.
package stockservertest

import (
	"context"
	"testing"

	"xtokend/internal/stockserver"
)

// EndWith has s end with the test, and its log shown when the test has failed.
func EndWith(t testing.TB, s *stockserver.Server) {
	t.Cleanup(func() {
		// A frozen process would not see the signal.
		if err := s.Thaw(); err != nil {
			t.Error(err)
		}
		if err := s.Stop(context.Background()); err != nil {
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
