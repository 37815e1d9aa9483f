package web

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"xtokend/component"
	"xtokend/internal/storm"
	"xtokend/internal/tally"
)

const (
	// headerTimeout bounds the reading of a request's header.
	headerTimeout = 10 * time.Second
	// idleTimeout bounds the time between two requests on one connection. It is
	// longer than a BOSH client may stay away.
	idleTimeout = 2 * time.Minute
	// headerBytes bounds a request's header.
	headerBytes = 16384
	// streamsPerConnection bounds the simultaneous requests over HTTP/2.
	streamsPerConnection = 100
)

// ErrClosed is returned by the methods that serve once Shutdown was called.
var ErrClosed = http.ErrServerClosed

// Domain is what pages are told of one of the front's domains.
type Domain struct {
	// Name is the domainpart, prepared (RFC 7622 §3.2).
	Name string
	// PublicURLs are the addresses of wss:// and https:// at which clients
	// reach this server, for discovery (XEP-0156); none: nothing is said.
	PublicURLs []string
}

// Limits bound what clients may use up. A zero field has the default that is
// named beside it.
type Limits struct {
	Connections int // that carry no WebSocket; 20000
	// ConnectionsPerAddress bounds those of one address, of which a client of BOSH
	// needs two (XEP-0124 §11); zero: no limit. IPv6Prefix is how many bits of an
	// IPv6 address count as one; 64.
	ConnectionsPerAddress int
	IPv6Prefix            int
	ElementBytes          int           // from clients, after authentication; 262144
	BOSHSessions          int           // 5000
	BOSHBufferBytes       int           // of one session, in each direction; 1048576
	WriteTimeout          time.Duration // for one answer; 30 s
}

// Config is what a Server is made of.
type Config struct {
	// Front serves the clients; it must be set.
	Front *component.Front
	// Domains are those of the front.
	Domains []Domain
	// TrustedProxies are believed about the client they connect for: a header of
	// the PROXY protocol, X-Forwarded-For and X-Forwarded-Proto.
	TrustedProxies []netip.Prefix
	// AllowedOrigins are the origins (RFC 6454 §6.2) of pages that may connect;
	// "*" is any. None: pages of the same origin alone.
	AllowedOrigins []string
	// Node is this program's name among several that share a replay store. It begins
	// the sids of BOSH sessions, up to a hyphen, so that a proxy sees whose they are;
	// empty: they do not tell.
	Node string
	// Hosts are the names and addresses by which requests may call the server in
	// their Host header (RFC 9110 §7.2), without port. Others are answered with
	// 421, whatever they are for. None: any.
	Hosts []string
	// Pages answers GET and HEAD requests that are for none of the server's own
	// paths, if they come from a page that may connect or from no page; nil: they
	// are not found.
	Pages  http.Handler
	Limits Limits
	// TLS is for ServeTLS; nil: it cannot be used.
	TLS *tls.Config
	// Logger gets what the front does not log; nil discards.
	Logger *slog.Logger
	// Now tells BOSH sessions the time; nil means time.Now.
	Now func() time.Time
}

// Server answers HTTP requests. Its methods may be called from any goroutine.
type Server struct {
	front     *component.Front
	settings  atomic.Pointer[settings] // see Reload
	reloading sync.Mutex               // held by Reload
	pages     http.Handler
	log       *slog.Logger
	storms    *storm.Log
	now       func() time.Time
	panics    atomic.Int64
	http      *http.Server
	sessions  *boshSessions
	sidPrefix string
	open      *connections
	reached   tally.Tally // limits
}

// New returns a Server that serves nothing yet. It returns an error if there is
// no front, or if a public URL, an allowed origin or a host is none.
func New(c Config) (*Server, error) {
	if c.Front == nil {
		return nil, errors.New("web: a server needs a front")
	}
	settings, err := newSettings(c)
	if err != nil {
		return nil, err
	}
	s := &Server{front: c.Front, pages: c.Pages, log: c.Logger, now: c.Now}
	s.settings.Store(settings)
	if c.Node != "" {
		s.sidPrefix = c.Node + "-"
	}
	s.sessions = newBOSHSessions(settings.limits, s.reached.Add)
	s.open = newConnections(settings.limits, settings.trusted, s.reached.Add)
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if s.now == nil {
		s.now = time.Now
	}
	s.storms = storm.New(s.now)
	s.http = &http.Server{
		Handler:                      s.handler(),
		ReadHeaderTimeout:            headerTimeout,
		IdleTimeout:                  idleTimeout,
		MaxHeaderBytes:               headerBytes,
		DisableGeneralOptionsHandler: true,
		HTTP2:                        &http.HTTP2Config{MaxConcurrentStreams: streamsPerConnection, WriteByteTimeout: settings.limits.WriteTimeout},
		ConnState:                    s.open.observe,
		BaseContext:                  withListener,
		ConnContext:                  withConnection,
		ErrorLog:                     slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
	}
	s.http.TLSConfig = &tls.Config{NextProtos: nextProtos, MinVersion: tls.VersionTLS12, GetConfigForClient: s.tlsOf}
	return s, nil
}

func (l Limits) withDefaults() Limits {
	positive := func(v *int, def int) {
		if *v <= 0 {
			*v = def
		}
	}
	positive(&l.Connections, 20000)
	positive(&l.IPv6Prefix, 64)
	positive(&l.ElementBytes, 262144)
	positive(&l.BOSHSessions, 5000)
	positive(&l.BOSHBufferBytes, 1048576)
	if l.WriteTimeout <= 0 {
		l.WriteTimeout = 30 * time.Second
	}
	return l
}

// Serve answers requests in clear, whoever sends them: for listeners on
// loopback, and beyond it where that is wanted although no token may be sent
// that way. It blocks until the listener fails or Shutdown is called, and then
// returns ErrClosed. The listener is closed.
func (s *Server) Serve(l net.Listener) error {
	return s.http.Serve(listener{Listener: l, server: s})
}

// ServeProxies is like Serve, and refuses all who are not trusted proxies.
func (s *Server) ServeProxies(l net.Listener) error {
	return s.http.Serve(listener{Listener: l, server: s, proxiesOnly: true})
}

// ServeTLS answers requests over TLS. Otherwise it is like Serve. It returns an
// error at once if the server was made without a TLS configuration.
func (s *Server) ServeTLS(l net.Listener) error {
	if s.settings.Load().tls == nil {
		return errors.New("web: https needs a TLS configuration")
	}
	return s.http.ServeTLS(listener{Listener: l, server: s}, "", "")
}

// Shutdown stops accepting and returns when all requests are answered, or broken
// off after a short while: clients that do not finish must not hold it up. Call
// it after the front's own Shutdown, which ends the sessions that requests wait
// for. The error is that of closing a listener.
func (s *Server) Shutdown(ctx context.Context) error {
	ctx, done := context.WithTimeout(ctx, closeTimeout)
	defer done()
	err := s.http.Shutdown(ctx)
	if ctx.Err() == nil {
		return err
	}
	s.log.Info("requests that did not end were broken off")
	return s.http.Close()
}

// LimitsReached says how many times each limit has turned somebody away, or closed
// a connection to make room, since the start, by the name of its setting. A limit
// that never did may be missing. Those of streams are the front's to count.
func (s *Server) LimitsReached() map[string]int64 { return s.reached.Counts() }

// Panics is the number of requests that a fault in the program has ended; each
// left a line with its stack in the log.
func (s *Server) Panics() int64 { return s.panics.Load() }
