package e2e

import "testing"

// onEachUpstream runs a test of what a user sees, who cannot tell what serves the
// site.
func onEachUpstream(t *testing.T, test func(t *testing.T, behind upstream)) {
	t.Helper()
	for _, behind := range []upstream{stockProsody, builtInHost} {
		t.Run(string(behind), func(t *testing.T) { test(t, behind) })
	}
}
