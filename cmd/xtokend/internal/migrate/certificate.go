package migrate

import (
	"crypto/x509"
	"encoding/pem"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"golang.org/x/net/idna"

	"xtokend/cmd/xtokend/internal/migrate/luaconfig"
)

// certificate returns the files that Prosody shows to clients of a host: those
// that its settings name, else the ones of its folder of certificates.
func (m *migration) certificate(host string) (certificate, key string, ok bool) {
	folder := filepath.Dir(m.settings.Files[0].Path)
	at := func(path string) string {
		if filepath.IsAbs(path) {
			return path
		}
		return filepath.Join(folder, path)
	}
	for _, option := range []string{"ssl", "c2s_ssl"} {
		t, isTable := m.settings.Get(host, option).(*luaconfig.Table)
		if !isTable {
			continue
		}
		certificate, _ := t.Fields["certificate"].(string)
		key, _ := t.Fields["key"].(string)
		if certificate != "" && key != "" {
			return at(certificate), at(key), true
		}
	}
	certificates, ok := m.settings.Own(luaconfig.Global, "certificates").(string)
	if !ok {
		certificates = "certs"
	}
	if certificate, ok := m.settings.Get(host, "certificate").(string); ok {
		path := filepath.Join(at(certificates), certificate)
		return path, keyOf(path), true
	}
	return search(at(certificates), host)
}

var suffix = regexp.MustCompile(`\.crt$`)

// keyOf returns where Prosody looks for the key of a certificate.
func keyOf(certificate string) string {
	return strings.ReplaceAll(suffix.ReplaceAllString(certificate, ".key"), "fullchain", "privkey")
}

// maxFolderDepth is how deep Prosody looks for certificates.
const maxFolderDepth = 3

// search finds the certificate in a folder that is for a name, of several the one
// that is good for longest.
func search(folder, name string) (certificate, key string, ok bool) {
	ascii, err := idna.Lookup.ToASCII(name)
	if err != nil {
		ascii = name
	}
	var until time.Time
	filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return nil // what cannot be read is nobody's certificate
		}
		if entry.IsDir() {
			depth := strings.Count(strings.TrimPrefix(path, folder), string(filepath.Separator))
			if depth >= maxFolderDepth || path != folder && strings.HasPrefix(entry.Name(), ".") {
				return fs.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(path, ".crt") && !strings.Contains(entry.Name(), "fullchain") {
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return nil
		}
		block, _ := pem.Decode(text)
		if block == nil {
			return nil
		}
		leaf, err := x509.ParseCertificate(block.Bytes)
		if err != nil || leaf.VerifyHostname(ascii) != nil || !leaf.NotAfter.After(until) {
			return nil
		}
		if _, err := os.Stat(keyOf(path)); err != nil {
			return nil
		}
		certificate, key, ok, until = path, keyOf(path), true, leaf.NotAfter
		return nil
	})
	return certificate, key, ok
}
