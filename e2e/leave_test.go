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
	rewrite(t, "../contrib/issuers/leave", script, 0o700, "PATH=/usr/local/bin:", "PATH="+filepath.Dir(s.program)+":",
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

// Users who log out of a web site, or are deleted there, leave the chat, and its web
// application can do nothing else to it.
func TestUsersWhoLeaveTheWebSiteLeaveTheChat(t *testing.T) {
	l := newLeave(t)
	l.addAccounts(t)
	l.leaveTheChat(t)
	l.keepOthers(t)
	l.refuseAllElse(t)
}

// addAccounts makes accounts of what Plone's @@xmpp-user-ids prints, beside the running
// program.
func (l *leave) addAccounts(t *testing.T) {
	t.Helper()
	add := exec.CommandContext(l.ctx, l.program, "accounts", "--config", l.accounts, "add")
	add.Stdin = strings.NewReader("# the user ids 'A', 'a' would share the account 'a'\nspace\\20cadet@example.org\nzoë@example.org\n")
	if out, err := add.CombinedOutput(); err != nil || !strings.HasPrefix(string(out), "made: 2, there already: 0, failed: 0") {
		t.Fatalf("%v\n%s", err, out)
	}
	l.mustLogIn(`space\20cadet`, l.issuer.token(`space\20cadet`))
	l.mustLogIn("zoë", l.issuer.token("zoë"))
}

// leaveTheChat has users log out, and others be deleted.
func (l *leave) leaveTheChat(t *testing.T) {
	t.Helper()
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

	for _, name := range []string{`alice\40example.com`, "-v", "a,b"} {
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

// keepOthers has the accounts kept that the script may not remove, or cannot: it says so.
func (l *leave) keepOthers(t *testing.T) {
	t.Helper()
	for _, name := range []string{"admin", "carol", "#1"} {
		l.mustLogIn(name, l.issuer.token(name))
	}
	complaint := l.run(t, 1, "ADMIN\n\uff41dmin\n#1\ncarol\n", "remove")
	if strings.Count(complaint, "the account of admin@example.org is kept") != 2 || !l.hasAccount("admin") {
		t.Errorf("a name that is kept: %s", complaint)
	}
	if !strings.Contains(complaint, "remove the account of #1@example.org by the means of the server") {
		t.Errorf("a name that begins like a comment: %s", complaint)
	}
	if l.hasAccount("carol") {
		t.Error("beside a name that is kept nobody is removed")
	}
	careless := filepath.Join(l.Dir, "careless")
	rewrite(t, l.script, careless, 0o700, "keep='admin'", "keep='operator Admin'")
	strict := l.script
	l.script = careless
	if complaint := l.run(t, 2, "admin\n", "remove"); !strings.Contains(complaint, "small letters") || !l.hasAccount("admin") {
		t.Errorf("a name to keep in capitals: %s", complaint)
	}
	l.script = strict
}

// refuseAllElse asks for what the script must not do. A name that nobody can have is
// refused; others are names and nothing else.
func (l *leave) refuseAllElse(t *testing.T) {
	t.Helper()
	complaint := l.run(t, 1, "alice@example.net\na b\nstrauß\n$(touch${IFS}x)\n--help\n", "revoke")
	if got := strings.Count(complaint, "error: "); got != 3 {
		t.Errorf("%d of 3 names are refused: %s", got, complaint)
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
	if _, err := os.Stat("x"); err == nil {
		os.Remove("x")
		t.Error("what stands in a name or behind a verb was run")
	}

	l.stopFront()
	if complaint := l.run(t, 1, "admin\n", "revoke"); !strings.Contains(complaint, "xtokend: error: ") {
		t.Errorf("without a daemon leave says %q", complaint)
	}
}

func mustEnd(t *testing.T, of *stream) {
	t.Helper()
	for {
		if _, err := of.read(); err != nil {
			return
		}
	}
}
