// Package testcert makes certificates for throwaway servers. No key outlives
// its use, and nobody else trusts the authority.
package testcert

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"time"
)

// Spec says what a certificate is for. NotBefore and NotAfter are now and 90
// days later if they are zero.
type Spec struct {
	Names               []string
	Addresses           []net.IP
	Serial              int64
	NotBefore, NotAfter time.Time
}

// Pair is a certificate and the authority that signed it.
type Pair struct {
	Certificate, Key []byte // PEM
	Authority        []byte // PEM
	Roots            *x509.CertPool
}

// New makes a certificate, signed by an authority of its own (P-256).
func New(s Spec) (*Pair, error) {
	if s.NotBefore.IsZero() {
		s.NotBefore = time.Now().Add(-time.Hour)
	}
	if s.NotAfter.IsZero() {
		s.NotAfter = time.Now().Add(90 * 24 * time.Hour)
	}
	authority := &x509.Certificate{
		SerialNumber:          big.NewInt(1),
		Subject:               pkix.Name{CommonName: "throwaway authority"},
		NotBefore:             s.NotBefore,
		NotAfter:              s.NotAfter,
		IsCA:                  true,
		BasicConstraintsValid: true,
		KeyUsage:              x509.KeyUsageCertSign,
	}
	server := &x509.Certificate{
		SerialNumber: big.NewInt(s.Serial),
		NotBefore:    s.NotBefore,
		NotAfter:     s.NotAfter,
		DNSNames:     s.Names,
		IPAddresses:  s.Addresses,
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	authorityKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	serverKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	authorityDER, err := x509.CreateCertificate(rand.Reader, authority, authority, authorityKey.Public(), authorityKey)
	if err != nil {
		return nil, err
	}
	serverDER, err := x509.CreateCertificate(rand.Reader, server, authority, serverKey.Public(), authorityKey)
	if err != nil {
		return nil, err
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(serverKey)
	if err != nil {
		return nil, err
	}
	p := &Pair{
		Certificate: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: serverDER}),
		Key:         pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}),
		Authority:   pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: authorityDER}),
		Roots:       x509.NewCertPool(),
	}
	p.Roots.AppendCertsFromPEM(p.Authority)
	return p, nil
}

// TLS returns the certificate for a server's settings.
func (p *Pair) TLS() (tls.Certificate, error) { return tls.X509KeyPair(p.Certificate, p.Key) }

// Write writes the three PEM files. An empty path is left out.
func (p *Pair) Write(certificate, key, authority string) error {
	for _, f := range []struct {
		path string
		pem  []byte
	}{{certificate, p.Certificate}, {key, p.Key}, {authority, p.Authority}} {
		if f.path == "" {
			continue
		}
		if err := os.WriteFile(f.path, f.pem, 0o600); err != nil {
			return err
		}
	}
	return nil
}
