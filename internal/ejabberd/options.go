package ejabberd

import (
	"bytes"
	"encoding/json"
	"maps"
	"strings"

	"xtokend/internal/stockserver"
)

// Options says how a throwaway server differs from the usual one. The zero value
// of every field but Dir is useful.
type Options struct {
	// Dir keeps configuration, data, certificates and log. It must exist and be
	// writable; the caller removes it.
	Dir string

	// Domain is the served domain. Empty: example.org.
	Domain string

	// TLS gives the client port STARTTLS, with a certificate that is signed by a
	// fresh authority, see [stockserver.Server.CAFile], and opens a port for
	// direct TLS.
	TLS bool

	// ProxyProtocol has the client ports insist on a header of the PROXY protocol,
	// version 1 or 2.
	ProxyProtocol bool

	// NotAdmin leaves the component out of the domain's admins.
	NotAdmin bool

	// Modules are set beside the usual ones, or in place of those of their name;
	// nil leaves one out.
	Modules map[string]any

	// Clients are set beside the usual options of the listener for clients, or in
	// their place.
	Clients map[string]any

	// SecondComponent is the name of another component, with the secret of the first.
	// Each gets answers that are for the other then, as global_routes has its default.
	// Empty: there is none.
	SecondComponent string

	// GuideLines are settings in YAML, as an administrator has them, in place of all
	// others: 127.0.0.1 with ports 5322 and 5347, and the password …, stand for the
	// server's own. The domain must be example.org. Register and HasAccount cannot be
	// used then, and neither can TLS and ProxyProtocol.
	GuideLines string

	// TopLevel are set beside the usual settings, or in their place.
	TopLevel map[string]any
}

func (o Options) domain() string {
	if o.Domain == "" {
		return "example.org"
	}
	return o.Domain
}

// settings are named as in ejabberd.yml.
type settings = map[string]any

// config is a file of settings. JSON is YAML.
func (o Options) config(p program) ([]byte, error) {
	if o.GuideLines != "" {
		return []byte(o.guide(p)), nil
	}
	all := settings{
		"hosts":            []string{p.Domain},
		"loglevel":         "info",
		"log_rotate_count": 0,
		"listen":           o.listeners(p),

		"auth_method":          []string{"internal"},
		"auth_password_format": "scram",
		"access_rules":         settings{"configure": settings{"allow": "admin"}},
		"modules":              o.modules(p),

		// Nothing leaves this machine.
		"s2s_access": "none",
		"acme":       settings{"auto": false},

		"api_permissions": settings{
			"tests": settings{
				"from": []string{"mod_http_api"},
				"who":  "all",
				"what": []string{"register", "change_password", "check_account"},
			},
		},
	}
	if !o.NotAdmin {
		all["acl"] = settings{"admin": settings{"server": p.ComponentName}}
	}
	if o.TLS {
		all["certfiles"] = []string{p.CertificateFile(), p.KeyFile()}
	}
	maps.Copy(all, o.TopLevel)
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false) // YAML would read it, people would not
	encoder.SetIndent("", "  ")
	err := encoder.Encode(all)
	return text.Bytes(), err
}

func (o Options) guide(p program) string {
	return strings.NewReplacer(
		"127.0.0.1", p.Host(),
		"5322", stockserver.Port(p.C2S),
		"5347", stockserver.Port(p.Component),
		"…", p.ComponentSecret,
	).Replace(o.GuideLines) + "\nhosts: [" + p.Domain + "]\nlog_rotate_count: 0\ns2s_access: none\nacme: {auto: false}\n"
}

func (o Options) listeners(p program) []settings {
	at := func(address, module string, more settings) settings {
		all := settings{
			"port":    json.Number(stockserver.Port(address)),
			"ip":      p.Host(),
			"module":  module,
			"backlog": 1024, // the default of 5 loses connections of a storm
		}
		maps.Copy(all, more)
		return all
	}
	clients := func(address string, more settings) settings {
		c := at(address, "ejabberd_c2s", settings{
			"access":             "all",
			"shaper":             "none",
			"use_proxy_protocol": o.ProxyProtocol,
		})
		maps.Copy(c, more)
		return c
	}
	all := []settings{
		clients(p.C2S, o.clients()),
		at(p.Component, "ejabberd_service", settings{
			"access":        "all",
			"shaper":        "none",
			"global_routes": o.SecondComponent != "", // false: answers are for the component that has asked
			"hosts":         o.components(p),
		}),
		at(p.api, "ejabberd_http", settings{"request_handlers": settings{"/api": "mod_http_api"}}),
	}
	if o.TLS {
		all = append(all, clients(p.DirectTLS, settings{"tls": true}))
	}
	return all
}

func (o Options) components(p program) settings {
	all := settings{p.ComponentName: settings{"password": p.ComponentSecret}}
	if o.SecondComponent != "" {
		all[o.SecondComponent] = settings{"password": p.ComponentSecret}
	}
	return all
}

func (o Options) clients() settings {
	all := settings{"starttls": o.TLS}
	maps.Copy(all, o.Clients)
	return all
}

// modules are those of Debian's settings that chat clients need, the archive, and
// the account commands for the component link.
func (o Options) modules(p program) settings {
	all := settings{
		"mod_adhoc":         settings{},
		"mod_admin_extra":   settings{}, // the commands of Register and HasAccount
		"mod_blocking":      settings{},
		"mod_caps":          settings{},
		"mod_carboncopy":    settings{},
		"mod_client_state":  settings{},
		"mod_configure":     settings{},
		"mod_disco":         settings{},
		"mod_http_api":      settings{},
		"mod_last":          settings{},
		"mod_mam":           settings{"default": "always"},
		"mod_muc":           settings{"host": p.Rooms, "default_room_options": settings{"mam": true}},
		"mod_offline":       settings{},
		"mod_ping":          settings{},
		"mod_privacy":       settings{},
		"mod_private":       settings{},
		"mod_pubsub":        settings{"plugins": []string{"flat", "pep"}},
		"mod_roster":        settings{"versioning": true},
		"mod_stream_mgmt":   settings{"resend_on_timeout": "if_offline"},
		"mod_vcard":         settings{"search": false},
		"mod_vcard_xupdate": settings{},
		"mod_version":       settings{},
	}
	for name, options := range o.Modules {
		if options == nil {
			delete(all, name)
		} else {
			all[name] = options
		}
	}
	return all
}
