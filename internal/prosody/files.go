package prosody

import (
	"fmt"
	"path/filepath"
	"strings"

	"xtokend/internal/testcert"
)

// accountFile is where Prosody's internal storage keeps an account. It writes
// every byte but letters and digits as a percent escape.
func (s *Server) accountFile(localpart string) string {
	encode := func(name string) string {
		var b strings.Builder
		for _, c := range []byte(name) {
			switch {
			case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
				b.WriteByte(c)
			default:
				fmt.Fprintf(&b, "%%%02x", c)
			}
		}
		return b.String()
	}
	return filepath.Join(s.dir, "data", encode(s.Domain), "accounts", encode(localpart)+".dat")
}

// makeCertificate writes a fresh authority and a certificate of it for the
// domain and the components' names.
func (s *Server) makeCertificate() error {
	pair, err := testcert.New(testcert.Spec{Serial: 2, Names: []string{s.Domain, s.Rooms, s.ComponentName}})
	if err != nil {
		return err
	}
	s.roots = pair.Roots
	return pair.Write(s.file("certs/server.crt"), s.file("certs/server.key"), s.CAFile())
}
