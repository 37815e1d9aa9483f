// Package httpserver is what the daemon's HTTP servers have in common that answer
// programs, of administrators, of monitoring and of XMPP servers: bounds in number, size
// and time, and that a fault ends one request. Who may ask, and what, is their own matter.
package httpserver

import (
	"crypto/tls"
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"golang.org/x/net/netutil"

	"xtokend/internal/httpguard"
)

// Bounds are those of a server. All must be set, but for BodyBytes.
type Bounds struct {
	Connections int           // at a time; the next waits
	HeaderBytes int           // of a request; net/http reads up to 4096 more
	BodyBytes   int64         // of a request; 0: it has none that could be read
	Request     time.Duration // for a request, its body included, to arrive; before it, for the TLS handshake
	Answer      time.Duration // from the end of a request's header to the end of its answer
	Idle        time.Duration // between two requests
}

// Server answers HTTP/1 requests. Its methods may be called from any goroutine.
type Server struct {
	connections int
	panics      atomic.Int64
	http        *http.Server
}

// New returns a server that serves nothing yet: over TLS, or in clear if the
// configuration is nil. The log gets the faults of the handler, and at debug level what
// net/http has to say.
func New(handler http.Handler, b Bounds, config *tls.Config, log *slog.Logger) *Server {
	s := &Server{connections: b.Connections}
	onlyHTTP1 := new(http.Protocols) // of HTTP/2 each connection would be a hundred
	onlyHTTP1.SetHTTP1(true)
	s.http = &http.Server{
		Handler:                      http.MaxBytesHandler(httpguard.Handler(handler, &s.panics, log), b.BodyBytes),
		TLSConfig:                    config,
		Protocols:                    onlyHTTP1,
		ReadTimeout:                  b.Request,
		WriteTimeout:                 b.Answer,
		IdleTimeout:                  b.Idle,
		MaxHeaderBytes:               b.HeaderBytes,
		DisableGeneralOptionsHandler: true,
		ErrorLog:                     slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
	return s
}

// Serve blocks until the listener fails or Close is called, and then returns
// http.ErrServerClosed. The listener is closed.
func (s *Server) Serve(l net.Listener) error {
	l = netutil.LimitListener(l, s.connections)
	if s.http.TLSConfig != nil {
		return s.http.ServeTLS(l, "", "")
	}
	return s.http.Serve(l)
}

// Close closes the listeners and all connections, requests that are being answered
// included.
func (s *Server) Close() error { return s.http.Close() }

// Panics is the number of requests that a fault in the program has ended; each left a
// line with its stack in the log.
func (s *Server) Panics() int64 { return s.panics.Load() }
