package migrate

import (
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"xtokend/cmd/xtokend/internal/migrate/luaconfig"
)

// service is one of Prosody's listeners, as its portmanager knows them.
type service struct {
	name    string // what its options begin with
	port    int    // the default; 0: none
	private bool   // on loopback unless its interfaces are named
}

var (
	c2s       = service{"c2s", 5222, false}
	directTLS = service{"c2s_direct_tls", 0, false}
	legacySSL = service{"legacy_ssl", 0, false}
	plainHTTP = service{"http", 5280, true}
	https     = service{"https", 5281, false}
	component = service{"component", 5347, true}
)

// ports returns the ports of a service. These options are global ones.
func (m *migration) ports(s service) []int {
	v := m.settings.Own(luaconfig.Global, s.name+"_ports")
	if v == nil {
		if s.port == 0 {
			return nil
		}
		return []int{s.port}
	}
	var ports []int
	for _, text := range luaconfig.Strings(v) {
		if port, err := strconv.ParseUint(text, 10, 16); err == nil && port > 0 {
			ports = append(ports, int(port))
		}
	}
	return ports
}

// interfaces returns the addresses of a service; "*" is every IPv4 address.
func (m *migration) interfaces(s service) []string {
	options := []string{s.name + "_interfaces", s.name + "_interface"}
	if s.private {
		options = append(options, "local_interfaces")
	}
	for _, option := range options {
		if v := m.settings.Own(luaconfig.Global, option); v != nil {
			return luaconfig.Strings(v)
		}
	}
	if s.private {
		return []string{"127.0.0.1", "::1"}
	}
	for _, option := range []string{"interfaces", "interface"} {
		if v := m.settings.Own(luaconfig.Global, option); v != nil {
			return luaconfig.Strings(v)
		}
	}
	return []string{"*", "::"}
}

// addresses returns where a service listens. [::] is every address of both
// families for xtokend, so that it stands for both of Prosody's.
func (m *migration) addresses(s service) []netip.AddrPort {
	interfaces := m.interfaces(s)
	if slices.Contains(interfaces, "::") {
		interfaces = slices.DeleteFunc(slices.Clone(interfaces), func(i string) bool { return i == "*" || i == "0.0.0.0" })
	}
	var addresses []netip.AddrPort
	for _, name := range interfaces {
		if name == "*" {
			name = "0.0.0.0"
		}
		address, err := netip.ParseAddr(name)
		if err != nil {
			m.left("%s_interfaces: %q is no address: add it to listen by hand", s.name, name)
			continue
		}
		for _, port := range m.ports(s) {
			addresses = append(addresses, netip.AddrPortFrom(address, uint16(port)))
		}
	}
	return addresses
}

// freePort returns a port that no option of Prosody names, from one on.
func (m *migration) freePort(port int) int {
	taken := map[int]bool{m.c2sPort: true, m.componentPort(): true}
	for _, s := range []service{c2s, directTLS, legacySSL, plainHTTP, https, component, {"s2s", 5269, false}, {"proxy65", 5000, false}, {"admin_telnet", 5582, true}} {
		for _, p := range m.ports(s) {
			taken[p] = true
		}
	}
	for option, v := range m.settings.Hosts[luaconfig.Global].Options {
		if !strings.HasSuffix(option, "_ports") {
			continue
		}
		for _, text := range luaconfig.Strings(v) {
			if p, err := strconv.Atoi(text); err == nil {
				taken[p] = true
			}
		}
	}
	for taken[port] {
		port = port%maxPort + 1
	}
	return port
}

// componentPort is where components connect.
func (m *migration) componentPort() int {
	if ports := m.ports(component); len(ports) > 0 {
		return ports[0]
	}
	return component.port
}

// componentAddress is where xtokend connects. Without TLS that must be loopback.
func (m *migration) componentAddress() string {
	host := ""
	for _, name := range m.interfaces(component) {
		address, err := netip.ParseAddr(name)
		switch {
		case name == "*" || name == "0.0.0.0":
			host = "127.0.0.1"
		case host == "" && name == "::":
			host = "::1"
		case host == "" && err == nil && address.IsLoopback():
			host = name
		}
	}
	if host == "" {
		m.left(`component_interfaces: none of them is loopback, where xtokend connects: add "127.0.0.1"`)
		host = "127.0.0.1"
	}
	return net.JoinHostPort(host, strconv.Itoa(m.componentPort()))
}

// listen returns xtokend's listeners: where Prosody's clients connect today.
func (m *migration) listen() []string {
	var uris []string
	add := func(scheme string, addresses []netip.AddrPort) {
		for _, a := range addresses {
			uris = append(uris, scheme+"://"+a.String())
		}
	}
	add("xmpp", m.addresses(c2s))
	add("xmpps", m.addresses(directTLS))
	add("xmpps", m.addresses(legacySSL))
	if !m.forBrowsers() {
		return uris
	}
	web, secure := m.addresses(plainHTTP), m.addresses(https)
	if m.keepHTTP {
		web = []netip.AddrPort{netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), uint16(m.freePort(5282)))}
		secure = []netip.AddrPort{netip.AddrPortFrom(netip.IPv6Unspecified(), uint16(m.freePort(5443)))}
		m.left("Prosody keeps its HTTP ports for %s: have pages and the web server use xtokend's, %s and %s, for /http-bind and /xmpp-websocket",
			strings.Join(m.httpModules(), ", "), "http://"+web[0].String(), "https://"+secure[0].String())
	}
	for _, a := range web {
		if a.Addr().IsLoopback() {
			add("http", []netip.AddrPort{a})
			continue
		}
		loopback := netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), a.Port())
		add("http", []netip.AddrPort{loopback})
		m.left("Prosody answers browsers in clear at http://%s; xtokend does so at %s alone, for a web server that ends TLS: let pages use https://", a, loopback)
	}
	add("https", secure)
	slices.Sort(uris)
	return slices.Compact(uris)
}

// forBrowsers reports whether a host with tokens serves browsers.
func (m *migration) forBrowsers() bool {
	return slices.ContainsFunc(m.tokens, func(host string) bool {
		return present(browserModules, m.modules(host)) != nil
	})
}
