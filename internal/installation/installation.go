// Package installation makes the files of a throwaway xtokend, in front of a
// throwaway server or with its built-in host, for tests and for trying things out.
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

	"xtokend/internal/stockserver"
)

// Installation is what is chosen for an xtokend. Fields without a word on their
// zero value must be set; after [New] they are.
type Installation struct {
	Dir       string // of all its files
	Domain    string
	Rooms     string              // the room service's domain
	Server    *stockserver.Server // nil: the built-in host
	StartTLS  string              // host:port for clients that begin in the clear
	DirectTLS string              // host:port
	HTTP      string              // host:port for browsers, in clear
	HTTPS     string              // host:port for browsers
	Metrics   string              // host:port
	Admin     string              // path of the socket; empty: none

	OTPSeed, TokenSecret string // the only key

	Skew           int      // steps
	IssuerTimezone string   // empty: none
	TrustedProxies []string // addresses; nil: the default
	AllowedOrigins []string // of pages; nil: the same origin
	PublicURLs     []string // for host-meta; nil: none
	LogLevel       string
	Limits         map[string]any // of [limits]; nil: the defaults
	Replay         map[string]any // the whole of [replay]; nil: a file

	// Edit, if set, changes the settings before they are written.
	Edit func(settings map[string]any)

	// With a server.
	AccountSecret    string
	PreviousSecret   string   // empty: none
	Takeover         bool     // of accounts that exist
	Protected        []string // localparts; nil: none
	ServerAddress    string   // host:port of the server for clients
	ComponentAddress string   // host:port
	Admins           []string // of the component link's commands; nil: none

	// With the built-in host.
	HostFile string // what it keeps; empty: all is in memory
}

// New returns an installation with fresh secrets and the default settings, on
// free ports of host, which must be a loopback address. It writes a certificate
// for the domain and for host to dir. Without a server it has the built-in host,
// with the names that a throwaway server has.
func New(dir string, server *stockserver.Server, host net.IP) (*Installation, error) {
	i := &Installation{
		Dir:         dir,
		Server:      server,
		OTPSeed:     randomBase32(20),
		TokenSecret: randomBase32(32),
		Skew:        1,
		LogLevel:    "info",
	}
	if server != nil {
		i.Domain, i.Rooms = server.Domain, server.Rooms
		i.AccountSecret = randomBase32(32)
		i.ServerAddress, i.ComponentAddress = server.C2S, server.Component
	} else {
		i.Domain, i.Rooms = "example.org", "conference.example.org"
		i.HostFile = i.file("host.db")
	}
	if err := stockserver.FreeAddresses(host.String(), &i.StartTLS, &i.DirectTLS, &i.HTTP, &i.HTTPS, &i.Metrics); err != nil {
		return nil, fmt.Errorf("installation: %w", err)
	}
	if err := i.writeCertificate(host); err != nil {
		return nil, fmt.Errorf("installation: make a certificate: %w", err)
	}
	return i, nil
}

// WriteSettings writes xtokend.toml and returns its path.
func (i *Installation) WriteSettings() (path string, err error) {
	domain := map[string]any{
		"name":            i.Domain,
		"skew":            i.Skew,
		"issuer_timezone": i.IssuerTimezone,
		"public_urls":     list(i.PublicURLs),
		"key":             []map[string]any{{"otp_seed": i.OTPSeed, "token_secret": i.TokenSecret}},
	}
	if i.Server != nil {
		i.serverSettings(domain)
	} else {
		i.hostSettings(domain)
	}
	settings := map[string]any{
		"listen":          []string{"xmpp://" + i.StartTLS, "xmpps://" + i.DirectTLS, "http://" + i.HTTP, "https://" + i.HTTPS},
		"metrics":         i.Metrics,
		"admin":           "",
		"allowed_origins": list(i.AllowedOrigins),
		"tls":             map[string]any{"certificate": i.file(certificateFile), "key": i.file(keyFile)},
		"domain":          []map[string]any{domain},
		"replay":          map[string]any{"store": "file", "path": i.file("replay.db")},
		"log":             map[string]any{"level": i.LogLevel},
	}
	if i.Admin != "" {
		settings["admin"] = "unix:" + i.Admin
	}
	if i.Limits != nil {
		settings["limits"] = i.Limits
	}
	if i.Replay != nil {
		settings["replay"] = i.Replay
	}
	if i.TrustedProxies != nil {
		settings["trusted_proxies"] = i.TrustedProxies
	}
	if i.Edit != nil {
		i.Edit(settings)
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

func (i *Installation) serverSettings(domain map[string]any) {
	domain["upstream"] = "server"
	domain["admins"] = list(i.Admins)
	domain["server"] = map[string]any{
		"addresses":               []string{i.ServerAddress},
		"tls":                     "none",
		"accounts":                "component",
		"account_secret":          i.AccountSecret,
		"account_secret_previous": i.PreviousSecret,
		"takeover":                i.Takeover,
		"protected":               list(i.Protected),
	}
	domain["component"] = map[string]any{
		"address": i.ComponentAddress,
		"name":    i.Server.ComponentName,
		"secret":  i.Server.ComponentSecret,
		"tls":     "none",
	}
}

func (i *Installation) hostSettings(domain map[string]any) {
	domain["upstream"] = "host"
	host := map[string]any{"rooms": i.Rooms}
	if i.HostFile != "" {
		host["path"] = i.HostFile
	}
	domain["host"] = host
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
	secrets := []string{i.OTPSeed, i.TokenSecret}
	if i.Server != nil {
		secrets = append(secrets, i.AccountSecret, i.Server.ComponentSecret)
		if i.PreviousSecret != "" {
			secrets = append(secrets, i.PreviousSecret)
		}
	}
	return secrets
}

func (i *Installation) file(name string) string { return filepath.Join(i.Dir, name) }

func randomBase32(length int) string {
	random := make([]byte, length)
	rand.Read(random)
	return base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(random)
}
