// Package prosodytest starts a throwaway Prosody for one test.
package prosodytest

import (
	"testing"

	"xtokend/internal/prosody"
	"xtokend/internal/stockserver"
	"xtokend/internal/stockserver/stockservertest"
)

// Start starts a server that ends with the test. Options.Dir is set to the
// test's own temporary directory where it is empty. The server's log is shown
// when the test has failed.
func Start(t testing.TB, o prosody.Options) *stockserver.Server {
	t.Helper()
	if o.Dir == "" {
		o.Dir = t.TempDir()
	}
	s, err := prosody.Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	stockservertest.EndWith(t, s)
	return s
}
