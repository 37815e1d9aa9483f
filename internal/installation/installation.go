// Package installation makes the files of a throwaway xtokend in front of a
// throwaway Prosody, for tests and for trying things out.
package installation

import (
	"bytes"
	"crypto/rand"
	"encoding/base32"
	"fmt"
	"net"
	"os"
	"path/filepath"

	"github.com/BurntSushi/toml"

	"xtokend/internal/prosody"
)

// Installation is what is chosen for an xtokend. Fields without a word on their
// zero value must be set; after [New] they are.
type Installation struct {
	Dir       string // of all its files
	Prosody   *prosody.Server
	StartTLS  string // host:port for clients that begin in the clear
	DirectTLS string // host:port
	HTTP      string // host:port for browsers, in clear
	HTTPS     string // host:port for browsers

	OTPSeed, TokenSecret string // the only key
	AccountSecret        string

	Skew             int      // steps
	IssuerTimezone   string   // empty: none
	Takeover         bool     // of accounts that exist
	Protected        []string // localparts; nil: none
	ComponentAddress string   // host:port
	TrustedProxies   []string // addresses; nil: the default
	AllowedOrigins   []string // of pages; nil: the same origin
	PublicURLs       []string // for host-meta; nil: none
	LogLevel         string
}

// New returns an installation with fresh secrets and the default settings, on
// free ports of host, which must be a loopback address. It writes a certificate
// for the domain and for host to dir.
func New(dir string, server *prosody.Server, host net.IP) (*Installation, error) {
	i := &Installation{
		Dir:              dir,
		Prosody:          server,
		OTPSeed:          randomBase32(20),
		TokenSecret:      randomBase32(32),
		AccountSecret:    randomBase32(32),
		Skew:             1,
		ComponentAddress: server.Component,
		LogLevel:         "info",
	}
	if err := prosody.FreeAddresses(host.String(), &i.StartTLS, &i.DirectTLS, &i.HTTP, &i.HTTPS); err != nil {
		return nil, err
	}
	if err := i.writeCertificate(host); err != nil {
		return nil, fmt.Errorf("installation: make a certificate: %w", err)
	}
	return i, nil
}

// WriteSettings writes xtokend.toml and returns its path.
func (i *Installation) WriteSettings() (path string, err error) {
	settings := map[string]any{
		"listen":          []string{"xmpp://" + i.StartTLS, "xmpps://" + i.DirectTLS, "http://" + i.HTTP, "https://" + i.HTTPS},
		"allowed_origins": list(i.AllowedOrigins),
		"tls": map[string]any{
			"certificate": i.file(certificateFile),
			"key":         i.file(keyFile),
		},
		"domain": []map[string]any{{
			"name":            i.Prosody.Domain,
			"skew":            i.Skew,
			"issuer_timezone": i.IssuerTimezone,
			"upstream":        "server",
			"public_urls":     list(i.PublicURLs),
			"key": []map[string]any{{
				"otp_seed":     i.OTPSeed,
				"token_secret": i.TokenSecret,
			}},
			"server": map[string]any{
				"addresses":      []string{i.Prosody.C2S},
				"tls":            "none",
				"accounts":       "component",
				"account_secret": i.AccountSecret,
				"takeover":       i.Takeover,
				"protected":      list(i.Protected),
			},
			"component": map[string]any{
				"address": i.ComponentAddress,
				"name":    i.Prosody.ComponentName,
				"secret":  i.Prosody.ComponentSecret,
				"tls":     "none",
			},
		}},
		"replay": map[string]any{"store": "file", "path": i.file("replay.db")},
		"log":    map[string]any{"level": i.LogLevel},
	}
	if i.TrustedProxies != nil {
		settings["trusted_proxies"] = i.TrustedProxies
	}
	var text bytes.Buffer
	if err := toml.NewEncoder(&text).Encode(settings); err != nil {
		return "", fmt.Errorf("installation: %w", err)
	}
	path = i.file("xtokend.toml")
	if err := os.WriteFile(path, text.Bytes(), 0o600); err != nil {
		return "", fmt.Errorf("installation: %w", err)
	}
	return path, nil
}

// list makes an empty list of none, which TOML cannot say otherwise.
func list(texts []string) []string {
	if texts == nil {
		return []string{}
	}
	return texts
}

// Secrets are the texts that nothing may show.
func (i *Installation) Secrets() []string {
	return []string{i.OTPSeed, i.TokenSecret, i.AccountSecret, i.Prosody.ComponentSecret}
}

func (i *Installation) file(name string) string { return filepath.Join(i.Dir, name) }

func randomBase32(length int) string {
	random := make([]byte, length)
	rand.Read(random)
	return base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(random)
}
