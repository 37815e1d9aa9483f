package web

import (
	"crypto/tls"
	"errors"
	"net/netip"
)

// nextProtos are the ALPN names of HTTP (RFC 9113 §3.1, RFC 7301 §6).
var nextProtos = []string{"h2", "http/1.1"}

// settings are what of a Config may be changed while the server runs. They are
// never changed once made.
type settings struct {
	discovery *discovery
	trusted   []netip.Prefix
	origins   origins
	hosts     hosts
	limits    Limits
	tls       *tls.Config
}

func newSettings(c Config) (*settings, error) {
	s := &settings{trusted: c.TrustedProxies, limits: c.Limits.withDefaults()}
	var err error
	if s.discovery, err = newDiscovery(c.Domains); err != nil {
		return nil, err
	}
	if s.origins, err = newOrigins(c.AllowedOrigins); err != nil {
		return nil, err
	}
	if s.hosts, err = newHosts(c.Hosts); err != nil {
		return nil, err
	}
	if c.TLS != nil {
		s.tls = c.TLS.Clone()
		s.tls.NextProtos = nextProtos
	}
	return s, nil
}

// Reload takes Domains, TrustedProxies, AllowedOrigins, Hosts, Limits and TLS of
// c in place of those that the server has; all else stays as it is. They hold
// for requests, connections and BOSH sessions that begin from now on; for HTTP/2
// WriteTimeout stays what it was. An open connection of a proxy that is trusted no
// more offers no login. No session is ended here, but a BOSH session, each of whose
// requests is judged anew, may find no way in any more. The errors are those of
// [New]; then nothing has changed.
func (s *Server) Reload(c Config) error {
	settings, err := newSettings(c)
	if err != nil {
		return err
	}
	s.reloading.Lock()
	defer s.reloading.Unlock()
	s.settings.Store(settings)
	s.open.limit(settings.limits, settings.trusted)
	s.sessions.limit(settings.limits)
	return nil
}

// tlsOf is for [tls.Config].GetConfigForClient.
func (s *Server) tlsOf(*tls.ClientHelloInfo) (*tls.Config, error) {
	if config := s.settings.Load().tls; config != nil {
		return config, nil
	}
	return nil, errors.New("web: there is no TLS configuration any more")
}
