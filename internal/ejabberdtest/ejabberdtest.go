// Package ejabberdtest starts a throwaway ejabberd for one test.
package ejabberdtest

import (
	"testing"

	"xtokend/internal/ejabberd"
	"xtokend/internal/stockserver"
	"xtokend/internal/stockserver/stockservertest"
)

// Start starts a server that ends with the test. Options.Dir is set to the
// test's own temporary directory where it is empty. The server's log is shown
// when the test has failed.
func Start(t testing.TB, o ejabberd.Options) *stockserver.Server {
	t.Helper()
	if o.Dir == "" {
		o.Dir = t.TempDir()
	}
	s, err := ejabberd.Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	stockservertest.EndWith(t, s)
	return s
}
