package installation

import (
	"net"

	"xtokend/internal/testcert"
)

const (
	authorityFile   = "authority.pem"
	certificateFile = "certificate.pem"
	keyFile         = "key.pem"
)

// AuthorityFile is the PEM file of the authority that clients must trust.
func (i *Installation) AuthorityFile() string { return i.file(authorityFile) }

// CertificateFile is the PEM file of the certificate, KeyFile that of its key.
func (i *Installation) CertificateFile() string { return i.file(certificateFile) }
func (i *Installation) KeyFile() string         { return i.file(keyFile) }

// writeCertificate makes a throwaway authority and a certificate that it signed,
// for the domain and for host: most clients check the domain's name, some that
// of the address that they were given.
func (i *Installation) writeCertificate(host net.IP) error {
	pair, err := testcert.New(testcert.Spec{Serial: 2, Names: []string{i.Domain}, Addresses: []net.IP{host}})
	if err != nil {
		return err
	}
	return pair.Write(i.file(certificateFile), i.file(keyFile), i.AuthorityFile())
}
