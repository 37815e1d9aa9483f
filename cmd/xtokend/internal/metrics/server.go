package metrics

import (
	"context"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"xtokend/cmd/xtokend/internal/httpserver"
)

const (
	// aliveTimeout is how long a process that turns needs at most to say so.
	aliveTimeout = 2 * time.Second
	// atOnce is how many may read the metrics at a time.
	atOnce = 4
)

// Health answers the questions of load balancers and supervisors. Both functions
// must be set.
type Health struct {
	// Alive returns if the process turns, as far as others depend on it.
	Alive func()
	// NotReady says what keeps clients from being served, a line each; nothing if
	// they are. The context bounds the time to find out.
	NotReady func(context.Context) []string
}

// Server answers GET and HEAD requests for /metrics, /healthz and /readyz, and
// nothing else, whatever their Host header says. Whoever reaches the listener may
// ask: it belongs on loopback, or on a network for such things.
type Server struct {
	*httpserver.Server
	health Health
	asking chan struct{}
	paths  map[string]http.HandlerFunc
}

// NewServer returns a server that serves nothing yet. The log gets what net/http
// has to say, at debug level.
func NewServer(m *Metrics, h Health, log *slog.Logger) *Server {
	bounds := httpserver.Bounds{
		Connections: 64,
		HeaderBytes: 8192,
		Request:     5 * time.Second,
		Answer:      10 * time.Second,
		Idle:        2 * time.Minute,
	}
	reader := promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{MaxRequestsInFlight: atOnce, Timeout: bounds.Answer / 2})
	s := &Server{health: h, asking: make(chan struct{}, 1)}
	s.paths = map[string]http.HandlerFunc{"/metrics": reader.ServeHTTP, "/healthz": s.alive, "/readyz": s.ready}
	s.Server = httpserver.New(http.HandlerFunc(s.serve), bounds, nil, log)
	return s
}

func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	answer := s.paths[r.URL.Path]
	switch {
	case answer == nil:
		http.Error(w, "there are /metrics, /healthz and /readyz", http.StatusNotFound)
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "use GET", http.StatusMethodNotAllowed)
	default:
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		answer(w, r)
	}
}

func (s *Server) alive(w http.ResponseWriter, _ *http.Request) {
	turns := make(chan struct{})
	late := time.NewTimer(aliveTimeout)
	defer late.Stop()
	select {
	case s.asking <- struct{}{}: // one at a time: an answer that never comes is waited for once
		go func() {
			s.health.Alive()
			<-s.asking
			close(turns)
		}()
	case <-late.C:
		late.Reset(0)
	}
	select {
	case <-turns:
		answer(w, http.StatusOK, "ok")
	case <-late.C:
		answer(w, http.StatusServiceUnavailable, "the process does not answer")
	}
}

func (s *Server) ready(w http.ResponseWriter, r *http.Request) {
	ctx, done := context.WithTimeout(r.Context(), aliveTimeout)
	defer done()
	if missing := s.health.NotReady(ctx); len(missing) > 0 {
		answer(w, http.StatusServiceUnavailable, strings.Join(missing, "\n"))
		return
	}
	answer(w, http.StatusOK, "ready")
}

func answer(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	w.Write([]byte(text + "\n"))
}
