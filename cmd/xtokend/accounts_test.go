package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"xtokend/internal/prosody"
	"xtokend/internal/prosodytest"
	"xtokend/internal/stockserver"
	"xtokend/internal/stockserver/stockservertest"
)

// site is a server and the settings for it.
type site struct {
	server *stockserver.Server
	config string
}

func newSite(t *testing.T, o prosody.Options) *site {
	t.Helper()
	s := &site{server: prosodytest.Start(t, o), config: filepath.Join(t.TempDir(), "xtokend.toml")}
	s.write(t, s.server.ComponentSecret)
	return s
}

func (s *site) write(t *testing.T, componentSecret string) {
	t.Helper()
	text := fmt.Sprintf(`listen = ["xmpp://127.0.0.1:0"]
[[domain]]
name = %q
[[domain.key]]
[domain.server]
addresses = [%q]
account_secret = "an-account-secret-of-32-or-more-characters"
[domain.component]
address = %q
name = %q
secret = %q
`, s.server.Domain, s.server.C2S, s.server.Component, s.server.ComponentName, componentSecret)
	if err := os.WriteFile(s.config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// accounts runs the command with names on standard input.
func (s *site) accounts(t *testing.T, stdin string, args ...string) (stdout, stderr string, status int) {
	t.Helper()
	command := exec.CommandContext(t.Context(), "xtokend", append([]string{"accounts", "--config", s.config}, args...)...)
	var out, said strings.Builder
	command.Stdin, command.Stdout, command.Stderr = strings.NewReader(stdin), &out, &said
	status = exitStatus(command.Run())
	return out.String(), said.String(), status
}

func TestAccounts(t *testing.T) {
	s := newSite(t, prosody.Options{})
	if err := s.server.Register(t.Context(), "carol", "her own password"); err != nil {
		t.Fatal(err)
	}

	stdout, stderr, status := s.accounts(t, "# colleagues\n\nalice\n  Bob@example.org  \r\njürgen\n", "add")
	if stdout != "made: 3, there already: 0, failed: 0\n" || stderr != "" || status != exitOK {
		t.Fatalf("add: %q, %q, exit status %d", stdout, stderr, status)
	}
	for _, name := range []string{"alice", "bob", "jürgen"} {
		if !stockservertest.HasAccount(t, s.server, name) {
			t.Errorf("%s has no account", name)
		}
	}

	// Again, with names that fail; those after them are made all the same.
	stdout, stderr, status = s.accounts(t, "alice\nstrauß\ncarol\ndave@example.net\ndave", "add")
	if stdout != "made: 1, there already: 1, failed: 3\n" || status != exitFailure {
		t.Errorf("add again: %q, exit status %d", stdout, status)
	}
	for _, want := range []string{
		`xtokend: error: line 2: "strauß" cannot be the name of a user`,
		`xtokend: error: line 3: carol@example.org: the account exists, with a password that xtokend has not set`,
		`xtokend: error: line 4: "dave@example.net" is not an account of example.org`,
	} {
		if !strings.Contains(stderr, want) {
			t.Errorf("standard error has no %q:\n%s", want, stderr)
		}
	}
	if !stockservertest.HasAccount(t, s.server, "dave") {
		t.Error("dave has no account")
	}

	stdout, stderr, status = s.accounts(t, "alice\nnobody\n", "remove")
	if stdout != "removed: 1, not there: 1, failed: 0\n" || stderr != "" || status != exitOK {
		t.Errorf("remove: %q, %q, exit status %d", stdout, stderr, status)
	}
	if stockservertest.HasAccount(t, s.server, "alice") {
		t.Error("alice still has an account")
	}

	// Prosody has no command that lists accounts.
	stdout, stderr, status = s.accounts(t, "", "list")
	if stdout != "" || !strings.Contains(stderr, "prosodyctl") || status != exitFailure {
		t.Errorf("list: %q, %q, exit status %d", stdout, stderr, status)
	}

	stdout, stderr, status = s.accounts(t, "erin\n"+strings.Repeat("x", maxNameBytes+1), "add")
	if stdout != "made: 1, there already: 0, failed: 0\n" || !strings.Contains(stderr, "line 2 of standard input") || status != exitFailure {
		t.Errorf("a long line: %q, %q, exit status %d", stdout, stderr, status)
	}
}

func TestAccountsOfARunningXtokend(t *testing.T) {
	s := newSite(t, prosody.Options{})
	// The first command holds the name until its standard input ends.
	names, hold, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer names.Close()
	first := exec.CommandContext(t.Context(), "xtokend", "accounts", "--config", s.config, "add")
	first.Stdin = names
	said, err := first.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := first.Start(); err != nil {
		t.Fatal(err)
	}
	// It looks at names once the link is up, and complains of this one.
	if _, err := hold.WriteString("strauß\n"); err != nil {
		t.Fatal(err)
	}
	if _, err := said.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}

	stdout, stderr, status := s.accounts(t, "bob\n", "add")
	if stdout != "" || status != exitFailure || !strings.Contains(stderr, "another component is connected as "+s.server.ComponentName) ||
		!strings.Contains(stderr, "xtokend: hint: a running xtokend holds this name: stop it meanwhile, or") {
		t.Errorf("%q, %q, exit status %d", stdout, stderr, status)
	}

	hold.Close()
	if status := exitStatus(first.Wait()); status != exitFailure {
		t.Errorf("the first command: exit status %d", status)
	}
}

func TestAccountsThatCannotBeReached(t *testing.T) {
	s := newSite(t, prosody.Options{})
	s.write(t, "not-the-components-secret")
	stdout, stderr, status := s.accounts(t, "alice\n", "add")
	if stdout != "" || !strings.Contains(stderr, "refuses the component secret") || status != exitFailure {
		t.Errorf("wrong secret: %q, %q, exit status %d", stdout, stderr, status)
	}
	if strings.Contains(stderr, "not-the-components-secret") {
		t.Error("the secret is shown")
	}
	s.write(t, s.server.ComponentSecret)
	if err := s.server.Kill(); err != nil {
		t.Fatal(err)
	}
	stdout, stderr, status = s.accounts(t, "alice\n", "add")
	if stdout != "" || !strings.Contains(stderr, "connection refused") || !strings.Contains(stderr, "hint: see that the server runs") || status != exitFailure {
		t.Errorf("no server: %q, %q, exit status %d", stdout, stderr, status)
	}
}

func TestAccountsWithoutRights(t *testing.T) {
	s := newSite(t, prosody.Options{NotAdmin: true})
	stdout, stderr, status := s.accounts(t, "alice\nbob\n", "add")
	if stdout != "made: 0, there already: 0, failed: 2\n" || strings.Count(stderr, "is no administrator of example.org") != 2 || status != exitFailure {
		t.Errorf("%q, %q, exit status %d", stdout, stderr, status)
	}
}
