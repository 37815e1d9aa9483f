package migrate

import (
	"bufio"
	"fmt"
	"os"
	"strings"

	"xtokend/cmd/xtokend/internal/migrate/luaconfig"
)

// issuerKey is what the issuer of tokens and their verifier share.
type issuerKey struct{ seed, secret string }

// key returns the key of a host: from Prosody's settings, else from the issuer's.
func (m *migration) key(host string) (issuerKey, error) {
	var k issuerKey
	k.seed, _ = m.settings.Get(host, "otp_seed").(string)
	k.secret, _ = m.settings.Get(host, "token_secret").(string)
	for _, path := range m.Issuers {
		if k.seed != "" && k.secret != "" {
			break
		}
		found, err := readIssuer(path)
		if err != nil {
			return k, err
		}
		// Seed and secret of one key belong together.
		if found.seed != "" && found.secret != "" {
			k = found
		}
	}
	for _, missing := range []struct{ option, value string }{{"otp_seed", k.seed}, {"token_secret", k.secret}} {
		if missing.value == "" {
			return k, fmt.Errorf("%s has no %s: name the issuer's settings with --issuer", host, missing.option)
		}
	}
	return k, nil
}

// maxIssuerBytes bounds a file of the issuer's.
const maxIssuerBytes = 1 << 20

// readIssuer finds a key in a buildout's file ("name = value" in any section) or in
// a zope.conf ("name value" in a product-config section).
func readIssuer(path string) (issuerKey, error) {
	f, err := os.Open(path)
	if err != nil {
		return issuerKey{}, err
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() || info.Size() > maxIssuerBytes {
		return issuerKey{}, fmt.Errorf("%s is no file of settings", path)
	}
	var k issuerKey
	product := false
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, maxIssuerBytes)
	for lines.Scan() {
		line := strings.TrimSpace(lines.Text())
		switch {
		case line == "" || line[0] == '#' || line[0] == ';':
			continue
		case strings.HasPrefix(line, "<product-config"):
			product = true
			continue
		case strings.HasPrefix(line, "</product-config"):
			product = false
			continue
		}
		name, value, ok := strings.Cut(line, "=")
		if product {
			name, value, ok = strings.Cut(strings.ReplaceAll(line, "\t", " "), " ")
		}
		if !ok {
			continue
		}
		k.take(name, value)
	}
	return k, lines.Err()
}

// take keeps a value if its name is that of a seed or secret. Names have prefixes,
// as in prosody_otp_seed.
func (k *issuerKey) take(name, value string) {
	name = strings.ToLower(strings.ReplaceAll(strings.TrimSpace(strings.TrimRight(name, "+ ")), "-", "_"))
	value = strings.Trim(strings.TrimSpace(value), `"'`)
	if value == "" || strings.Contains(value, "${") {
		return // a buildout's reference to another place
	}
	switch {
	case strings.HasSuffix(name, "otp_seed"):
		k.seed = value
	case strings.HasSuffix(name, "token_secret"):
		k.secret = value
	}
}

// own makes xtokend's files.
func (m *migration) own() error {
	var domains strings.Builder
	for _, host := range m.tokens {
		k, err := m.key(host)
		if err != nil {
			return err
		}
		m.domain(&domains, host, k)
	}
	var b strings.Builder
	b.WriteString("# Made by `xtokend migrate` of Prosody's settings. What each setting means is in the\n# annotated example that comes with the program.\n\n")
	fmt.Fprintf(&b, "listen = %s\n", list(m.listen()))
	m.web(&b)
	m.tls(&b)
	b.WriteString(domains.String())
	b.WriteString("\n[replay]\nstore = \"file\"\npath = \"/var/lib/xtokend/replay.db\"\n")
	return m.settingsFile(b.String())
}

// web writes what is for browsers.
func (m *migration) web(b *strings.Builder) {
	b.WriteString("admin = \"unix:/run/xtokend/admin.sock\"\n")
	if proxies := luaconfig.Strings(m.settings.Own(luaconfig.Global, "trusted_proxies")); proxies != nil {
		fmt.Fprintf(b, "trusted_proxies = %s\n", list(proxies))
	}
	if m.forBrowsers() {
		fmt.Fprintf(b, "allowed_origins = %s\n", list(m.origins()))
	}
}

// origins returns the pages that may connect. Prosody answers those of any origin
// unless it is told otherwise.
func (m *migration) origins() []string {
	for _, option := range []string{"access_control_allow_origins", "cross_domain_bosh", "cross_domain_websocket"} {
		if t, ok := m.settings.Own(luaconfig.Global, option).(*luaconfig.Table); ok && len(t.List) > 0 {
			return luaconfig.Strings(t)
		}
	}
	m.left(`allowed_origins = ["*"]: pages of any site may connect, as with Prosody; name those that may, such as https://www.example.org`)
	return []string{"*"}
}

// tls writes the certificate: xtokend shows one for all domains.
func (m *migration) tls(b *strings.Builder) {
	certificate, key, ok := "", "", false
	for _, host := range m.tokens {
		c, k, found := m.certificate(host)
		switch {
		case !found:
			m.left("no certificate for %s was found: put the chain and its key where [tls] says", host)
		case !ok:
			certificate, key, ok = c, k, true
		case c != certificate:
			m.left("%s has a certificate of its own, %s: xtokend shows one for all domains, have %s cover this one", host, c, certificate)
		}
	}
	if !ok {
		certificate, key = "/etc/xtokend/fullchain.pem", "/etc/xtokend/privkey.pem"
	} else {
		m.left("the certificate's key is read where Prosody has it, %s: the user xtokend must be able to read it (usermod -aG prosody xtokend, say)", key)
	}
	fmt.Fprintf(b, "\n[tls]\ncertificate = %s\nkey = %s\n", quote(certificate), quote(key))
}

// domain writes the tables of one domain.
func (m *migration) domain(b *strings.Builder, host string, k issuerKey) {
	seed, _ := m.secretFile(m.secretName(host, "otp_seed"), k.seed)
	secret, _ := m.secretFile(m.secretName(host, "token_secret"), k.secret)
	account, _ := m.secretFile(m.secretName(host, "account_secret"), "")
	fmt.Fprintf(b, "\n[[domain]]\nname = %s\n", quote(host))
	if urls := m.publicURLs(host); urls != nil {
		fmt.Fprintf(b, "public_urls = %s\n", list(urls))
	}
	fmt.Fprintf(b, "\n[[domain.key]]\notp_seed_file = %s\ntoken_secret_file = %s\n", quote(seed), quote(secret))
	fmt.Fprintf(b, "\n[domain.server]\naddresses = [\"127.0.0.1:%d\"]\naccount_secret_file = %s\n", m.c2sPort, quote(account))
	fmt.Fprintf(b, "\n[domain.component]\naddress = %s\nname = %s\nsecret_file = %s\n",
		quote(m.componentAddress()), quote(m.componentName(host)), quote(m.secretPath(host, "component_secret")))
}
