package migrate

import (
	"fmt"
	"slices"
	"strings"

	"xtokend/cmd/xtokend/internal/migrate/luaconfig"
)

// c2sRate is the bandwidth of a client's stream. The default, 10kb/s, pauses each
// login, and slows down what a user sends.
const c2sRate = "10mb/s"

// prosody changes Prosody's settings.
func (m *migration) prosody() error {
	e, err := newEditor(m.settings)
	if err != nil {
		return err
	}
	m.providerOut(e)
	m.modulesOut(e)
	for _, c := range m.serverChanges() {
		e.make(c)
	}
	var components strings.Builder
	for _, host := range m.tokens {
		for _, c := range m.hostChanges(host) {
			e.make(c)
		}
		name := m.componentName(host)
		_, secret := m.secretFile(m.secretName(host, "component_secret"), "")
		fmt.Fprintf(&components, "\nComponent %s -- xtokend makes accounts through it\n\tcomponent_secret = %s\n", luaconfig.Literal(name), luaconfig.Literal(secret))
		e.expected.SetPath(name, "component_module", nil, "component")
		e.expected.SetPath(name, "load_global_modules", nil, false)
		e.expected.SetPath(name, "component_secret", nil, secret)
	}
	m.Prosody = e.finish(components.String())
	m.ByHand = e.byHand
	return e.verify(m.Prosody, m.Environ)
}

// providerOut has accounts with passwords in the place of tokens. Where the global
// setting names the provider it is changed there, so that no host is left with it.
func (m *migration) providerOut(e *editor) {
	for _, host := range append([]string{luaconfig.Global}, m.tokens...) {
		if provider, ok := m.settings.Own(host, "authentication").(string); ok && slices.Contains(providers, provider) {
			e.make(change{host: host, option: "authentication", value: "internal_hashed"})
		}
	}
}

// modulesOut takes out what nobody can use any more, or should: the modules for
// tokens, those for browsers, which come to xtokend, and what lets users change their
// password. What other hosts have too is disabled for the hosts with tokens alone.
func (m *migration) modulesOut(e *editor) {
	out, shared := slices.Concat(modulesOut, browserModules, passwordModules), []string(nil)
	if len(m.others) > 0 {
		out, shared = modulesOut, slices.Concat(browserModules, passwordModules)
	}
	for _, host := range append([]string{luaconfig.Global}, m.tokens...) {
		if found := present(out, luaconfig.Strings(m.settings.Own(host, "modules_enabled"))); found != nil {
			e.make(change{host: host, option: "modules_enabled", remove: found})
		}
	}
	for _, host := range m.tokens {
		if found := present(shared, m.modules(host)); found != nil {
			e.make(change{host: host, option: "modules_disabled", add: found})
		}
	}
}

// present returns those of names that are among all; nil if none is.
func present(names, all []string) []string {
	var found []string
	for _, name := range names {
		if slices.Contains(all, name) {
			found = append(found, name)
		}
	}
	return found
}

// serverChanges are those of the whole server.
func (m *migration) serverChanges() []change {
	loopback := luaconfig.List("127.0.0.1")
	set := func(option string, v luaconfig.Value) change {
		return change{host: luaconfig.Global, option: option, value: v}
	}
	changes := []change{
		set("c2s_interfaces", loopback),
		set("c2s_ports", luaconfig.List(float64(m.c2sPort))),
		set("c2s_direct_tls_ports", luaconfig.List()),
	}
	if m.settings.Own(luaconfig.Global, "legacy_ssl_ports") != nil {
		changes = append(changes, set("legacy_ssl_ports", luaconfig.List()))
	}
	if m.settings.Own(luaconfig.Global, "component_ports") == nil {
		changes = append(changes, set("component_ports", luaconfig.List(float64(m.componentPort()))))
	}
	if m.settings.Own(luaconfig.Global, "component_interfaces") == nil {
		changes = append(changes, set("component_interfaces", loopback))
	}
	nested := func(option string, path []string, v luaconfig.Value) {
		changes = append(changes, change{host: luaconfig.Global, option: option, path: path, value: v})
	}
	nested("limits", []string{"c2s", "rate"}, c2sRate)
	nested("gc", []string{"mode"}, "generational")
	nested("network_settings", []string{"nagle"}, false)
	return changes
}

// hostChanges are those of one host with tokens: xtokend comes without TLS, over
// loopback, and its component is an administrator there and nowhere else.
func (m *migration) hostChanges(host string) []change {
	changes := []change{
		{host: host, option: "admins", add: []string{m.componentName(host)}},
	}
	if m.settings.Get(host, "c2s_require_encryption") != false {
		changes = append(changes, change{host: host, option: "c2s_require_encryption", value: false})
	}
	if !slices.Contains(m.modules(host), "admin_adhoc") {
		changes = append(changes, change{host: host, option: "modules_enabled", add: []string{"admin_adhoc"}})
	}
	return changes
}

// componentName is the component of a domain, by which no other host is known.
func (m *migration) componentName(host string) string {
	name := "xtoken." + host
	for i := 2; m.settings.Hosts[name] != nil; i++ {
		name = fmt.Sprintf("xtoken%d.%s", i, host)
	}
	return name
}

// secretName is the file of one secret. With several domains each has its own.
func (m *migration) secretName(host, name string) string {
	if len(m.tokens) == 1 {
		return name
	}
	return host + "." + name
}
