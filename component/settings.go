package component

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"mellium.im/xmpp/stream"

	"xtokend/sasl"
)

// settings are what of a Config may be changed while the front runs. They are
// never changed once made, so that a session has all of one Config.
type settings struct {
	domains  map[string]*Domain // all
	fallback *Domain            // answers streams whose 'to' is missing or not ours
	trusted  []netip.Prefix
	tls      *tls.Config
	limits   Limits
}

func newSettings(c Config) (*settings, error) {
	if len(c.Domains) == 0 {
		return nil, errors.New("component: a front needs at least one domain")
	}
	s := &settings{
		domains: make(map[string]*Domain, len(c.Domains)),
		trusted: slices.Clone(c.TrustedProxies),
		limits:  c.Limits.withDefaults(),
	}
	for _, d := range c.Domains {
		if d.Verifier == nil {
			return nil, fmt.Errorf("component: domain %q needs a verifier", d.Name)
		}
		if d.Verifier.Domain() != d.Name {
			return nil, fmt.Errorf("component: domain %q has the verifier of %q", d.Name, d.Verifier.Domain())
		}
		if s.domains[d.Name] != nil {
			return nil, fmt.Errorf("component: domain %q is configured twice", d.Name)
		}
		all := []string{sasl.XToken, sasl.HMAC, sasl.Plain}
		for _, m := range d.Mechanisms {
			if !slices.Contains(all, m) {
				return nil, fmt.Errorf("component: domain %q offers %q, which takes no token", d.Name, m)
			}
		}
		if len(d.Mechanisms) == 0 {
			d.Mechanisms = all
		}
		s.domains[d.Name] = &d
		if s.fallback == nil {
			s.fallback = &d
		}
	}
	if c.TLS != nil {
		s.tls = c.TLS.Clone()
		s.tls.NextProtos = []string{alpnClient}
	}
	return s, nil
}

func (s *settings) trusts(proxy netip.Addr) bool {
	proxy = proxy.WithZone("") // which no prefix has
	return slices.ContainsFunc(s.trusted, func(p netip.Prefix) bool { return p.Contains(proxy) })
}

// streamDomain returns the domain of that name; nil if clients cannot log in to it here.
func (s *settings) streamDomain(name string) *Domain {
	if d := s.domains[name]; d != nil && d.Upstream != nil {
		return d
	}
	return nil
}

// Reload takes Domains, TrustedProxies, TLS and Limits of c in place of those that
// the front has; all else stays as it is. They hold for every connection and every
// stream that begins from now on, and for every attempt to log in; a proxy that is
// trusted no more names no client, whenever it has connected. Sessions that
// have logged in go on with what they had then, also of a domain that is no more;
// its name is host-unknown for others (RFC 6120 §4.9.3.6). No session is ended.
// Failed attempts stay counted, those of addresses as long as IPv6Prefix stays.
//
// Without TLS in c a listener for direct TLS goes on with what it began with. The
// errors are those of [New]; then nothing has changed.
func (f *Front) Reload(c Config) error {
	settings, err := newSettings(c)
	if err != nil {
		return err
	}
	f.reloading.Lock()
	defer f.reloading.Unlock()
	f.settings.Store(settings)
	f.streams.limit(settings.limits)
	f.attempts.Store(f.attempts.Load().with(settings.limits))
	return nil
}

// renewSettings has the next attempt to log in judged by the settings of now: a
// key that was taken out admits nobody any more, and a new one is known at once.
func (s *session) renewSettings() error {
	s.settings = s.front.settings.Load()
	domain := s.settings.streamDomain(s.domain.Name)
	if domain == nil {
		return fail(stream.HostUnknown, "this service does not serve that domain any more")
	}
	s.domain = domain
	return nil
}
