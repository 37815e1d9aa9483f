// Package prosodytest starts a throwaway Prosody for one test.
package prosodytest

import (
	"context"
	"testing"
	"time"

	"xtokend/internal/prosody"
)

// stopTimeout bounds the end of a server; it is killed after that. Prosody
// gives clients 6 s to close their streams.
const stopTimeout = 20 * time.Second

// Start starts a server that ends with the test. Options.Dir is set to the
// test's own temporary directory where it is empty. The server's log is shown
// when the test has failed.
func Start(t testing.TB, o prosody.Options) *prosody.Server {
	t.Helper()
	if o.Dir == "" {
		o.Dir = t.TempDir()
	}
	s, err := prosody.Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
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
			t.Logf("Prosody's log:\n%s", s.Log())
		}
	})
	return s
}
