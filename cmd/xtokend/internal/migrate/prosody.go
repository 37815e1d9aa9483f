package migrate

import (
	"fmt"
	"slices"
	"strings"

	"xtokend/cmd/xtokend/internal/migrate/luaconfig"
)

// c2sRate is the bandwidth of a client's stream: all of a user's traffic passes
// through one connection of xtokend.
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

// modulesOut takes the modules for tokens out, wherever they are enabled, and what
// lets users change their password. Those for browsers go where nothing else needs
// Prosody's HTTP ports, which xtokend then takes.
func (m *migration) modulesOut(e *editor) {
	out := slices.Clone(modulesOut)
	if !m.keepHTTP {
		out = append(out, "bosh", "websocket")
	}
	if len(m.others) == 0 {
		out = append(out, passwordModules...)
	}
	for _, host := range append([]string{luaconfig.Global}, m.tokens...) {
		enabled := luaconfig.Strings(m.settings.Own(host, "modules_enabled"))
		found := slices.DeleteFunc(slices.Clone(out), func(name string) bool { return !slices.Contains(enabled, name) })
		if len(found) > 0 {
			e.make(change{host: host, option: "modules_enabled", remove: found})
		}
	}
	if len(m.others) == 0 {
		return
	}
	for _, host := range m.tokens {
		for _, name := range passwordModules {
			if slices.Contains(m.modules(host), name) {
				e.disable(host, name)
			}
		}
	}
}

// disable takes a module from one host that others keep.
func (e *editor) disable(host, module string) {
	if e.settings.Own(host, "modules_disabled") == nil && e.expected.Own(host, "modules_disabled") != nil {
		// A second one: the option is new, and is written once.
		e.expected.Prepend(host, "modules_disabled", module)
		lines := e.hosts[host]
		for i := range lines {
			if strings.HasPrefix(lines[i], "modules_disabled = ") {
				lines[i] = "modules_disabled = " + luaconfig.Literal(e.expected.Own(host, "modules_disabled"))
			}
		}
		return
	}
	e.make(change{host: host, option: "modules_disabled", add: module})
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
		{host: host, option: "admins", add: m.componentName(host)},
	}
	if m.settings.Get(host, "c2s_require_encryption") != false {
		changes = append(changes, change{host: host, option: "c2s_require_encryption", value: false})
	}
	if !slices.Contains(m.modules(host), "admin_adhoc") {
		changes = append(changes, change{host: host, option: "modules_enabled", add: "admin_adhoc"})
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
