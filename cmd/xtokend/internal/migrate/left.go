package migrate

import (
	"maps"
	"os"
	"slices"
	"strings"

	"xtokend/cmd/xtokend/internal/migrate/luaconfig"
)

// oneAddress is what Prosody sees from now on.
const oneAddress = "for Prosody every client comes from 127.0.0.1 now"

// noPasswords is why accounts that Prosody makes are of no use.
const noPasswords = "whoever gets an account or a password by it cannot log in: tokens alone count"

// clientModules do something to clients' connections, which are xtokend's now, or to
// passwords, which nobody needs to know any more.
var clientModules = map[string]string{
	"firewall":          oneAddress,
	"ipcheck":           oneAddress,
	"lastlog":           oneAddress,
	"lastlog2":          oneAddress,
	"muc_ban_ip":        oneAddress,
	"invites":           noPasswords,
	"password_reset":    noPasswords,
	"register_web":      noPasswords,
	"conversejs":        "its page must name xtokend's /http-bind or /xmpp-websocket",
	"http_altconnect":   "it names Prosody's own /http-bind and /xmpp-websocket: set public_urls, and lead /.well-known/host-meta to xtokend",
	"http_host_meta":    "it names Prosody's own /http-bind and /xmpp-websocket: set public_urls, and lead /.well-known/host-meta to xtokend",
	"limit_auth":        "xtokend has limits.failed_per_minute_per_address",
	"c2s_conn_throttle": "xtokend has limits.streams_per_address and limits.unauthenticated",
	"log_auth":          "xtokend's log has a line for each refused login",
	"legacyauth":        "it knows no tokens",
	"auth_http_cookie":  "it knows no tokens",
	"tls_policy":        "clients' TLS is xtokend's",
	"net_multiplex":     "it takes clients on ports of its own: take them out of ports, or move them",
}

// leave names what does not come along.
func (m *migration) leave() {
	for _, host := range m.others {
		m.left("%s has no tokens: its clients can no longer connect from other machines, since the clients' port moves to loopback; "+
			"give it tokens too, or a Prosody of its own", host)
	}
	for _, host := range m.tokens {
		for _, name := range m.modules(host) {
			if why, ok := clientModules[name]; ok {
				m.left("module %s of %s: %s", name, host, why)
			}
		}
		m.leaveOptions(host)
		m.leaveAccounts(host)
	}
	main := m.settings.Files[0].Path
	if info, err := os.Stat(main); err == nil && info.Mode().Perm()&0o004 != 0 {
		m.left("every user of this machine can read %s, which holds the component's secret: chmod o= %s", main, main)
	}
	m.left("if systemd holds the ports for clients, xtokend.socket must name those of listen")
	m.left("token_secret and otp_seed stay in Prosody's settings, so that going back is easy: take them out once all works")
}

// leaveAccounts names accounts from the time before tokens: xtokend does not know
// their passwords.
func (m *migration) leaveAccounts(host string) {
	found := map[string]bool{}
	if err := collect(found, storeFolder(m.settings, host, "accounts")); err != nil {
		m.left("accounts of %s that have passwords are not known: %v", host, err)
	}
	if len(found) > 0 {
		names := slices.Sorted(maps.Keys(found))
		if len(names) > 3 {
			names = append(names[:3], "…")
		}
		m.left("accounts of %s with passwords, %d (%s): unless xtokend has made them, before a way back, their users cannot log in with tokens until takeover = true lets it set new ones",
			host, len(found), strings.Join(names, ", "))
	}
}

// leaveOptions names options whose effect ends at Prosody's own client port.
func (m *migration) leaveOptions(host string) {
	if t, ok := m.settings.Get(host, "ssl").(*luaconfig.Table); ok {
		for _, key := range slices.Sorted(maps.Keys(t.Fields)) {
			if key != "certificate" && key != "key" {
				m.left("ssl.%s of %s: clients get xtokend's TLS (1.2 and later, Go's choice of ciphers)", key, host)
			}
		}
	}
	for _, option := range []string{
		"c2s_timeout", "c2s_stanza_size_limit", "c2s_unauthed_stanza_size_limit", "c2s_max_child_elements",
		"allow_unencrypted_plain_auth", "bosh_max_inactivity", "bosh_max_wait",
	} {
		if m.settings.Get(host, option) != nil {
			m.left("%s of %s: it holds between xtokend and Prosody; for clients see [limits]", option, host)
		}
	}
	if paths, ok := m.settings.Get(host, "http_paths").(*luaconfig.Table); ok {
		for _, module := range []string{"bosh", "websocket"} {
			if path, ok := paths.Fields[module].(string); ok && strings.Trim(path, "/") != map[string]string{"bosh": "http-bind", "websocket": "xmpp-websocket"}[module] {
				m.left("http_paths.%s of %s: xtokend serves /http-bind and /xmpp-websocket: have pages, or the web server, use them", module, host)
			}
		}
	}
	for _, option := range []string{"consider_bosh_secure", "consider_websocket_secure"} {
		if m.settings.Get(host, option) == true {
			m.left("%s of %s: the web server before xtokend must send X-Forwarded-For and X-Forwarded-Proto: https", option, host)
		}
	}
}
