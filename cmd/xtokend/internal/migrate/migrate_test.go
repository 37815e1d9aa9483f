package migrate_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"xtokend/cmd/xtokend/internal/config"
	"xtokend/cmd/xtokend/internal/migrate"
	"xtokend/cmd/xtokend/internal/migrate/luaconfig"
	"xtokend/internal/testcert"
)

const inputs = "../../../../testdata/migrate"

// place is a machine to migrate: Prosody's settings and a folder for xtokend's.
type place struct {
	t        *testing.T
	settings string
	folder   string
}

// newPlace copies one of the inputs. All may read it, as Prosody's commands give up
// being root.
func newPlace(t *testing.T, input string) *place {
	t.Helper()
	p := &place{t: t, folder: t.TempDir()}
	source := t.TempDir()
	if err := os.CopyFS(source, os.DirFS(filepath.Join(inputs, input))); err != nil {
		t.Fatal(err)
	}
	for _, folder := range []string{source, filepath.Dir(source)} {
		if err := os.Chmod(folder, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	p.settings = filepath.Join(source, "prosody.cfg.lua")
	return p
}

// newPlaceOf has one file of settings.
func newPlaceOf(t *testing.T, settings string) *place {
	t.Helper()
	p := &place{t: t, folder: t.TempDir(), settings: filepath.Join(t.TempDir(), "prosody.cfg.lua")}
	p.write(p.settings, settings)
	return p
}

func (p *place) write(path, text string) {
	p.t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		p.t.Fatal(err)
	}
}

func (p *place) read(path string) string {
	p.t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		p.t.Fatal(err)
	}
	return string(text)
}

func (p *place) options() migrate.Options {
	return migrate.Options{Path: p.settings, Folder: p.folder}
}

func (p *place) plan() *migrate.Plan {
	p.t.Helper()
	plan, err := migrate.Make(p.options())
	if err != nil {
		p.t.Fatal(err)
	}
	return plan
}

// certificate puts a certificate for names where Prosody looks for it.
func (p *place) certificate(path string, names ...string) {
	p.t.Helper()
	pair, err := testcert.New(testcert.Spec{Names: names})
	if err != nil {
		p.t.Fatal(err)
	}
	path = filepath.Join(filepath.Dir(p.settings), path)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		p.t.Fatal(err)
	}
	p.write(path, string(pair.Certificate))
	p.write(strings.TrimSuffix(path, ".crt")+".key", string(pair.Key))
}

// snapshot returns what all files under the settings' folder and xtokend's hold.
func (p *place) snapshot() map[string]string {
	files := map[string]string{}
	for _, root := range []string{filepath.Dir(p.settings), p.folder} {
		filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
			if err == nil && entry.Type().IsRegular() {
				files[path] = p.read(path)
			}
			return err
		})
	}
	return files
}

// The whole way: nothing is touched before, both programs take what was written, the
// old settings are kept, and a second run finds nothing to do.
func TestMigration(t *testing.T) {
	for _, test := range []struct{ input, certificate, domain, component string }{
		{"debian", "certs/example.org.crt", "example.org", "xtoken.example.org"},
		{"buildout", "certs/localhost.crt", "chat.example.org", "xtoken.chat.example.org"},
	} {
		t.Run(test.input, func(t *testing.T) {
			p := newPlace(t, test.input)
			p.certificate(test.certificate, test.domain)
			before := p.snapshot()
			old, err := luaconfig.Evaluate(p.settings, luaconfig.Options{})
			if err != nil {
				t.Fatal(err)
			}
			plan := p.plan()
			if diff := cmp.Diff(before, p.snapshot()); diff != "" {
				t.Fatalf("a plan has changed files:\n%s", diff)
			}
			if len(plan.ByHand) > 0 {
				t.Errorf("left to be done by hand: %v", plan.ByHand)
			}
			for _, secret := range []string{"JYXEX4IQOEYFYQ2S3MC5P4ZT4SDHYEA7", "5WYRUUTKO7N3TPY3SFSYOAVOJQGDNTCZ", "XVGR73KMZH2M4XMY", "3RWC2IXGF6ZFJTQY"} {
				if strings.Contains(plan.Diff(), secret) {
					t.Errorf("the diff shows the secret %s", secret)
				}
			}
			backups, err := plan.Write()
			if err != nil {
				t.Fatal(err)
			}
			if want := []string{p.settings + ".before-xtokend"}; !slices.Equal(backups, want) || p.read(backups[0]) != before[p.settings] {
				t.Errorf("kept %v, want %v with the text before", backups, want)
			}

			cfg, err := config.Load(filepath.Join(p.folder, "xtokend.toml"), config.Options{Need: config.Everything, Environ: []string{}})
			if err != nil {
				t.Fatalf("xtokend does not take its settings: %v", err)
			}
			if len(cfg.Domains) != 1 || cfg.Domains[0].Name != test.domain || cfg.Domains[0].Component.Name != test.component {
				t.Errorf("xtokend serves %+v", cfg.Domains)
			}
			checkByProsody(t, p.settings)
			now, err := luaconfig.Evaluate(p.settings, luaconfig.Options{})
			if err != nil {
				t.Fatal(err)
			}
			if got := now.Own(test.component, "component_secret"); got != cfg.Domains[0].Component.Secret.Reveal() {
				t.Error("Prosody and xtokend do not have the same secret for the component")
			}
			checkUntouched(t, old, now)

			if _, err := migrate.Make(p.options()); !errors.Is(err, migrate.ErrMigrated) {
				t.Errorf("a second run ends with %v, want ErrMigrated", err)
			}
		})
	}
}

// checkByProsody has Prosody's own command look at settings. It is of the opinion
// that modules for authentication do not belong into modules_enabled, so that it
// sees whether they are out.
func checkByProsody(t *testing.T, path string) {
	t.Helper()
	out, _ := exec.Command("prosodyctl", "--config", path, "check", "config").CombinedOutput() // old options are a failure too
	text := string(out)
	if !strings.Contains(text, "have been loaded:") || strings.Contains(text, "auth_token") || !strings.Contains(text, "Done.") {
		t.Errorf("prosodyctl check config says:\n%s", text)
	}
}

// checkUntouched compares what servers and browsers get: servers' streams and all
// of HTTP are as they were.
func checkUntouched(t *testing.T, old, now *luaconfig.Settings) {
	t.Helper()
	for host := range old.Hosts {
		for option := range old.Hosts[host].Options {
			ours := slices.Contains([]string{
				"authentication", "modules_enabled", "limits", "c2s_require_encryption", "admins",
			}, option)
			if !ours && !cmp.Equal(old.Own(host, option), now.Own(host, option)) {
				t.Errorf("%s of %s has changed from %v to %v", option, host, old.Own(host, option), now.Own(host, option))
			}
		}
	}
	for _, option := range []string{"interfaces", "s2s_ports", "s2s_interfaces", "http_ports", "http_interfaces", "https_ports", "https_interfaces", "modules_disabled"} {
		if !cmp.Equal(old.Own(luaconfig.Global, option), now.Own(luaconfig.Global, option)) {
			t.Errorf("%s has changed", option)
		}
	}
	if sin := "s2sin"; old.Own(luaconfig.Global, "limits") != nil {
		was, is := old.Own(luaconfig.Global, "limits").(*luaconfig.Table), now.Own(luaconfig.Global, "limits").(*luaconfig.Table)
		if !cmp.Equal(was.Fields[sin], is.Fields[sin]) {
			t.Error("the limit of other servers has changed")
		}
	}
}

// A run that has ended half way goes on with the secrets that it had made.
func TestInterruptedMigration(t *testing.T) {
	p := newPlace(t, "debian")
	p.certificate("certs/example.org.crt", "example.org")
	original := p.read(p.settings)
	if _, err := p.plan().Write(); err != nil {
		t.Fatal(err)
	}
	after := p.snapshot()
	p.write(p.settings, original)
	os.Remove(p.settings + ".before-xtokend")
	if _, err := p.plan().Write(); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(after, p.snapshot()); diff != "" {
		t.Errorf("the second run comes to something else:\n%s", diff)
	}
}

// What cannot be changed safely is named with its place and what to write there.
func TestByHand(t *testing.T) {
	p := newPlaceOf(t, `modules_enabled = { "roster", "saslauth", "auth" .. "_token" }
otp_seed, token_secret = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ", "MFRGGZDFMZTWQ2LKNNWG23TPOBYXE43U"
if true then
	authentication = "token"
end
VirtualHost "example.org"
`)
	plan := p.plan()
	var got []string
	for _, b := range plan.ByHand {
		got = append(got, strings.TrimPrefix(b.Place, p.settings)+" "+b.Host+" "+b.Line)
	}
	want := []string{
		`:4 * authentication = "internal_hashed"`,
		`:1 * modules_enabled: take out "auth_token"`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if _, err := plan.Write(); err != nil {
		t.Fatal(err)
	}
	if text := p.read(p.settings); !strings.Contains(text, "c2s_ports = { 5322 }") || !strings.Contains(text, `"auth" .. "_token"`) {
		t.Errorf("the rest is not written, or too much:\n%s", text)
	}
}

// Hosts that a loop makes are left to the administrator, the others are changed.
func TestHostsInALoop(t *testing.T) {
	p := newPlaceOf(t, key+`authentication = "token"
for _, name in ipairs { "a", "b" } do
	VirtualHost (name .. ".example")
end
VirtualHost "c.example"
`)
	plan := p.plan()
	for _, b := range plan.ByHand {
		if b.Host == "c.example" || b.Host == luaconfig.Global || b.Place != p.settings+":3" {
			t.Errorf("left to be done by hand: %+v", b)
		}
	}
	if len(plan.ByHand) != 6 {
		t.Errorf("%d changes are left to be done by hand, want 3 for each of 2 hosts", len(plan.ByHand))
	}
	if _, err := plan.Write(); err != nil {
		t.Fatal(err)
	}
	s, err := luaconfig.Evaluate(p.settings, luaconfig.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if got := luaconfig.Strings(s.Own("c.example", "admins")); !slices.Equal(got, []string{"xtoken.c.example"}) {
		t.Errorf("the admins of c.example are %v", got)
	}
}

// A host that comes to have tokens later is told apart from those of before: a second
// migration would take loopback for where clients connect.
func TestAnotherHostLater(t *testing.T) {
	p := newPlaceOf(t, key+"VirtualHost 'a.example'\n\tauthentication = 'token'\nVirtualHost 'b.example'\n")
	if _, err := p.plan().Write(); err != nil {
		t.Fatal(err)
	}
	p.write(p.settings, p.read(p.settings)+"VirtualHost 'b.example'\n\tauthentication = 'token'\n")
	before := p.snapshot()
	_, err := migrate.Make(p.options())
	if !errors.Is(err, migrate.ErrPartly) || !strings.Contains(err.Error(), "a.example has been migrated before") || !strings.Contains(err.Error(), "but b.example still has") {
		t.Errorf("error %v", err)
	}
	if diff := cmp.Diff(before, p.snapshot()); diff != "" {
		t.Error(diff)
	}
}

// Where a change would come to mean something else there is none at all.
func TestTooMuchOfAProgram(t *testing.T) {
	p := newPlaceOf(t, key+"authentication = 'token'\nVirtualHost 'example.org'\nreturn 1\n")
	before := p.snapshot()
	if _, err := migrate.Make(p.options()); err == nil || !strings.Contains(err.Error(), "too much of a program") {
		t.Errorf("error %v", err)
	}
	if diff := cmp.Diff(before, p.snapshot()); diff != "" {
		t.Error(diff)
	}
}

// Nothing is written over what somebody has changed after the plan was made.
func TestChangedMeanwhile(t *testing.T) {
	p := newPlace(t, "debian")
	plan := p.plan()
	changed := p.read(p.settings) + "-- more\n"
	p.write(p.settings, changed)
	if _, err := plan.Write(); err == nil || p.read(p.settings) != changed {
		t.Errorf("Write: %v; the file must stay as it is", err)
	}
}

// A link stays a link, and modes stay as they are; what is secret is not for all.
func TestWriteKeepsLinksAndModes(t *testing.T) {
	p := newPlace(t, "debian")
	target := filepath.Join(t.TempDir(), "real.cfg.lua")
	if err := os.Rename(p.settings, target); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(target, 0o604); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(target, p.settings); err != nil {
		t.Fatal(err)
	}
	if _, err := p.plan().Write(); err != nil {
		t.Fatal(err)
	}
	if to, err := os.Readlink(p.settings); err != nil || to != target {
		t.Errorf("the link leads to %q, %v", to, err)
	}
	for path, want := range map[string]fs.FileMode{target: 0o604, filepath.Join(p.folder, "component_secret"): 0o640} {
		if info, err := os.Stat(path); err != nil || info.Mode() != want {
			t.Errorf("%s: %v, %v, want mode %v", path, info.Mode(), err, want)
		}
	}
}

// The key is found where an issuer keeps it.
func TestIssuerKey(t *testing.T) {
	for name, text := range map[string]string{
		"secrets.cfg": "[prosody.cfg.lua]\n# prosody_otp_seed = NONE\nprosody_otp_seed = GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ\nprosody_token_secret=MFRGGZDFMZTWQ2LKNNWG23TPOBYXE43U\nreference = ${other:token_secret}\n",
		"zope.conf":   "instancehome /srv/plone\n<product-config collective.converse>\n  otp_seed\tGEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ\n  token_secret MFRGGZDFMZTWQ2LKNNWG23TPOBYXE43U\n</product-config>\ntoken_secret elsewhere\n",
	} {
		t.Run(name, func(t *testing.T) {
			p := newPlaceOf(t, "authentication = 'token'\nVirtualHost 'example.org'\n")
			if _, err := migrate.Make(p.options()); err == nil || !strings.Contains(err.Error(), "example.org has no otp_seed") {
				t.Errorf("without a key: %v", err)
			}
			o := p.options()
			o.Issuers = []string{filepath.Join(p.folder, name)}
			p.write(o.Issuers[0], text)
			plan, err := migrate.Make(o)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := plan.Write(); err != nil {
				t.Fatal(err)
			}
			got := p.read(filepath.Join(p.folder, "otp_seed")) + p.read(filepath.Join(p.folder, "token_secret"))
			if want := "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ\nMFRGGZDFMZTWQ2LKNNWG23TPOBYXE43U\n"; got != want {
				t.Errorf("the key is %q, want %q", got, want)
			}
		})
	}
}

const key = `otp_seed = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ" token_secret = "MFRGGZDFMZTWQ2LKNNWG23TPOBYXE43U" `

// Listeners are where clients connect today.
func TestListeners(t *testing.T) {
	for _, test := range []struct{ name, settings, want string }{
		{"stock", "", `listen = ["xmpp://[::]:5222"]`},
		{"IPv4 alone", `interfaces = "*"`, `listen = ["xmpp://0.0.0.0:5222"]`},
		{"one address, two ports", `c2s_interfaces = { "192.0.2.1" } c2s_ports = { 5222, "5233" }`, `listen = ["xmpp://192.0.2.1:5222", "xmpp://192.0.2.1:5233"]`},
		{"direct TLS", `c2s_direct_tls_ports = 5223`, `listen = ["xmpp://[::]:5222", "xmpps://[::]:5223"]`},
		{"old name of direct TLS", `legacy_ssl_ports = { 5223 }`, `listen = ["xmpp://[::]:5222", "xmpps://[::]:5223"]`},
		{"browsers", `modules_enabled = { "bosh" }`, `listen = ["http://127.0.0.1:5280", "http://[::1]:5280", "https://[::]:5281", "xmpp://[::]:5222"]`},
		{"browsers, and Debian's localhost", `modules_enabled = { "bosh" } http_interfaces = { "127.0.0.1" } VirtualHost "localhost"`,
			`listen = ["http://127.0.0.1:5280", "https://[::]:5281", "xmpp://[::]:5222"]`},
		{"browsers, and tokens for localhost", `authentication = "token" modules_enabled = { "bosh" } http_interfaces = { "127.0.0.1" } VirtualHost "localhost"`,
			`listen = ["http://127.0.0.1:5280", "https://[::]:5281", "xmpp://[::]:5222"]`},
		{"browsers in clear", `modules_enabled = { "websocket" } http_interfaces = { "192.0.2.1" } https_ports = {}`, `listen = ["http://127.0.0.1:5280", "xmpp://[::]:5222"]`},
		{"a server's port in use", `s2s_ports = { 5322 } proxy65_ports = { 5323 }`, `addresses = ["127.0.0.1:5324"]`},
		{"HTTP in use", `modules_enabled = { "bosh", "http_files" }`, `listen = ["http://127.0.0.1:5282", "https://[::]:5443", "xmpp://[::]:5222"]`},
		{"components elsewhere", `component_ports = { 5348 } component_interfaces = { "::1" }`, `address = "[::1]:5348"`},
		{"components at several addresses", `component_interfaces = { "192.0.2.1", "127.0.0.2", "::1" }`, `address = "127.0.0.2:5347"`},
		{"components everywhere", `component_interfaces = { "::", "*" }`, `address = "127.0.0.1:5347"`},
		{"trusted proxies", `trusted_proxies = { "192.0.2.0/24" }`, `trusted_proxies = ["192.0.2.0/24"]`},
		{"pages", `modules_enabled = { "bosh" } cross_domain_bosh = { "https://www.example.org" }`, `allowed_origins = ["https://www.example.org"]`},
		{"addresses for host-meta", `modules_enabled = { "bosh" } http_external_url = "https://chat.example.org/"`,
			`public_urls = ["wss://chat.example.org/xmpp-websocket", "https://chat.example.org/http-bind"]`},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := newPlaceOf(t, key+test.settings+"\nVirtualHost 'example.org'\n\tauthentication = 'token'\n")
			if settings := p.plan().Own[0].After; !strings.Contains(settings, test.want+"\n") {
				t.Errorf("no line %s in\n%s", test.want, settings)
			}
		})
	}
}

// Beside other hosts less is changed, and what they lose is named.
func TestOtherHosts(t *testing.T) {
	p := newPlaceOf(t, key+`modules_enabled = { "register", "invites_register", "admin_adhoc", "bosh" }
VirtualHost "a.example" { authentication = "token" }
VirtualHost "b.example"
	authentication = "token"
	admins = { "ops@b.example" }
	modules_disabled = { "time" }
VirtualHost "c.example"
VirtualHost "off.example"
	authentication = "token" enabled = false
VirtualHost "localhost" { authentication = "token" }
`)
	p.certificate("certs/both.crt", "a.example", "b.example")
	plan := p.plan()
	if want := []string{"a.example", "b.example"}; !slices.Equal(plan.Domains, want) {
		t.Errorf("migrated: %v, want %v", plan.Domains, want)
	}
	if _, err := plan.Write(); err != nil {
		t.Fatal(err)
	}
	s, err := luaconfig.Evaluate(p.settings, luaconfig.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		host, option string
		want         []string
	}{
		{luaconfig.Global, "modules_enabled", []string{"register", "invites_register", "admin_adhoc", "bosh"}},
		{"a.example", "modules_disabled", []string{"bosh", "register", "invites_register"}},
		{"b.example", "modules_disabled", []string{"bosh", "register", "invites_register", "time"}},
		{"a.example", "authentication", []string{"internal_hashed"}},
		{"a.example", "admins", []string{"xtoken.a.example"}},
		{"b.example", "admins", []string{"xtoken.b.example", "ops@b.example"}},
		{"c.example", "admins", nil},
		{"c.example", "modules_disabled", nil},
	} {
		if got := luaconfig.Strings(s.Own(test.host, test.option)); !slices.Equal(got, test.want) {
			t.Errorf("%s of %s is %v, want %v", test.option, test.host, got, test.want)
		}
	}
	left := strings.Join(plan.Left, "\n")
	for _, want := range []string{"c.example has no tokens", "bosh of c.example", "localhost has token authentication beside other hosts"} {
		if !strings.Contains(left, want) {
			t.Errorf("%q is not named:\n%s", want, left)
		}
	}
	cfg, err := config.Load(filepath.Join(p.folder, "xtokend.toml"), config.Options{Need: config.Everything, Environ: []string{}})
	if err != nil {
		t.Fatalf("xtokend does not take its settings: %v", err)
	}
	for i, name := range plan.Domains {
		d := cfg.Domains[i]
		if d.Name != name || d.Component.Secret.Reveal() != s.Own("xtoken."+name, "component_secret") || d.Server.AccountSecret.Reveal() == "" {
			t.Errorf("domain %d is %s with the component %s", i, d.Name, d.Component.Name)
		}
	}
	if cfg.Domains[0].Server.AccountSecret.Reveal() == cfg.Domains[1].Server.AccountSecret.Reveal() {
		t.Error("two domains have one account secret")
	}
}

// What is not carried over is named, with what to do instead.
func TestWhatDoesNotComeAlong(t *testing.T) {
	p := newPlaceOf(t, key+`authentication = "token"
modules_enabled = { "bosh", "limit_auth", "firewall", "invites", "http_altconnect" }
ssl = { protocol = "tlsv1_2+"; certificate = "c.pem"; key = "k.pem" }
c2s_timeout = 60
http_paths = { bosh = "/chat"; websocket = "/xmpp-websocket" }
consider_bosh_secure = true
VirtualHost "example.org"
`)
	left := strings.Join(p.plan().Left, "\n")
	for _, want := range []string{
		"module limit_auth of example.org: xtokend has limits.failed_per_minute_per_address",
		"module firewall of example.org: for Prosody every client comes from 127.0.0.1 now",
		"module invites of example.org: whoever gets an account or a password by it cannot log in",
		"module http_altconnect of example.org: it names Prosody's own /http-bind and /xmpp-websocket: set public_urls",
		"ssl.protocol of example.org: clients get xtokend's TLS",
		"c2s_timeout of example.org: it holds between xtokend and Prosody",
		"http_paths.bosh of example.org: xtokend serves /http-bind and /xmpp-websocket",
		"consider_bosh_secure of example.org: the web server before xtokend must send X-Forwarded-For and X-Forwarded-Proto: https",
	} {
		if !strings.Contains(left, want) {
			t.Errorf("%q is not named:\n%s", want, left)
		}
	}
	if strings.Contains(left, "http_paths.websocket") {
		t.Errorf("what stays as it is is named:\n%s", left)
	}
}

// The modules had other names once.
func TestOldNames(t *testing.T) {
	p := newPlaceOf(t, key+"modules_enabled = { 'auth_hmac', 'roster', 'sasl_hmac' }\nauthentication = 'hmac'\nVirtualHost 'example.org'\n")
	if _, err := p.plan().Write(); err != nil {
		t.Fatal(err)
	}
	s, err := luaconfig.Evaluate(p.settings, luaconfig.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if got := luaconfig.Strings(s.Own(luaconfig.Global, "modules_enabled")); !slices.Equal(got, []string{"roster"}) {
		t.Errorf("modules %v, want roster alone", got)
	}
	if got := s.Get("example.org", "authentication"); got != "internal_hashed" {
		t.Errorf("authentication is %v", got)
	}
}

// A diff shows no secret, not even one that has nothing to do with the change.
func TestDiffHidesSecrets(t *testing.T) {
	p := newPlaceOf(t, key+`authentication = "token"
sql = { password = "of-the-database" }
VirtualHost "example.org"
turn_external_secret = "of-the-relay"
Component "gateway.example.org"
	component_secret = "of-a-gateway"
`)
	diff := p.plan().Diff()
	for _, secret := range []string{"of-the-database", "of-the-relay", "of-a-gateway", "GEZDGNBV", "MFRGGZDF"} {
		if strings.Contains(diff, secret) {
			t.Errorf("%s is shown:\n%s", secret, diff)
		}
	}
	if !strings.Contains(diff, `component_secret = "[secret]"`) {
		t.Errorf("nothing is hidden:\n%s", diff)
	}
}

// A host in a file of its own is changed there.
func TestIncludedHost(t *testing.T) {
	p := newPlaceOf(t, "modules_enabled = { 'roster' }\nInclude 'hosts/*.lua'\n-- end\n")
	host := filepath.Join(filepath.Dir(p.settings), "hosts", "a.lua")
	if err := os.Mkdir(filepath.Dir(host), 0o755); err != nil {
		t.Fatal(err)
	}
	p.write(host, "-- our host\nVirtualHost 'example.org'\n\t"+key+"\n\tauthentication = 'token' -- how\n\tmodules_enabled = {\n\t\t'auth_token', -- tokens\n\t\t'ping',\n\t}\n")
	backups, err := p.plan().Write()
	if err != nil {
		t.Fatal(err)
	}
	if len(backups) != 2 {
		t.Errorf("kept %v, want both files", backups)
	}
	want := "-- our host\nVirtualHost 'example.org'\n\tadmins = { \"xtoken.example.org\" }\n\tc2s_require_encryption = false\n\t" + key +
		"\n\tauthentication = \"internal_hashed\" -- how\n\tmodules_enabled = {\n\t\t\"admin_adhoc\";\n\t\t'ping',\n\t}\n"
	if diff := cmp.Diff(want, p.read(host)); diff != "" {
		t.Error(diff)
	}
	if text := p.read(p.settings); !strings.Contains(text, "nagle = false }\n\nComponent \"xtoken.example.org\"") || !strings.HasSuffix(text, "\n-- end\n") {
		t.Errorf("the first file is\n%s", text)
	}
}

// Accounts that have passwords already are named.
func TestAccountsOfBefore(t *testing.T) {
	data := t.TempDir()
	p := newPlaceOf(t, key+fmt.Sprintf("data_path = %q\nVirtualHost 'example.org'\n\tauthentication = 'token'\n", data))
	accounts := filepath.Join(data, "example%2eorg", "accounts")
	if err := os.MkdirAll(accounts, 0o755); err != nil {
		t.Fatal(err)
	}
	p.write(filepath.Join(accounts, "carol.dat"), "")
	if left := strings.Join(p.plan().Left, "\n"); !strings.Contains(left, "accounts of example.org with passwords, 1 (carol): unless xtokend has made them") {
		t.Errorf("they are not:\n%s", left)
	}
}

// A Prosody that a buildout has made keeps its data beside its settings.
func TestUsersOfABuildout(t *testing.T) {
	root := t.TempDir()
	p := &place{t: t, settings: filepath.Join(root, "etc/prosody/prosody.cfg.lua")}
	roster := filepath.Join(root, "var/lib/prosody/example%2eorg/roster")
	for _, folder := range []string{filepath.Dir(p.settings), roster} {
		if err := os.MkdirAll(folder, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	p.write(p.settings, "VirtualHost 'example.org'\n")
	p.write(filepath.Join(roster, "alice.dat"), "")
	if users, _, err := migrate.Users(p.options(), "example.org"); err != nil || !slices.Equal(users, []string{"alice"}) {
		t.Errorf("users %q, %v, want alice", users, err)
	}
}

// A file that is included twice is changed once.
func TestIncludedTwice(t *testing.T) {
	p := newPlaceOf(t, key+"authentication = 'token'\nInclude 'a.lua'\nInclude 'a.lua'\n")
	host := filepath.Join(filepath.Dir(p.settings), "a.lua")
	p.write(host, "VirtualHost 'example.org'\n")
	if _, err := p.plan().Write(); err != nil {
		t.Fatal(err)
	}
	if text := p.read(host); strings.Count(text, "xtoken.example.org") != 1 {
		t.Errorf("it is\n%s", text)
	}
}

// Users are those who have left something in Prosody's files.
func TestUsers(t *testing.T) {
	data := t.TempDir()
	p := newPlaceOf(t, fmt.Sprintf("data_path = %q\nVirtualHost 'example.org'\n\tstorage = { archive = 'sql' }\n", data))
	for _, name := range []string{"roster/alice.dat", "archive/bob%2esmith.list", "archive/bob%2esmith.list.idx", "archive/alice.list", "roster/j%c3%bcrgen.dat", "roster/bad%zz.dat", "accounts/carol.dat"} {
		path := filepath.Join(data, "example%2eorg", name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		p.write(path, "")
	}
	users, queries, err := migrate.Users(p.options(), "example.org")
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"alice", "bob.smith", "jürgen"}; !slices.Equal(users, want) {
		t.Errorf("users %q, want %q", users, want)
	}
	if len(queries) != 1 || !strings.Contains(queries[0], "host = 'example.org'") {
		t.Errorf("queries %q", queries)
	}
	if _, _, err := migrate.Users(p.options(), "example.net"); err == nil {
		t.Error("a host that is not there has users")
	}
}
