package metrics

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"
	"golang.org/x/net/netutil"
)

const (
	headerBytes = 8192
	connections = 64
	// headerTimeout and writeTimeout bound a request and its answer, idleTimeout the
	// wait for the next one.
	headerTimeout = 5 * time.Second
	writeTimeout  = 10 * time.Second
	idleTimeout   = 2 * time.Minute
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
// nothing else, whatever their Host header says. Connections, requests and
// answers are bounded in number, size and time. Whoever reaches the listener may
// ask: it belongs on loopback, or on a network for such things.
type Server struct {
	health Health
	asking chan struct{}
	http   *http.Server
}

// NewServer returns a server that serves nothing yet. The log gets what net/http
// has to say, at debug level.
func NewServer(m *Metrics, h Health, log *slog.Logger) *Server {
	reader := promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{MaxRequestsInFlight: atOnce, Timeout: writeTimeout / 2})
	s := &Server{health: h, asking: make(chan struct{}, 1)}
	paths := map[string]http.HandlerFunc{"/metrics": reader.ServeHTTP, "/healthz": s.alive, "/readyz": s.ready}
	s.http = &http.Server{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			serve := paths[r.URL.Path]
			switch {
			case serve == nil:
				http.Error(w, "there are /metrics, /healthz and /readyz", http.StatusNotFound)
			case r.Method != http.MethodGet && r.Method != http.MethodHead:
				w.Header().Set("Allow", "GET, HEAD")
				http.Error(w, "use GET", http.StatusMethodNotAllowed)
			default:
				w.Header().Set("Cache-Control", "no-store")
				w.Header().Set("X-Content-Type-Options", "nosniff")
				serve(w, r)
			}
		}),
		ReadHeaderTimeout:            headerTimeout,
		ReadTimeout:                  headerTimeout,
		WriteTimeout:                 writeTimeout,
		IdleTimeout:                  idleTimeout,
		MaxHeaderBytes:               headerBytes,
		DisableGeneralOptionsHandler: true,
		ErrorLog:                     slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
	return s
}

// Serve blocks until the listener fails or Close is called, and then returns
// http.ErrServerClosed. The listener is closed.
func (s *Server) Serve(l net.Listener) error {
	return s.http.Serve(netutil.LimitListener(l, connections))
}

// Close closes the listeners and all connections.
func (s *Server) Close() error { return s.http.Close() }

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
