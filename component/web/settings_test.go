package web_test

import (
	"strings"
	"testing"
)

// What a proxy has said of a client when it was trusted counts no more when it is not,
// also on a connection that stays open.
func TestReloadTakesTheTrustFromOpenConnections(t *testing.T) {
	sc := &scene{proxyHeader: v2OverTLS}
	sc.config.TrustedProxies = loopback
	sc.start(t)
	connected := sc.client(t)
	for _, trusted := range []bool{true, false} {
		if !trusted {
			next := sc.config
			next.TrustedProxies = nil
			must(t, sc.web.Reload(next))
		}
		client := sc.bosh(t, "http://"+sc.http+"/http-bind")
		client.http = connected
		answer := client.create(boshCreation).body
		if !strings.Contains(answer, "<stream:features") || strings.Contains(answer, "<mechanism>") != trusted {
			t.Errorf("trusted: %t, the answer is %s", trusted, answer)
		}
	}
	sc.awaitLog(t, "a proxy leaves it in doubt who its client is", "address=127.0.0.1")
}
