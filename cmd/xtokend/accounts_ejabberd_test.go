package main

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"xtokend/internal/ejabberd"
	"xtokend/internal/ejabberdtest"
)

func TestAccountsOfEjabberd(t *testing.T) {
	s := &site{server: ejabberdtest.Start(t, ejabberd.Options{}), config: filepath.Join(t.TempDir(), "xtokend.toml")}
	s.write(t, s.server.ComponentSecret)
	if err := s.server.Register(t.Context(), "carol", "her own password"); err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		stdin, verb    string
		stdout, stderr string
		status         int
	}{
		{"alice\njürgen\n", "add", "made: 2, there already: 0, failed: 0\n", "", exitOK},
		{"alice\ncarol\n", "add", "made: 0, there already: 1, failed: 1\n", "carol@example.org: the account exists, with a password that xtokend has not set", exitFailure},
		{"", "list", "alice@example.org\ncarol@example.org\njürgen@example.org\n", "", exitOK},
		{"alice\nnobody\n", "remove", "removed: 1, not there: 1, failed: 0\n", "", exitOK},
		{"", "list", "carol@example.org\njürgen@example.org\n", "", exitOK},
	} {
		stdout, stderr, status := s.accounts(t, step.stdin, step.verb)
		if step.verb == "list" { // in no order
			lines := slices.Sorted(strings.Lines(stdout))
			stdout = strings.Join(lines, "")
		}
		if stdout != step.stdout || !strings.Contains(stderr, step.stderr) || status != step.status {
			t.Errorf("%s: %q, %q, exit status %d", step.verb, stdout, stderr, status)
		}
	}
}
