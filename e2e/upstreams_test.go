package e2e

import "testing"

// onEachUpstream runs a test of what a user sees, who cannot tell what serves the
// site.
func onEachUpstream(t *testing.T, test func(t *testing.T, behind upstream)) {
	t.Helper()
	onEach(t, upstreams, test)
}

// onEachServer runs a test of what xtokend does with a server behind it.
func onEachServer(t *testing.T, test func(t *testing.T, behind upstream)) {
	t.Helper()
	onEach(t, stockServers, test)
}

func onEach(t *testing.T, several []upstream, test func(t *testing.T, behind upstream)) {
	t.Helper()
	for _, behind := range several {
		t.Run(string(behind), func(t *testing.T) {
			t.Parallel() // most of the time is spent waiting
			test(t, behind)
		})
	}
}
