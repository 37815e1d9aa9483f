// Package migrate makes xtokend's settings of a Prosody that verifies tokens with
// Lua modules, and changes that server's settings so that xtokend can stand before
// it. It reads files, and writes none but in [Plan.Write].
package migrate

import (
	"cmp"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"xtokend/cmd/xtokend/internal/migrate/luaconfig"
)

// Options say what is migrated, and where to.
type Options struct {
	// Path is that of Prosody's settings.
	Path string
	// Folder is where xtokend's settings and secrets go.
	Folder string
	// Issuers are files with the issuer's key, a buildout's secrets.cfg or a
	// zope.conf, for hosts whose own settings have none.
	Issuers []string
	// ServerPort is the loopback port that Prosody's port for clients is moved to, or
	// the next one that its settings leave free: 1 to 65535; 0: 5322.
	ServerPort int
	// Environ is what the settings see of the environment; nil: the process's.
	Environ []string
}

// File is a file before and after. Before is "" for a new one.
type File struct {
	Path, Before, After string
	// Secret files are never shown.
	Secret bool
}

// Plan is all that a migration does.
type Plan struct {
	// Domains are those whose users log in with tokens, one or more.
	Domains []string
	// Own are xtokend's files: the settings first, then those with secrets.
	Own []File
	// Prosody are the changed files of Prosody.
	Prosody []File
	// ByHand are changes of Prosody's settings that could not be made.
	ByHand []ByHand
	// Left is what was not carried over, or works in another way, one sentence each.
	Left []string

	secrets []string
}

// Reasons why there is nothing to migrate.
var (
	ErrNoTokens = errors.New(`no virtual host has authentication = "token"`)
	ErrMigrated = errors.New("a component has the place of the Lua modules already")
	// ErrPartly comes with the names of hosts.
	ErrPartly = errors.New("has been migrated before")
)

const (
	defaultServerPort = 5322
	maxPort           = 65535
)

// Provider names of mod_auth_token; "hmac" is what it was called before.
var providers = []string{"token", "hmac"}

// modulesOut are those that xtokend stands for.
var modulesOut = []string{"auth_token", "sasl_token", "auth_hmac", "sasl_hmac"}

// browserModules serve clients over HTTP.
var browserModules = []string{"bosh", "websocket"}

// passwordModules let users change the password of their account, or delete it, or let
// strangers make one that is not xtokend's: invites_register, which Debian's settings
// have, brings register_ibr.
var passwordModules = []string{"register", "register_ibr", "user_account_management", "invites_register"}

// migration is one run of Make.
type migration struct {
	Options
	Plan
	settings *luaconfig.Settings
	tokens   []string // virtual hosts that have token authentication
	others   []string // virtual hosts that do not
	keepHTTP bool     // Prosody goes on to serve something over HTTP
	c2sPort  int      // of Prosody, on loopback
}

// Make reads the settings and works out the plan.
func Make(o Options) (*Plan, error) {
	if o.ServerPort < 0 || o.ServerPort > maxPort {
		return nil, fmt.Errorf("%d is no port", o.ServerPort)
	}
	// Paths in xtokend's settings are taken from its folder.
	folder, err := filepath.Abs(o.Folder)
	if err != nil {
		return nil, err
	}
	o.Folder = folder
	settings, err := luaconfig.Evaluate(o.Path, luaconfig.Options{Environ: o.Environ})
	if err != nil {
		return nil, err
	}
	m := &migration{Options: o, settings: settings}
	m.secrets = secretsOf(settings)
	m.sortHosts()
	switch {
	case len(m.tokens) == 0 && m.migrated():
		return nil, ErrMigrated
	case len(m.tokens) == 0:
		return nil, ErrNoTokens
	}
	for _, host := range slices.Concat(m.tokens, m.others) {
		// The ports of clients are on loopback by now, and where they were is not known.
		if name := m.componentBefore(host); name != "" {
			return nil, fmt.Errorf("%s %w (its component %s is there), but %s still has authentication = %q",
				host, ErrPartly, name, m.tokens[0], m.settings.Get(m.tokens[0], "authentication"))
		}
	}
	m.Domains = m.tokens
	m.keepHTTP = len(m.httpModules()) > 0
	m.c2sPort = m.freePort(cmp.Or(o.ServerPort, defaultServerPort))
	if err := m.own(); err != nil {
		return nil, err
	}
	if err := m.prosody(); err != nil {
		return nil, err
	}
	m.leave()
	return &m.Plan, nil
}

// sortHosts tells hosts with tokens from others. Prosody takes a host as disabled
// if enabled is false, nothing else.
func (m *migration) sortHosts() {
	for _, host := range m.settings.Order {
		if host == luaconfig.Global || m.settings.Own(host, "component_module") != nil || m.settings.Get(host, "enabled") == false {
			continue
		}
		provider, _ := m.settings.Get(host, "authentication").(string)
		if slices.Contains(providers, provider) {
			m.tokens = append(m.tokens, host)
		} else {
			m.others = append(m.others, host)
		}
	}
	// A stock installation has this host beside its own, which nobody uses from elsewhere.
	if slices.Equal(m.tokens, []string{localhost}) {
		return
	}
	m.others = without(m.others, []string{localhost})
	if slices.Contains(m.tokens, localhost) {
		m.tokens = without(m.tokens, []string{localhost})
		m.left("%s has token authentication beside other hosts: it is left out, since no issuer signs for it", localhost)
	}
}

const localhost = "localhost"

// migrated reports whether a virtual host has a component among its administrators.
func (m *migration) migrated() bool {
	return slices.ContainsFunc(m.others, func(host string) bool {
		return slices.ContainsFunc(luaconfig.Strings(m.settings.Own(host, "admins")), func(admin string) bool {
			return m.settings.Own(admin, "component_module") == "component"
		})
	})
}

// componentBefore returns the component that an earlier migration has made an
// administrator of a host; "" if there was none.
func (m *migration) componentBefore(host string) string {
	for _, admin := range luaconfig.Strings(m.settings.Own(host, "admins")) {
		name, ok := strings.CutSuffix(admin, "."+host)
		if ok && strings.HasPrefix(name, "xtoken") && m.settings.Own(admin, "component_module") == "component" {
			return admin
		}
	}
	return ""
}

func (m *migration) left(format string, args ...any) {
	m.Left = append(m.Left, fmt.Sprintf(format, args...))
}

// modules returns what a host loads beyond what every host does. What is disabled for
// the whole server a host may enable for itself.
func (m *migration) modules(host string) []string {
	of := func(host, option string) []string { return luaconfig.Strings(m.settings.Own(host, option)) }
	var enabled []string
	if m.settings.Own(host, "component_module") == nil {
		enabled = without(of(luaconfig.Global, "modules_enabled"), of(luaconfig.Global, "modules_disabled"))
	}
	return without(append(enabled, of(host, "modules_enabled")...), of(host, "modules_disabled"))
}

func without(names, out []string) []string {
	return slices.DeleteFunc(names, func(name string) bool { return slices.Contains(out, name) })
}

// httpModules returns what serves something over HTTP other than the clients of
// hosts with tokens, each with its host.
func (m *migration) httpModules() []string {
	var found []string
	for _, host := range m.settings.Order {
		unused := host == localhost && !slices.Contains(m.tokens, host)
		if host == luaconfig.Global || unused || m.settings.Get(host, "enabled") == false {
			continue
		}
		modules := m.modules(host)
		if module, ok := m.settings.Own(host, "component_module").(string); ok {
			modules = append(modules, module)
		}
		for _, name := range modules {
			forClients := slices.Contains(browserModules, name)
			if forClients && slices.Contains(m.tokens, host) || !forClients && !servesHTTP(name) {
				continue
			}
			found = append(found, fmt.Sprintf("%s of %s", name, host))
		}
	}
	return found
}

// servesHTTP goes by the names that modules for HTTP have.
func servesHTTP(module string) bool {
	return strings.Contains(module, "http") || strings.Contains(module, "web") ||
		slices.Contains([]string{
			"atom", "candy", "conversejs", "invites_page", "jsxc", "oauth2", "openmetrics", "password_reset", "pastebin", "prometheus",
			"pubsub_eventsource", "pubsub_feeds", "pubsub_github", "rest", "server_status",
		}, module)
}

// secretFile returns the text of a secret file of xtokend: what is there already,
// so that a second run changes nothing, else a new secret.
func (m *migration) secretFile(name, given string) (path, secret string) {
	path = filepath.Join(m.Folder, name)
	before, err := os.ReadFile(path)
	secret = strings.TrimSpace(string(before))
	switch {
	case given != "":
		secret = given
	case err != nil || secret == "":
		random := make([]byte, 32)
		rand.Read(random)
		// The alphabet without + and / needs no quotes anywhere.
		secret = base64.RawURLEncoding.EncodeToString(random)
	}
	if secret != strings.TrimSpace(string(before)) {
		m.Own = append(m.Own, File{Path: path, Before: string(before), After: secret + "\n", Secret: true})
	}
	m.secrets = append(m.secrets, secret)
	return path, secret
}
