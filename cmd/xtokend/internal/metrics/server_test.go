package metrics_test

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"

	"xtokend/cmd/xtokend/internal/httpservertest"
	"xtokend/cmd/xtokend/internal/metrics"
)

func TestServer(t *testing.T) {
	w := newWorld()
	missing := []string{"the replay store does not answer", "draining"}
	s := metrics.NewServer(w.Metrics, metrics.Health{
		Alive: func() {}, NotReady: func(context.Context) []string { return missing },
	}, slog.New(slog.DiscardHandler))
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	httpservertest.Serve(t, s, l)
	defer http.DefaultClient.CloseIdleConnections()
	ask := func(method, path string) (int, string) {
		t.Helper()
		request, err := http.NewRequestWithContext(t.Context(), method, "http://"+l.Addr().String()+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		request.Host = "any.example" // does not matter
		answer, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		text, err := io.ReadAll(answer.Body)
		if err != nil {
			t.Fatal(err)
		}
		return answer.StatusCode, string(text)
	}
	for _, k := range []struct {
		method, path string
		status       int
		text         string
	}{
		{"GET", "/healthz", 200, "ok\n"},
		{"HEAD", "/healthz", 200, ""},
		{"GET", "/readyz", 503, "the replay store does not answer\ndraining\n"},
		{"GET", "/metrics", 200, "xtokend_panics_total 1\n"},
		{"GET", "/metrics?name[]=xtokend_sessions", 200, "xtokend_sessions"},
		{"POST", "/metrics", 405, "use GET"},
		{"GET", "/", 404, "/readyz"},
		{"GET", "/metrics/", 404, "/readyz"},
		{"GET", "/debug/pprof/", 404, "/readyz"},
	} {
		if status, text := ask(k.method, k.path); status != k.status || !strings.Contains(text, k.text) {
			t.Errorf("%s %s: %d %q", k.method, k.path, status, text)
		}
	}
	missing = nil
	if status, text := ask("GET", "/readyz"); status != 200 || text != "ready\n" {
		t.Errorf("GET /readyz: %d %q", status, text)
	}
}

func TestTheNextConnectionWaits(t *testing.T) {
	httpservertest.ServesAtMost(t, 64, func() httpservertest.Server {
		return metrics.NewServer(newWorld().Metrics, metrics.Health{}, slog.New(slog.DiscardHandler))
	})
}

// A process that is stuck says so, as often as it is asked.
func TestAProcessThatDoesNotTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stuck := make(chan struct{})
		s := metrics.NewServer(newWorld().Metrics, metrics.Health{
			Alive: func() { <-stuck }, NotReady: func(context.Context) []string { return nil },
		}, slog.New(slog.DiscardHandler))
		ask := func() int {
			recorder := httptest.NewRecorder()
			s.Handler().ServeHTTP(recorder, httptest.NewRequest("GET", "/healthz", nil))
			return recorder.Code
		}
		for range 3 {
			if status := ask(); status != http.StatusServiceUnavailable {
				t.Errorf("answered %d", status)
			}
		}
		close(stuck)
		synctest.Wait()
		if status := ask(); status != http.StatusOK {
			t.Errorf("when it turns again: %d", status)
		}
	})
}
