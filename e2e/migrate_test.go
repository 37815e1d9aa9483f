package e2e

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"xtokend/internal/installation"
	"xtokend/internal/prosody"
	"xtokend/internal/prosodytest"
	"xtokend/internal/stockserver"
	"xtokend/internal/stockserver/stockservertest"
)

// migrationTimeout bounds all that is done with one server, before and after.
const migrationTimeout = 5 * time.Minute

// migration is a Prosody that verifies tokens by Lua modules, and the site that it
// becomes.
type migration struct {
	*site
	folder string // of Prosody's files
	own    string // of xtokend's
	behind prosody.Program
}

// What an administrator has who has followed the modules' README becomes, by one
// command, a pair of programs that serves the same users at the same ports, with all
// that they had.
func TestAMigratedServerServesItsUsersAsBefore(t *testing.T) {
	for _, test := range []struct {
		name     string
		settings func(*migration) string
		resumes  bool   // the server has stream management
		scheme   string // how the users chat
		browser  bool
	}{
		{"Debian's settings and the lines of the README", debianSettings, true, "ws", false},
		{"settings that a buildout has made", buildoutSettings, false, "http", true},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			m := newMigration(t, test.settings)
			m.useBefore(test.resumes)
			m.migrate()
			m.startFront()
			to := m.service(test.scheme)

			// Bob has not been there since: he has an account all the same.
			alice := m.onlineBy(strophe, "alice", to)
			if roster, want := alice.roster(), []rosterItem{{"bob@" + domain, "Bob of before", "none"}}; !slices.Equal(roster, want) {
				t.Errorf("alice's roster is %+v, want %+v", roster, want)
			}
			var archive struct{ Messages []struct{ Body string } }
			alice.do("archive", map[string]any{"with": "bob@" + domain}, &archive)
			if len(archive.Messages) != 1 || archive.Messages[0].Body != "said before" {
				t.Errorf("alice's archive is %+v", archive.Messages)
			}
			alice.do("message", map[string]any{"to": "bob@" + domain, "body": "are you there?"}, nil)
			bob := m.onlineBy(strophe, "bob", to)
			bob.awaitMessage("are you there?")

			meet(alice, bob)
			converse(alice, bob)
			alice.do("stop", nil, nil)
			for _, service := range m.streamServices() {
				m.logInByClient(t, xmppClient, service)
			}
			for _, scheme := range []string{"http", "https"} {
				m.logInByClient(t, strophe, m.service(scheme))
			}
			token := m.issuer.token("alice")
			m.mustLogIn("alice", token)
			m.mustRefuse("alice", token, "not-authorized")
			m.mustKeepPasswords()
			if test.browser {
				w := newPages(t)
				w.site, w.browser = m.site, newBrowser(t)
				chatInBrowser(t, w, to)
			}
		})
	}
}

// machine is what differs from an administrator's machine: folders, users and ports.
const machine = `
run_as_root = %t
data_path = %q
interfaces = { %q }
http_interfaces = { %[3]q }
component_interfaces = { %[3]q }
c2s_ports = { %[4]s }
c2s_direct_tls_ports = { %s }
http_ports = { %s }
https_ports = { %s }
component_ports = { %s }
s2s_ports = {}
`

// newMigration writes the settings of a Prosody whose clients connect where those of
// the site will. It holds the issuer's key.
func newMigration(t *testing.T, settings func(*migration) string) *migration {
	t.Helper()
	program, err := xtokend()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), migrationTimeout)
	t.Cleanup(cancel)
	m := &migration{folder: t.TempDir(), own: t.TempDir()}
	server, host := stockserver.New(m.folder, domain), loopbackHost()
	i, err := installation.New(t.TempDir(), server, host)
	if err != nil {
		t.Fatal(err)
	}
	if err := stockserver.FreeAddresses(host.String(), &i.ComponentAddress); err != nil {
		t.Fatal(err)
	}
	m.site = newSite(ctx, t, i, program)
	m.tls = m.clientTLS()
	m.issuer = newIssuer(t, i, "")
	m.behind = prosody.Program{Settings: m.file("prosody.cfg.lua"), Data: m.file("data"), Log: m.file("prosody.log"), Domain: domain}
	for name, from := range map[string]string{"example.org.crt": i.CertificateFile(), "example.org.key": i.KeyFile()} {
		m.write("certs/"+name, readFile(t, from))
	}
	port := stockserver.Port
	here := fmt.Sprintf(machine, os.Geteuid() == 0, m.behind.Data, host.String(), port(i.StartTLS), port(i.DirectTLS), port(i.HTTP), port(i.HTTPS), port(i.ComponentAddress))
	m.write("prosody.cfg.lua", edit(t, settings(m), "\nVirtualHost ", here+"\nVirtualHost "))
	stockservertest.EndWith(t, server)
	server.C2S = i.StartTLS
	m.startServer()
	return m
}

func (m *migration) file(name string) string { return filepath.Join(m.folder, name) }

func (m *migration) write(name, text string) {
	m.t.Helper()
	if err := os.MkdirAll(filepath.Dir(m.file(name)), 0o755); err != nil {
		m.t.Fatal(err)
	}
	if err := os.WriteFile(m.file(name), []byte(text), 0o640); err != nil {
		m.t.Fatal(err)
	}
}

func (m *migration) startServer() {
	m.t.Helper()
	if err := m.Server.Start(m.ctx, m.behind); err != nil {
		m.t.Fatal(err)
	}
}

// debianSettings are those of Debian's package, with what the README of the two modules
// has one add.
func debianSettings(m *migration) string {
	// Root and the group prosody may read them.
	m.write("conf.d/localhost.cfg.lua", readFile(m.t, "/etc/prosody/conf.avail/localhost.cfg.lua"))
	return edit(m.t, readFile(m.t, "/etc/prosody/prosody.cfg.lua"),
		"modules_enabled = {\n", "modules_enabled = {\n-- Token authentication\n\t\"auth_token\";\n\t\"sasl_token\";\n",
		`authentication = "internal_hashed"`, fmt.Sprintf("authentication = \"token\";\ntoken_secret = %q;\notp_seed = %q;", m.TokenSecret, m.OTPSeed),
		`"/usr/local/lib/prosody/modules"`, fmt.Sprintf("%q", prosodytest.TokenModules(m.t)),
		`--"mam"`, `"mam"`, `--"bosh"`, `"bosh"`, `--"websocket"`, `"websocket"`,
		`--VirtualHost "example.com"`, `VirtualHost "example.org"`,
		`--Component "conference.example.com"`, `Component "conference.example.org"`, `--modules_enabled = { "muc_mam" }`, `modules_enabled = { "muc_mam" }`,
		"/run/prosody/prosody.pid", m.file("prosody.pid"),
		"/var/log/prosody/prosody.log", m.behind.Log,
		"/var/log/prosody/prosody.err", m.file("prosody.err"),
	)
}

// buildoutSettings are those that collective.converse's buildout makes of its template.
func buildoutSettings(m *migration) string {
	for _, kind := range []string{".crt", ".key"} {
		m.write("certs/localhost"+kind, readFile(m.t, m.file("certs/example.org"+kind)))
	}
	return edit(m.t, readFile(m.t, "../testdata/migrate/buildout/prosody.cfg.lua"),
		"5WYRUUTKO7N3TPY3SFSYOAVOJQGDNTCZ", m.TokenSecret,
		"3RWC2IXGF6ZFJTQY", m.OTPSeed,
		`"/srv/plone/src/prosody-modules/mod_auth_token"`, fmt.Sprintf("%q", prosodytest.TokenModules(m.t)),
		"/srv/plone/var/run/prosody.pid", m.file("prosody.pid"),
		"/srv/plone/var/log/prosody.log", m.behind.Log,
		"/srv/plone/var/log/prosody.err", m.file("prosody.err"),
		`VirtualHost "chat.example.org"`, `VirtualHost "example.org"`,
		"conference.chat.example.org", "conference.example.org",
		"pubsub.chat.example.org", "pubsub.example.org",
	)
}

// edit replaces the first of each pair, which must be there, by the second.
func edit(t testing.TB, text string, pairs ...string) string {
	t.Helper()
	for i := 0; i < len(pairs); i += 2 {
		if !strings.Contains(text, pairs[i]) {
			t.Fatalf("the settings do not hold %q:\n%s", pairs[i], text)
		}
		text = strings.Replace(text, pairs[i], pairs[i+1], 1)
	}
	return text
}

// useBefore lets users leave something on the server while it has the modules. As in
// [site.onlineBy], a client must not go on before its session can be resumed.
func (m *migration) useBefore(resumes bool) {
	m.t.Helper()
	logIn := func(user string) *chatClient {
		c := m.chatClient(xmppClient, user)
		connection := m.connection(user, m.service("xmpp"))
		connection["mechanism"] = "PLAIN"
		var online struct{ JID string }
		c.do("connect", connection, &online)
		if resumes {
			c.await("enabled", nil)
		}
		c.do("presence", nil, nil)
		c.awaitStanza("presence", func(p stanza) bool { return p.From == online.JID })
		return c
	}
	alice, bob := logIn("alice"), logIn("bob")
	alice.do("rosterSet", map[string]any{"jid": "bob@" + domain, "name": "Bob of before"}, nil)
	alice.do("message", map[string]any{"to": "bob@" + domain, "body": "said before"}, nil)
	bob.awaitMessage("said before")
	alice.do("stop", nil, nil)
	bob.do("stop", nil, nil)
	for _, user := range []string{"alice", "bob"} {
		if m.hasAccount(user) {
			m.t.Errorf("%s has an account before the migration", user)
		}
	}
}

// migratedServer is a Prosody whose settings the command has made of Debian's with the
// lines of the README, and which serves nobody but xtokend.
func migratedServer(t *testing.T) *stockserver.Server {
	t.Helper()
	m := newMigration(t, debianSettings)
	if err := m.Server.MakeCertificate(); err != nil { // for clients that go behind xtokend's back
		t.Fatal(err)
	}
	for name, from := range map[string]string{"example.org.crt": m.Server.CertificateFile(), "example.org.key": m.Server.KeyFile()} {
		m.write("certs/"+name, readFile(t, from))
	}
	m.migrateServer()
	return m.Server
}

// migrateServer has the command write the settings of both, and starts the server with
// its own. It returns what the command tells.
func (m *migration) migrateServer() (told string) {
	m.t.Helper()
	if err := m.Server.Stop(m.ctx); err != nil {
		m.t.Fatal(err)
	}
	var relay string
	if err := stockserver.FreeAddresses("127.0.0.1", &relay); err != nil { // where the command moves the port to
		m.t.Fatal(err)
	}
	told = m.run("", "migrate", "--write", "--folder", m.own, "--server-port", stockserver.Port(relay), m.behind.Settings)
	m.Server.C2S, m.Server.Component = relay, m.ComponentAddress
	m.Server.ComponentSecret = strings.TrimSpace(readFile(m.t, filepath.Join(m.own, "component_secret")))
	m.startServer()
	return told
}

// migrate does what the command says, in its order, up to the start of xtokend.
func (m *migration) migrate() {
	m.t.Helper()
	told := m.migrateServer()
	m.AccountSecret = strings.TrimSpace(readFile(m.t, filepath.Join(m.own, "account_secret")))
	m.forbid(m.Secrets)
	m.forbid(m.issuer.secrets)
	m.forbid(m.accountPasswords("alice", "bob"))
	for _, secret := range heldBy([]byte(told), m.Secrets()) {
		m.t.Errorf("the command tells the secret %s", secret)
	}

	// This machine's own folders are not a test's.
	m.settings = filepath.Join(m.own, "xtokend.toml")
	m.Admin = filepath.Join(buildDir, "m"+stockserver.Port(m.Server.C2S)) // the path of a socket must be short
	settings := edit(m.t, readFile(m.t, m.settings), "unix:/run/xtokend/admin.sock", "unix:"+m.Admin, "/var/lib/xtokend", m.own)
	if err := os.WriteFile(m.settings, []byte(fmt.Sprintf("metrics = %q\n", m.Metrics)+settings), 0o600); err != nil {
		m.t.Fatal(err)
	}
	m.t.Cleanup(m.checkLogs)
	users := m.run("", "migrate", "--users", domain, m.behind.Settings)
	if users != "alice\nbob\n" {
		m.t.Fatalf("users %q, want alice and bob", users)
	}
	if made := m.run(users, "accounts", "--config", m.settings, "add"); made != "made: 2, there already: 0, failed: 0\n" {
		m.t.Fatalf("accounts add: %q", made)
	}
}

// mustKeepPasswords fails the test if a user can change the password of an account
// (XEP-0077 §3.3), which xtokend alone should know.
func (m *migration) mustKeepPasswords() {
	m.t.Helper()
	alice := m.mustBind("alice", m.service("xmpp"))
	err := alice.write("<iq xmlns='jabber:client' type='set' id='mine'><query xmlns='jabber:iq:register'><username>alice</username><password>mine</password></query></iq>")
	for err == nil {
		var answer element
		if answer, err = alice.read(); err == nil && answer.attribute("id") == "mine" {
			if kind := answer.attribute("type"); kind != "error" {
				m.t.Errorf("a new password is answered with type=%q", kind)
			}
			return
		}
	}
	m.t.Fatal(err)
}

// run runs a command that must succeed, and returns what it prints.
func (m *migration) run(stdin string, command ...string) string {
	m.t.Helper()
	cmd := exec.CommandContext(m.ctx, m.site.program, command...)
	var complaints strings.Builder
	cmd.Stdin, cmd.Stderr = strings.NewReader(stdin), &complaints
	out, err := cmd.Output()
	if err != nil {
		m.t.Fatalf("xtokend %s: %v\n%s%s", command[0], err, out, complaints.String())
	}
	return string(out)
}
