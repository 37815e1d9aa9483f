// Package stockserver is what throwaway XMPP servers have in common: names,
// addresses of loopback, and a process. Packages prosody and ejabberd start them.
package stockserver

import (
	"context"
	"crypto/rand"
	"crypto/x509"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"

	"xtokend/internal/testcert"
)

// Server is a running server. Its fields do not change once it has been started,
// and survive a restart; its methods may be called from any goroutine.
type Server struct {
	Domain          string // the served domain
	Rooms           string // the room service's domain
	ComponentName   string // the component link's name; an admin of Domain
	ComponentSecret string
	C2S             string // host:port for clients: plain, STARTTLS with a certificate
	DirectTLS       string // host:port for clients with direct TLS; empty without a certificate
	Component       string // host:port for components; empty without a component
	Servers         string // host:port for other servers; empty: none
	ProxyProtocol   bool   // clients must send a header of the PROXY protocol

	program Program
	dir     string
	host    string
	roots   *x509.CertPool

	mu   sync.Mutex
	proc *process
}

// Program is a kind of server, with the files of one.
type Program interface {
	// Name is what people call it.
	Name() string

	// Command starts the server in the foreground. What it writes there is shown
	// if it fails to start.
	Command() *exec.Cmd

	// LogFile is where it logs.
	LogFile() string

	// Register makes an account, or gives an existing one this password, as an
	// administrator would by the server's own means.
	Register(ctx context.Context, localpart, password string) error

	// HasAccount says whether the domain has an account of this name.
	HasAccount(ctx context.Context, localpart string) (bool, error)
}

// New returns a server that has names and a loopback host of its own, but does not
// run yet. Its files are in dir, which must exist and be writable; the caller
// removes it.
func New(dir, domain string) *Server {
	return &Server{
		Domain:          domain,
		Rooms:           "conference." + domain,
		ComponentName:   "xtoken." + domain,
		ComponentSecret: rand.Text(),
		dir:             dir,
		host:            loopbackHost(),
	}
}

// Host is the IP address of the server's ports, one of 127.0.0.0/8.
func (s *Server) Host() string { return s.host }

// File is the path of a file of the server's.
func (s *Server) File(name string) string { return filepath.Join(s.dir, name) }

// MakeDirs makes directories for the server's files.
func (s *Server) MakeDirs(names ...string) error {
	for _, name := range names {
		if err := os.MkdirAll(s.File(name), 0o700); err != nil {
			return err
		}
	}
	return nil
}

// CertificateFile and KeyFile are PEM files, and CAFile that of the authority that
// signed the certificate. They exist after MakeCertificate.
func (s *Server) CertificateFile() string { return s.File("certs/server.crt") }
func (s *Server) KeyFile() string         { return s.File("certs/server.key") }
func (s *Server) CAFile() string          { return s.File("certs/ca.crt") }

// Roots holds the authority of CAFile, nil without a certificate.
func (s *Server) Roots() *x509.CertPool { return s.roots }

// MakeCertificate writes a fresh authority and a certificate of it for the domain
// and the components' names.
func (s *Server) MakeCertificate() error {
	if err := s.MakeDirs("certs"); err != nil {
		return err
	}
	pair, err := testcert.New(testcert.Spec{Serial: 2, Names: []string{s.Domain, s.Rooms, s.ComponentName}})
	if err != nil {
		return err
	}
	s.roots = pair.Roots
	return pair.Write(s.CertificateFile(), s.KeyFile(), s.CAFile())
}

// Register makes an account, or gives an existing one this password, as an
// administrator would by the server's own means.
func (s *Server) Register(ctx context.Context, localpart, password string) error {
	return s.program.Register(ctx, localpart, password)
}

// HasAccount says whether the domain has an account of this name.
func (s *Server) HasAccount(ctx context.Context, localpart string) (bool, error) {
	return s.program.HasAccount(ctx, localpart)
}

// Log returns what the server has logged, over all its lives.
func (s *Server) Log() string {
	b, err := os.ReadFile(s.program.LogFile())
	if err != nil {
		return err.Error() + "\n"
	}
	return string(b)
}

// loopbackHost picks an address of 127.0.0.0/8, all of which is this machine's
// own. Servers started side by side thus never meet on a port.
func loopbackHost() string {
	var r [3]byte
	rand.Read(r[:])
	return net.IPv4(127, r[0], r[1], 1+r[2]%254).String()
}

// handedOut has the addresses that FreeAddresses has set. Nobody may listen there yet,
// and the kernel picks such a port again.
var handedOut sync.Map

// FreeAddresses sets each to a host:port of host that nothing listens on. No two that
// a process gets are alike.
func FreeAddresses(host string, addresses ...*string) error {
	for _, address := range addresses {
		for {
			l, err := net.Listen("tcp", net.JoinHostPort(host, "0"))
			if err != nil {
				return fmt.Errorf("find a free port: %w", err)
			}
			defer l.Close()
			*address = l.Addr().String()
			if _, again := handedOut.LoadOrStore(*address, true); !again {
				break
			}
		}
	}
	return nil
}

// Port is that of a host:port.
func Port(address string) string {
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		return ""
	}
	return port
}
