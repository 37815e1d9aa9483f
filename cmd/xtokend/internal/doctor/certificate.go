package doctor

import (
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"strings"
	"time"
)

// expiresSoon is when a certificate that is renewed by itself would have been.
const expiresSoon = 14 * 24 * time.Hour

// certificate judges the certificate that a handshake has shown, as a client does
// that wants name there. Without a name, its own are not looked at.
func (x *examination) certificate(domain, name, where string, state *tls.ConnectionState) {
	a := x.about(TopicCertificate, domain)
	if len(state.PeerCertificates) == 0 {
		return
	}
	leaf, now := state.PeerCertificates[0], x.Now()
	until := leaf.NotAfter.UTC().Format(time.RFC3339)
	good := true
	switch {
	case now.After(leaf.NotAfter):
		good = false
		a.fail("renew it", "the certificate %s has expired on %s", where, until)
	case now.Before(leaf.NotBefore):
		good = false
		a.fail("look at this machine's clock", "the certificate %s is not valid before %s", where, leaf.NotBefore.UTC().Format(time.RFC3339))
	case leaf.NotAfter.Sub(now) < expiresSoon:
		good = false
		a.warn("renew it, and see why that has not happened by itself", "the certificate %s expires on %s", where, until)
	}
	if name != "" && leaf.VerifyHostname(name) != nil {
		good = false
		a.fail("have "+name+" added to the certificate's names", "the certificate %s is not for %s, but for %s: clients will not accept it", where, name, names(leaf))
	}
	if err := x.chain(state.PeerCertificates); err != nil {
		good = false
		var unknown x509.UnknownAuthorityError
		switch {
		case !errors.As(err, &unknown):
			a.fail("have it issued anew by an authority that clients trust", "the certificate %s is not accepted: %v", where, err)
		case len(state.PeerCertificates) == 1 && leaf.CheckSignatureFrom(leaf) != nil:
			a.fail("let the file of certificates hold the whole chain, as fullchain.pem does, the server's own first",
				"the certificate %s comes without those of its authorities, and this machine does not know %q", where, leaf.Issuer.CommonName)
		default:
			a.fail("have it issued by an authority that clients trust; or, where each client has been told to trust this one, add it to this machine's authorities",
				"the certificate %s is of an authority that this machine does not trust: %q", where, leaf.Issuer.CommonName)
		}
	}
	if good {
		a.ok("the certificate %s is good for %s, until %s", where, cmp.Or(name, names(leaf)), until)
	}
}

// chain verifies a chain up to an authority, whatever names it has. Dates are judged
// apart: a moment of the leaf's own is taken.
func (x *examination) chain(chain []*x509.Certificate) error {
	leaf := chain[0]
	intermediates := x509.NewCertPool()
	for _, c := range chain[1:] {
		intermediates.AddCert(c)
	}
	at := x.Now()
	if at.After(leaf.NotAfter) {
		at = leaf.NotAfter
	} else if at.Before(leaf.NotBefore) {
		at = leaf.NotBefore
	}
	_, err := leaf.Verify(x509.VerifyOptions{Roots: x.Roots, Intermediates: intermediates, CurrentTime: at})
	return err
}

// names are those of a certificate, a few of them.
func names(leaf *x509.Certificate) string {
	const most = 5
	all := leaf.DNSNames
	for _, ip := range leaf.IPAddresses {
		all = append(all, ip.String())
	}
	switch {
	case len(all) == 0:
		return "no name"
	case len(all) > most:
		return strings.Join(all[:most], ", ") + " and others"
	}
	return strings.Join(all, ", ")
}
