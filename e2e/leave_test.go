package e2e

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"xtokend/internal/prosody"
	"xtokend/internal/prosodytest"
)

const leaveComponent = "leave.example.org"

// leave is contrib/issuers/leave, as it stands but for what an administrator edits.
type leave struct {
	*site
	script   string
	accounts string // its settings
}

func newLeave(t *testing.T) *leave {
	t.Helper()
	const running = "xtoken.example.org"
	server := prosodytest.Start(t, prosody.Options{
		TLS: true, NotAdmin: true, GlobalLines: noOtherServers,
		HostLines: `admins = { "` + running + `", "` + leaveComponent + `" }`,
		MoreHosts: `Component "` + leaveComponent + `"` + "\ncomponent_secret = \"the-secret-for-leaving\"\n",
	})
	s := newSiteBehind(t, server, nil)
	settings, err := s.WriteSettings()
	if err != nil {
		t.Fatal(err)
	}
	accounts := filepath.Join(s.Dir, "leave.toml")
	rewrite(t, settings, accounts, 0o600, running, leaveComponent, server.ComponentSecret, "the-secret-for-leaving")
	script := filepath.Join(s.Dir, "leave")
	rewrite(t, "../contrib/issuers/leave", script, 0o700, "/usr/local/bin/xtokend", s.program,
		"/run/xtokend/admin.sock", s.Admin, "/etc/xtokend/leave.toml", accounts)
	return &leave{s, script, accounts}
}

// rewrite copies a text with each of the pairs replaced, which must be in it.
func rewrite(t *testing.T, from, to string, mode os.FileMode, pairs ...string) {
	t.Helper()
	text, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(pairs); i += 2 {
		if !bytes.Contains(text, []byte(pairs[i])) {
			t.Fatalf("%s does not hold %q", from, pairs[i])
		}
	}
	if err := os.WriteFile(to, []byte(strings.NewReplacer(pairs...).Replace(string(text))), mode); err != nil {
		t.Fatal(err)
	}
}

// run runs the script with names on standard input and returns what it complains of.
func (l *leave) run(t *testing.T, status int, names string, arguments ...string) string {
	t.Helper()
	cmd := exec.CommandContext(l.ctx, l.script, arguments...)
	cmd.Stdin = strings.NewReader(names)
	var complaints bytes.Buffer
	cmd.Stderr = &complaints
	out, _ := cmd.Output()
	if got := cmd.ProcessState.ExitCode(); got != status {
		t.Fatalf("leave %q ended with exit status %d, want %d:\n%s%s", arguments, got, status, out, complaints.String())
	}
	if len(out) > 0 {
		t.Errorf("leave %q prints %q", arguments, out)
	}
	return complaints.String()
}

// What Plone's @@xmpp-user-ids prints, beside the running program.
func TestAccountsAreMadeOfAListOfUserIDs(t *testing.T) {
	l := newLeave(t)
	add := exec.CommandContext(l.ctx, l.program, "accounts", "--config", l.accounts, "add")
	add.Stdin = strings.NewReader("# the user ids 'A', 'a' would share the account 'a'\nspace\\20cadet@example.org\nzoë@example.org\n")
	if out, err := add.CombinedOutput(); err != nil || !strings.HasPrefix(string(out), "made: 2, there already: 0, failed: 0") {
		t.Fatalf("%v\n%s", err, out)
	}
	l.mustLogIn(`space\20cadet`, l.issuer.token(`space\20cadet`))
	l.mustLogIn("zoë", l.issuer.token("zoë"))
}

// Users who log out of a web site, or are deleted there, leave the chat.
func TestUsersWhoLeaveTheWebSiteLeaveTheChat(t *testing.T) {
	l := newLeave(t)
	alice := l.mustBind("alice", l.service("xmpps"))
	bob := l.mustBind("bob", l.service("xmpps"))
	unused := l.issuer.token("alice")

	l.run(t, 0, "alice\nwho-was-never-here\n", "revoke")
	mustEnd(t, alice)
	l.mustRefuse("alice", unused, "credentials-expired")
	if !l.hasAccount("alice") {
		t.Error("alice has lost her account")
	}
	l.ping(t, bob)

	for _, name := range []string{`space\20cadet`, `alice\40example.com`, "-v", "a,b"} {
		l.mustLogIn(name, l.issuer.token(name))
	}
	l.run(t, 0, "bob\nspace\\20cadet\nalice\\40example.com\n-v\na,b\nwho-was-never-here", "remove")
	mustEnd(t, bob)
	for _, name := range []string{"bob", `space\20cadet`, `alice\40example.com`, "-v", "a,b"} {
		if l.hasAccount(name) {
			t.Errorf("%s still has an account", name)
		}
	}
	if !l.hasAccount("alice") {
		t.Error("alice has lost her account, who was not named")
	}
}

func TestLeavingIsAllThatTheWebSiteMayDo(t *testing.T) {
	l := newLeave(t)
	for _, name := range []string{"admin", "carol"} {
		l.mustLogIn(name, l.issuer.token(name))
	}
	complaint := l.run(t, 1, "ADMIN\n\uff41dmin\ncarol\n", "remove")
	if strings.Count(complaint, "the account of admin@example.org is kept") != 2 || !l.hasAccount("admin") {
		t.Errorf("a name that is kept: %s", complaint)
	}
	if l.hasAccount("carol") {
		t.Error("beside a name that is kept nobody is removed")
	}
	for _, name := range []string{"alice@example.net", "a b", "strauß", "$(touch x)", "--help"} {
		t.Run(name, func(t *testing.T) { l.runName(t, name) })
	}
	for _, arguments := range [][]string{{}, {"drain"}, {"ssh"}, {"revoke; drain"}} {
		if complaint := l.run(t, 2, "carol\n", arguments...); !strings.Contains(complaint, "usage") {
			t.Errorf("leave %q says %q", arguments, complaint)
		}
	}
	t.Setenv("SSH_ORIGINAL_COMMAND", "remove; touch x")
	l.run(t, 2, "carol\n", "ssh")
	t.Setenv("SSH_ORIGINAL_COMMAND", "revoke")
	l.run(t, 0, "carol\n", "ssh")

	l.stopFront()
	if complaint := l.run(t, 1, "admin\n", "revoke"); !strings.Contains(complaint, "xtokend: error: ") {
		t.Errorf("without a daemon leave says %q", complaint)
	}
}

// runName has a name that is nobody's refused, or taken as a name and nothing else.
func (l *leave) runName(t *testing.T, name string) {
	t.Helper()
	status := 1
	if name == "--help" {
		status = 0
	}
	l.run(t, status, name+"\n", "remove")
}

func mustEnd(t *testing.T, of *stream) {
	t.Helper()
	for {
		if _, err := of.read(); err != nil {
			return
		}
	}
}
