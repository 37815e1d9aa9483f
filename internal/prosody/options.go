package prosody

import (
	"cmp"
	"fmt"
	"os"
	"strings"

	"xtokend/internal/stockserver"
)

// Options says how a throwaway server differs from the stock one. The zero
// value of every field but Dir is useful.
type Options struct {
	// Dir keeps configuration, data, certificates and log. It must exist and be
	// writable; the caller removes it.
	Dir string

	// Domain is the served domain. Empty: example.org.
	Domain string

	// NoComponent leaves the component link's host out.
	NoComponent bool

	// NotAdmin leaves the component out of the domain's admins.
	NotAdmin bool

	// TLS gives the client port a certificate and opens a port for direct TLS.
	// The certificate is signed by a fresh authority, see [stockserver.Server.CAFile].
	// Without it Prosody offers STARTTLS all the same, but cannot do it.
	TLS bool

	// PasswordHash is Prosody's password_hash, "SHA-1" or "SHA-256". Empty:
	// Prosody's own default, SHA-1.
	PasswordHash string

	// PlainStorage keeps passwords as they are (internal_plain). SCRAM then
	// uses another salt at each login.
	PlainStorage bool

	// Register lets loopback make accounts in-band (XEP-0077).
	Register bool

	// Rate is how much the server takes of each client, "10kb/s" say. Empty: 10mb/s.
	Rate string

	// Untuned leaves collector and Nagle's algorithm as Prosody has them by itself.
	Untuned bool

	// AlsoAt is another IP address at which clients and components are served, on the
	// same ports. Empty: none.
	AlsoAt string

	// Servers has it accept the servers of other domains, at its field Servers. It still
	// looks for none, unless one asks.
	Servers bool

	// GlobalLines stand before the first host, HostLines inside the domain's
	// host, MoreHosts at the end of the configuration. All are Lua.
	GlobalLines, HostLines, MoreHosts string
}

func (o Options) domain() string {
	if o.Domain == "" {
		return "example.org"
	}
	return o.Domain
}

// modules are those of a stock installation that chat clients need, and the
// account commands for the component link.
var modules = []string{
	"posix", "roster", "saslauth", "tls", "disco", "carbons", "pep", "private",
	"blocklist", "vcard4", "vcard_legacy", "bookmarks", "version", "uptime",
	"time", "ping", "smacks", "csi_simple", "mam", "limits", "admin_adhoc",
}

func (o Options) config(s *stockserver.Server) string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }

	// Prosody refuses to run as root unless it is told to, see its doc/root.
	line("run_as_root = %t", os.Geteuid() == 0)
	line("data_path = %s", quote(s.File("data")))
	line("certificates = %s", quote(s.File("certs")))
	line("log = { { levels = { min = \"info\" }, to = \"file\", filename = %s } }", quote(logFile(s)))
	enabled := modules
	if o.Register {
		enabled = append(enabled[:len(enabled):len(enabled)], "register_ibr")
		line("allow_registration = true; allowlist_registration_only = true")
		line("registration_allowlist = { \"127.0.0.0/8\" }")
	}
	line("modules_enabled = { %s }", quoteAll(enabled))
	line("s2s_interfaces = { %s }", quote(s.Host()))
	line("s2s_ports = { %s }", stockserver.Port(s.Servers))
	interfaces := quote(s.Host())
	if o.AlsoAt != "" {
		interfaces = quoteAll([]string{s.Host(), o.AlsoAt})
	}
	line("c2s_interfaces = { %s }", interfaces)
	line("c2s_ports = { %s }", stockserver.Port(s.C2S))
	line("c2s_direct_tls_interfaces = { %s }", quote(s.Host()))
	line("c2s_direct_tls_ports = { %s }", stockserver.Port(s.DirectTLS))
	line("component_interfaces = { %s }", interfaces)
	line("component_ports = { %s }", stockserver.Port(s.Component))
	line("c2s_require_encryption = false")
	line("limits = { c2s = { rate = %s } }", quote(cmp.Or(o.Rate, "10mb/s")))
	if !o.Untuned {
		line("gc = { mode = \"generational\" }")
		line("network_settings = { nagle = false }")
	}
	if o.PlainStorage {
		line("authentication = \"internal_plain\"")
	} else {
		line("authentication = \"internal_hashed\"")
	}
	if o.PasswordHash != "" {
		line("password_hash = %s", quote(o.PasswordHash))
	}
	if o.TLS {
		files := fmt.Sprintf("{ certificate = %s; key = %s }", quote(s.CertificateFile()), quote(s.KeyFile()))
		line("ssl = %s", files)
		line("c2s_direct_tls_ssl = %s", files)
	}
	line("%s", o.GlobalLines)

	line("VirtualHost %s", quote(s.Domain))
	if !o.NotAdmin && !o.NoComponent {
		line("admins = { %s }", quote(s.ComponentName))
	}
	line("%s", o.HostLines)
	line("Component %s \"muc\"", quote(s.Rooms))
	line("modules_enabled = { \"muc_mam\" }")
	line("restrict_room_creation = false")
	if !o.NoComponent {
		line("Component %s", quote(s.ComponentName))
		line("component_secret = %s", quote(s.ComponentSecret))
	}
	line("%s", o.MoreHosts)
	return b.String()
}

// quote writes s as a Lua string. All that comes here is a path, a domain or a
// number, so Go's escapes are Lua's.
func quote(s string) string { return fmt.Sprintf("%q", s) }

func quoteAll(list []string) string {
	quoted := make([]string, len(list))
	for i, s := range list {
		quoted[i] = quote(s)
	}
	return strings.Join(quoted, "; ")
}
