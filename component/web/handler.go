package web

import (
	"net/http"
	"time"

	"xtokend/component"
	"xtokend/internal/httpguard"
)

// handler routes requests. An endpoint is found with and without a slash behind
// it: sites have written both into their pages for years.
func (s *Server) handler() http.Handler {
	mux := http.NewServeMux()
	for _, slash := range []string{"", "/{$}"} {
		mux.HandleFunc("/xmpp-websocket"+slash, s.endpoint("websocket", "GET, OPTIONS", s.websocket))
		mux.HandleFunc("/http-bind"+slash, s.endpoint("bosh", "GET, POST, OPTIONS", s.held))
	}
	mux.HandleFunc("/.well-known/host-meta", func(w http.ResponseWriter, r *http.Request) {
		s.settings.Load().discovery.serveXRD(w, r)
	})
	mux.HandleFunc("/.well-known/host-meta.json", func(w http.ResponseWriter, r *http.Request) {
		s.settings.Load().discovery.serveJRD(w, r)
	})
	mux.HandleFunc("/xtoken.js", s.endpoint("", "GET, HEAD, OPTIONS", s.xtokenJS))
	if s.pages == nil {
		mux.HandleFunc("/", noPage)
	} else {
		mux.HandleFunc("/", s.endpoint("", "GET, HEAD, OPTIONS", s.page))
	}
	guarded := func(w http.ResponseWriter, r *http.Request) {
		settings := s.settings.Load()
		// A body that nobody reads is drained before the next request, and an answer
		// may be read by nobody.
		control, now := http.NewResponseController(w), time.Now()
		control.SetReadDeadline(now.Add(s.http.ReadHeaderTimeout))
		control.SetWriteDeadline(now.Add(settings.limits.WriteTimeout))
		if !settings.hosts.take(r) {
			http.Error(w, "this server answers to these names alone: "+settings.hosts.String(), http.StatusMisdirectedRequest)
			return
		}
		c := connectionOf(r)
		s.open.identify(c.raw, c.proxyHeader())
		if r.Method != http.MethodPost { // else it is not whole yet
			defer s.open.answering(c.raw)()
		}
		if c.proxiesOnly && !s.isTrusted(addressOf(c.raw.RemoteAddr())) {
			http.Error(w, "only the proxies in trusted_proxies may connect here without TLS", http.StatusForbidden)
			return
		}
		mux.ServeHTTP(w, r)
	}
	return httpguard.Handler(http.HandlerFunc(guarded), &s.panics, s.log)
}

func noPage(w http.ResponseWriter, _ *http.Request) {
	http.Error(w, "this is an XMPP server: clients connect to /xmpp-websocket or /http-bind", http.StatusNotFound)
}

// page is for what has no path of its own here.
func (s *Server) page(w http.ResponseWriter, r *http.Request, _ component.Client) {
	if allowRead(w, r) {
		s.pages.ServeHTTP(w, r)
	}
}

func (s *Server) logRefusedPage(c component.Client, origin string) {
	if omitted, ok := s.storms.Allow("page refused"); ok {
		s.log.Info("page refused", "address", c.Address.String(), "transport", c.Transport,
			"reason", "origin-not-allowed", "origin", origin, "similar_lines_omitted", omitted)
	}
}

// held is for requests that are answered when there is something to say. The time
// to write the answer begins then.
func (s *Server) held(w http.ResponseWriter, r *http.Request, c component.Client) {
	http.NewResponseController(w).SetWriteDeadline(time.Time{})
	s.bosh(w, r, c)
}

// endpoint is for clients of XMPP: programs, and pages of allowed origins.
func (s *Server) endpoint(transport, methods string, serve func(http.ResponseWriter, *http.Request, component.Client)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		c := s.client(r)
		c.Transport = transport
		if s.settings.Load().origins.share(w, r, c.Secure, methods) {
			serve(w, r, c)
		} else if r.Method != http.MethodOptions {
			s.logRefusedPage(c, loggedOrigin(r))
		}
	}
}
