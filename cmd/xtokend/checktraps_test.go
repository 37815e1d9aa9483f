package main

import (
	"context"
	"net/netip"
	"testing"
	"time"

	"xtokend/cmd/xtokend/internal/doctor"
	"xtokend/internal/ejabberd"
	"xtokend/internal/ejabberdtest"
	"xtokend/internal/prosody"
	"xtokend/internal/prosodytest"
)

// trap is something that is wrong, and what is to be found of it.
type trap struct {
	name       string
	configure  func(*testing.T, *clinic) // may be nil
	level      doctor.Level
	topic      doctor.Topic
	text, hint string
}

// run examines an installation with the trap.
func (trap trap) run(t *testing.T, c *clinic) {
	if trap.configure != nil {
		trap.configure(t, c)
	}
	c.examine(t).want(t, trap.level, trap.topic, trap.text, trap.hint)
}

// edit changes a table of the first domain's settings.
func edit(table, key string, value any) func(*testing.T, *clinic) {
	return func(_ *testing.T, c *clinic) {
		c.Edit = func(settings map[string]any) {
			domain := settings["domain"].([]map[string]any)[0]
			if table != "" {
				domain = domain[table].(map[string]any)
			}
			domain[key] = value
		}
	}
}

// Each trap of Prosody is provoked by a setting of a real one.
func TestTrapsOfProsody(t *testing.T) {
	for _, c := range []struct {
		trap
		options prosody.Options
	}{
		{trap{name: "encryption required", level: doctor.Error, topic: doctor.TopicServer,
			text: "asks for STARTTLS before any login", hint: "c2s_require_encryption = false"},
			prosody.Options{TLS: true, HostLines: `c2s_require_encryption = true`}},
		{trap{name: "no SCRAM", level: doctor.Error, topic: doctor.TopicServer,
			text: "offers no SCRAM-SHA-1 or SCRAM-SHA-256, but ANONYMOUS", hint: `authentication = "internal_hashed"`},
			prosody.Options{HostLines: `authentication = "anonymous"`}},
		{trap{name: "no administrator", level: doctor.Error, topic: doctor.TopicLink,
			text: "is no administrator of example.org", hint: `admins = { "xtoken.example.org" }`},
			prosody.Options{NotAdmin: true}},
		{trap{name: "no commands", level: doctor.Error, topic: doctor.TopicLink,
			text: "the server does not know the command", hint: `"admin_adhoc" in modules_enabled`},
			prosody.Options{GlobalLines: `modules_disabled = { "admin_adhoc" }`}},
		{trap{name: "passwords in clear", level: doctor.Warning, topic: doctor.TopicServer,
			text: "makes a new salt at each login", hint: `authentication = "internal_hashed"`},
			prosody.Options{PlainStorage: true}},
		{trap{name: "rate of clients", level: doctor.Warning, topic: doctor.TopicServer,
			text: "the server slows clients down", hint: `limits = { c2s = { rate = "10mb/s" } }`},
			prosody.Options{Rate: "10kb/s"}},
		{trap{name: "accounts of strangers", level: doctor.Warning, topic: doctor.TopicServer,
			text: "lets strangers make accounts", hint: `"register_ibr"`},
			prosody.Options{Register: true}},
		{trap{name: "passwords by users", level: doctor.Warning, topic: doctor.TopicServer,
			text: "users can change the password of their account", hint: `"register" out of modules_enabled`},
			prosody.Options{HostLines: `modules_enabled = { "register" }`}},
		{trap{name: "no resumption", level: doctor.Warning, topic: doctor.TopicServer,
			text: "no stream management", hint: `"smacks"`},
			prosody.Options{GlobalLines: `modules_disabled = { "smacks" }`}},
		{trap{name: "client port for all", level: doctor.Warning, topic: doctor.TopicServer,
			text: "is open at 127.99.99.99 too", hint: `c2s_interfaces = { "127.0.0.1" }`,
			configure: func(_ *testing.T, c *clinic) {
				c.options.Addresses = []netip.Addr{netip.MustParseAddr("127.99.99.99")}
			}},
			prosody.Options{AlsoAt: "127.99.99.99"}},
		{trap{name: "component port for all", level: doctor.Warning, topic: doctor.TopicServer,
			text: "the server's component port", hint: `component_interfaces = { "127.0.0.1" }`,
			configure: func(_ *testing.T, c *clinic) {
				c.options.Addresses = []netip.Addr{netip.MustParseAddr("127.99.99.99")}
			}},
			prosody.Options{AlsoAt: "127.99.99.99"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel() // some wait long for what does not come
			c.run(t, newClinic(t, prosodytest.Start(t, c.options)))
		})
	}
}

// Each of these is provoked by a setting of xtokend, or by what is around it.
func TestTrapsAroundProsody(t *testing.T) {
	server := prosodytest.Start(t, prosody.Options{TLS: true})
	for _, c := range []trap{
		{name: "component secret", level: doctor.Error, topic: doctor.TopicLink,
			text: "refuses the component secret", hint: "[domain.component]",
			configure: edit("component", "secret", "not-the-components-secret")},
		{name: "component name", level: doctor.Error, topic: doctor.TopicLink,
			text: "has no component other.example.org", hint: "[domain.component]",
			configure: edit("component", "name", "other.example.org")},
		{name: "a component of the same name", level: doctor.Error, topic: doctor.TopicLink,
			text: "another component is connected", hint: "a running xtokend holds this name",
			configure: func(t *testing.T, c *clinic) { c.hold(t, "") }},
		{name: "another domain", level: doctor.Error, topic: doctor.TopicServer,
			text: "host-unknown", hint: `VirtualHost "example.net"`,
			configure: edit("", "name", "example.net")},
		{name: "the component port", level: doctor.Error, topic: doctor.TopicServer,
			text: server.Component, hint: "not that for components",
			configure: edit("server", "addresses", []string{server.Component})},
		{name: "nobody there", level: doctor.Error, topic: doctor.TopicServer,
			text: "connection refused", hint: "start the server",
			configure: edit("server", "addresses", []string{"127.0.0.1:1"})},
		{name: "an authority that is not known", level: doctor.Error, topic: doctor.TopicServer,
			text: "certificate", hint: "ca_file",
			configure: edit("server", "tls", "starttls")},
		{name: "TLS where none is", level: doctor.Error, topic: doctor.TopicServer,
			text: "TLS", hint: "set tls in [domain.server] to what it speaks",
			configure: edit("server", "tls", "direct")},
		{name: "a certificate of the server's that expires soon", level: doctor.Warning, topic: doctor.TopicServer,
			text: "the server's certificate at " + server.C2S + " expires on", hint: "renew it",
			configure: func(t *testing.T, c *clinic) {
				c.options.Now = ahead(85 * 24 * time.Hour) // of 90 days
				c.Edit = func(settings map[string]any) {
					table := settings["domain"].([]map[string]any)[0]["server"].(map[string]any)
					table["tls"], table["ca_file"] = "starttls", server.CAFile()
				}
			}},
		{name: "PROXY header", level: doctor.Error, topic: doctor.TopicServer,
			text: server.C2S, hint: "Prosody cannot",
			configure: edit("server", "send_proxy", true)},
		{name: "registration", level: doctor.Error, topic: doctor.TopicServer,
			text: `accounts is "register"`, hint: `"register_ibr"`,
			configure: edit("server", "accounts", "register")},
		{name: "clock somewhat off", level: doctor.Warning, topic: doctor.TopicTime,
			text: "s apart", hint: "NTP",
			configure: func(_ *testing.T, c *clinic) { c.options.Now = ahead(9 * time.Second) }},
		{name: "clock off", level: doctor.Error, topic: doctor.TopicTime,
			text: "apart", hint: "NTP",
			configure: func(_ *testing.T, c *clinic) { c.options.Now = ahead(90 * time.Second) }},
		{name: "a port that the server has", level: doctor.Error, topic: doctor.TopicPorts,
			text: "is taken by another program", hint: "an XMPP server of example.org answers there",
			configure: func(_ *testing.T, c *clinic) { c.StartTLS = server.C2S }},
		{name: "a port of the metrics that the server has", level: doctor.Error, topic: doctor.TopicPorts,
			text: "metrics: " + server.C2S + " cannot be opened", hint: "give metrics another port",
			configure: func(_ *testing.T, c *clinic) { c.Metrics = server.C2S }},
		{name: "a connection to itself", level: doctor.Error, topic: doctor.TopicPorts,
			text: "xtokend would connect to itself", hint: "another number",
			configure: func(_ *testing.T, c *clinic) { c.StartTLS = server.C2S }},
	} {
		t.Run(c.name, func(t *testing.T) { c.run(t, newClinic(t, server)) })
	}
}

// Each trap of ejabberd is provoked by a setting of a real one.
func TestTrapsOfEjabberd(t *testing.T) {
	for _, c := range []struct {
		trap
		options ejabberd.Options
	}{
		{trap{name: "no administrator", level: doctor.Error, topic: doctor.TopicLink,
			text: "is no administrator of example.org", hint: "acl: {admin: {server: xtoken.example.org}}"},
			ejabberd.Options{NotAdmin: true}},
		{trap{name: "no commands", level: doctor.Error, topic: doctor.TopicLink,
			text: "the server does not know the command", hint: "mod_configure"},
			ejabberd.Options{Modules: map[string]any{"mod_configure": nil}}},
		{trap{name: "passwords in clear", level: doctor.Warning, topic: doctor.TopicServer,
			text: "makes a new salt at each login", hint: "auth_password_format: scram"},
			ejabberd.Options{TopLevel: map[string]any{"auth_password_format": "plain"}}},
		{trap{name: "passwords by users", level: doctor.Warning, topic: doctor.TopicServer,
			text: "users can change the password of their account", hint: "mod_register"},
			ejabberd.Options{Modules: map[string]any{"mod_register": map[string]any{}}}},
		{trap{name: "rate of clients", level: doctor.Warning, topic: doctor.TopicServer,
			text: "the server slows clients down", hint: "shaper: none"},
			ejabberd.Options{Clients: map[string]any{"shaper": "c2s_shaper"}, TopLevel: map[string]any{ // as Debian has it
				"shaper":       map[string]any{"normal": map[string]any{"rate": 3000, "burst_size": 20000}},
				"shaper_rules": map[string]any{"c2s_shaper": "normal"},
			}}},
		{trap{name: "backlog", level: doctor.Warning, topic: doctor.TopicServer,
			text: "lets 5 connections wait", hint: "backlog: 1024"},
			ejabberd.Options{Clients: map[string]any{"backlog": 5}}},
		{trap{name: "encryption required", level: doctor.Error, topic: doctor.TopicServer,
			text: "asks for STARTTLS before any login", hint: "starttls_required: false"},
			ejabberd.Options{TLS: true, Clients: map[string]any{"starttls_required": true}}},
		{trap{name: "PROXY header", level: doctor.Error, topic: doctor.TopicServer,
			text: "connection", hint: "no PROXY header"},
			ejabberd.Options{ProxyProtocol: true}},
		{trap{name: "two connections of one component", level: doctor.Error, topic: doctor.TopicLink,
			text: "answers to the component have not come", hint: "a component of its own",
			configure: func(t *testing.T, c *clinic) { c.hold(t, "") }},
			ejabberd.Options{}},
		{trap{name: "answers for another component", level: doctor.Error, topic: doctor.TopicLink,
			text: "answers to the component have not come", hint: "global_routes: false",
			configure: func(t *testing.T, c *clinic) { c.hold(t, "other.example.org") }},
			ejabberd.Options{SecondComponent: "other.example.org"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.run(t, newClinic(t, ejabberdtest.Start(t, c.options)))
		})
	}
}

func ahead(d time.Duration) func() time.Time {
	return func() time.Time { return time.Now().Add(d) }
}

// hold connects another component, until the test ends: of the installation's own name
// if name is "".
func (c *clinic) hold(t *testing.T, name string) {
	t.Helper()
	d := &c.settings(t).Domains[0]
	if name != "" {
		d.Component.Name = name
	}
	a, err := newAccounts(d)
	if err != nil {
		t.Fatal(err)
	}
	disconnect, err := a.connect(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(disconnect)
}
