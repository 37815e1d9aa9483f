package config

import (
	"crypto/tls"
	"slices"
	"time"

	"golang.org/x/net/idna"
)

// expiresSoon is when a certificate that is renewed by itself would have been.
const expiresSoon = 14 * 24 * time.Hour

// certificate reads [tls], and the files it names if they are needed; nil if there
// is none.
func (l *loader) certificate(raw *rawTLS) *TLS {
	if raw == nil {
		return nil
	}
	before := len(l.faults)
	t := &TLS{
		CertificatePath: l.requiredPath("tls.certificate", raw.Certificate, "/etc/xtokend/fullchain.pem"),
		KeyPath:         l.requiredPath("tls.key", raw.Key, "/etc/xtokend/privkey.pem"),
	}
	if !l.need(Certificate) || len(l.faults) > before {
		return t
	}
	certificate := l.pem("tls.certificate", t.CertificatePath)
	key := l.pem("tls.key", t.KeyPath)
	if certificate == nil || key == nil {
		return t
	}
	pair, err := tls.X509KeyPair(certificate, key)
	if err != nil {
		l.fault("tls", "certificate holds the chain, the server's own first; key is that one's private key; both in PEM form",
			"%s and %s do not make a pair: %v", t.CertificatePath, t.KeyPath, err)
		return t
	}
	t.Pair = pair
	return t
}

// requiredPath reads a path that has no default, as nobody can guess it.
func (l *loader) requiredPath(key string, v value[string], example string) string {
	path := get(l, key, v, "")
	if path == "" {
		if v.want == "" {
			l.fault(key, `write "`+example+`", say`, "is missing")
		}
		return ""
	}
	return l.path(path)
}

// pem reads a file of the pair; nil after a fault.
func (l *loader) pem(key, path string) []byte {
	text, info, err := readFile(path, maxFileBytes)
	if err != nil {
		l.fault(key, "the file must exist and be readable by the user that xtokend runs as", "cannot read %s: %v", path, err)
		return nil
	}
	if key == "tls.key" && info.Mode().Perm()&0o004 != 0 {
		l.warn(key, "chmod o= "+path, "every user of this machine can read %s", path)
	}
	return text
}

// certificateNames warns of a certificate that clients will not accept.
func (l *loader) certificateNames(t *TLS, cfg *Config) {
	leaf := t.Pair.Leaf
	if leaf == nil {
		return
	}
	switch {
	case !l.Now.Before(leaf.NotAfter):
		l.warn("tls.certificate", "renew it", "has expired on %s", leaf.NotAfter.UTC().Format(time.RFC3339))
	case l.Now.Before(leaf.NotBefore):
		l.warn("tls.certificate", "look at this machine's clock", "is not valid before %s", leaf.NotBefore.UTC().Format(time.RFC3339))
	case leaf.NotAfter.Sub(l.Now) < expiresSoon:
		l.warn("tls.certificate", "renew it", "expires on %s", leaf.NotAfter.UTC().Format(time.RFC3339))
	}
	// XMPP clients look for the domain (below); browsers look for the name that
	// their page gives, which need not be among the settings.
	if !slices.ContainsFunc(cfg.Listeners, func(l Listener) bool { return !l.IsWeb() }) {
		return
	}
	for _, d := range cfg.Domains {
		if d.Name == "" || d.Upstream == UpstreamNone {
			continue
		}
		// RFC 6120 §13.7.2.1: clients look for the domain, not for the machine
		// that its SRV records name.
		if name, err := idna.Lookup.ToASCII(d.Name); err != nil || leaf.VerifyHostname(name) != nil {
			l.warn("tls.certificate", "have "+d.Name+" added to the certificate's names", "is not for %s: clients will not accept it", d.Name)
		}
	}
}
