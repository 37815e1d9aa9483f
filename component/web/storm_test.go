package web_test

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

// Strangers who send the same bad thing again and again do not fill the log.
func TestLinesOfTheSameTroubleAreThinned(t *testing.T) {
	const tries, lines = 50, 10
	for _, tc := range []struct {
		name, line string
		provoke    func(t *testing.T, sc *scene)
	}{
		{"page refused", "page refused", func(t *testing.T, sc *scene) {
			if status, _, _ := sc.ask(t, http.MethodGet, "/xmpp-websocket", "localhost", "https://evil.example"); status != http.StatusForbidden {
				t.Fatalf("status %d", status)
			}
		}},
		{"forwarding headers in doubt", "a proxy leaves it in doubt", func(t *testing.T, sc *scene) {
			conn := dialTCP(t, sc.http)
			io.WriteString(conn, "GET /http-bind HTTP/1.1\r\nHost: a\r\nConnection: close\r\nX-Forwarded-For: nobody\r\n\r\n")
			rest(t, conn)
		}},
		{"a PROXY header that is none", "a PROXY header that is none", func(t *testing.T, sc *scene) {
			conn := dialTCP(t, sc.http)
			io.WriteString(conn, "PROXY nonsense\r\n\r\n")
			rest(t, conn)
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			sc := &scene{}
			sc.config.TrustedProxies = loopback
			sc.config.Now = func() time.Time { return testNow }
			sc.start(t)
			for range tries {
				tc.provoke(t, sc)
			}
			sc.shutdown(t)
			if got := strings.Count(sc.log.String(), tc.line); got != lines {
				t.Errorf("%d lines of %d, want %d", got, tries, lines)
			}
		})
	}
}
