package config

import "fmt"

// minBearerSecretBytes keeps the secret from being guessed.
const minBearerSecretBytes = 32

// nobodyAsks warns of domains without clients here about which nobody can ask.
func (l *loader) nobodyAsks(cfg *Config) {
	if cfg.HTTPAuth != nil || cfg.Admin != "" {
		return
	}
	for i, d := range cfg.Domains {
		if d.Upstream == UpstreamNone {
			l.warn(fmt.Sprintf("domain[%d].upstream", i), "add [http_auth], or the admin socket for `xtokend extauth`",
				"has no clients here, and no server can ask about its own")
		}
	}
}

// httpAuth reads [http_auth]. Questions hold tokens, so that none crosses a network in
// the clear.
func (l *loader) httpAuth(raw *rawFile, cfg *Config) *HTTPAuth {
	if raw.HTTPAuth == nil {
		return nil
	}
	const key = "http_auth.listen"
	const example = `write "http://127.0.0.1:5295" or "https://192.0.2.1:5295", say`
	a := &HTTPAuth{}
	uri := get(l, key, raw.HTTPAuth.Listen, "")
	if uri == "" && raw.HTTPAuth.Listen.want == "" {
		l.fault(key, example, "is missing")
	}
	if uri != "" {
		a.Listener, _ = l.endpoint(key, uri, example, HTTP, HTTPS)
	}
	at := a.Listener
	for _, other := range cfg.Listeners {
		if other.Address == at.Address && at.Address.Port() != 0 {
			l.fault(key, "choose another port", "clients are served at %s", at.Address)
		}
	}
	switch {
	case at.Address.IsValid() && at.Address == cfg.Metrics && at.Address.Port() != 0:
		l.fault(key, "choose another port", "metrics are read at %s", at.Address)
	case at.Scheme == HTTP && !at.Loopback:
		l.fault(key, "use https://, or http:// on 127.0.0.1 or [::1]", "%s is not encrypted, and what is asked there holds tokens", at)
	case at.Scheme == HTTPS && raw.TLS == nil:
		l.fault(key, "add [tls] with certificate and key", "%s needs a certificate", at)
	}
	secret, ok := l.secret(l.need(AccountSecrets), "http_auth.bearer_secret", raw.HTTPAuth.BearerSecret, raw.HTTPAuth.BearerSecretFile)
	if ok && len(secret.text) < minBearerSecretBytes {
		l.fault("http_auth.bearer_secret", "make one with `openssl rand -base64 32`", "has %d characters; it must have %d or more", len(secret.text), minBearerSecretBytes)
	}
	a.BearerSecret = secret
	return a
}
