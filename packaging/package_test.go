// Package packaging holds what the Debian package does on a machine.
package packaging

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// run runs a command in a folder, and returns what it prints.
func run(t *testing.T, folder, name string, args ...string) string {
	t.Helper()
	out, err := try(t, folder, name, args...)
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return out
}

func try(t *testing.T, folder, name string, args ...string) (string, error) {
	t.Helper()
	command := exec.CommandContext(t.Context(), name, args...)
	command.Dir = folder
	command.Env = append(os.Environ(), "LC_ALL=C.UTF-8", "DEBIAN_FRONTEND=noninteractive", "GIT_CONFIG_GLOBAL=/dev/null",
		"GIT_AUTHOR_NAME=test", "GIT_AUTHOR_EMAIL=test@localhost", "GIT_COMMITTER_NAME=test", "GIT_COMMITTER_EMAIL=test@localhost")
	out, err := command.CombinedOutput()
	return string(out), err
}

// clone copies the sources as they are here to a clone of their repository, in which
// they are the given version.
func clone(t *testing.T, version string) string {
	t.Helper()
	folder := filepath.Join(t.TempDir(), "sources")
	run(t, "", "git", "clone", "--quiet", "--no-tags", "..", folder)
	if changes := run(t, "", "git", "-C", "..", "diff", "--binary", "HEAD"); changes != "" {
		patch := filepath.Join(t.TempDir(), "changes")
		if err := os.WriteFile(patch, []byte(changes), 0o600); err != nil {
			t.Fatal(err)
		}
		run(t, folder, "git", "apply", "--index", patch)
	}
	release(t, folder, version)
	return folder
}

// release makes a version of what has changed in a clone.
func release(t *testing.T, folder, version string) {
	t.Helper()
	run(t, folder, "git", "commit", "--quiet", "--all", "--allow-empty", "--message", version)
	run(t, folder, "git", "tag", version)
}

// build makes the package in a clone and returns its path.
func build(t *testing.T, folder string) string {
	t.Helper()
	name := regexp.MustCompile(`(?m)^bin/xtokend_.*\.deb$`).FindString(run(t, folder, "packaging/build.sh"))
	if name == "" {
		t.Fatal("no package was built")
	}
	return filepath.Join(folder, name)
}

func read(t *testing.T, path ...string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(path...))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// The package of one commit is the same wherever it is built, good in the eyes of
// lintian, and does what a package must on a Debian machine of its own.
func TestPackage(t *testing.T) {
	first := clone(t, "v0.1.0")
	older := build(t, first)
	t.Run("the program alone", func(t *testing.T) { testAlone(t, filepath.Join(first, "bin/package/xtokend")) })

	elsewhere := filepath.Join(t.TempDir(), "a", "longer", "path")
	run(t, "", "git", "clone", "--quiet", first, elsewhere)
	build(t, elsewhere)
	for _, name := range []string{"bin/package/xtokend", "bin/" + filepath.Base(older)} {
		if read(t, first, name) != read(t, elsewhere, name) {
			t.Errorf("%s differs between two folders", name)
		}
	}
	if out, err := try(t, "", "lintian", "--fail-on", "error,warning", "--allow-root", older); err != nil {
		t.Errorf("lintian: %v\n%s", err, out)
	}

	settings := filepath.Join(elsewhere, "contrib/xtokend.toml")
	newer := read(t, settings) + "# what came with v0.2.0\n"
	if err := os.WriteFile(settings, []byte(newer), 0o644); err != nil {
		t.Fatal(err)
	}
	release(t, elsewhere, "v0.2.0")
	m := newMachine(t, older, build(t, elsewhere))

	m.install(older)
	t.Run("installed", m.testInstalled)
	t.Run("materials", m.testMaterials)
	t.Run("upgraded", m.testUpgraded)
	t.Run("upgraded with changed settings", m.testUpgradedWithChangedSettings)
	t.Run("removed", m.testRemoved)
	t.Run("purged", m.testPurged)
	t.Run("installed over one by hand", m.testInstalledOverOneByHand)
	t.Run("where systemd runs", m.testManaged)
}

// testAlone has the program do with an empty folder: the image has nothing else in it.
func testAlone(t *testing.T, program string) {
	root := t.TempDir()
	if err := os.WriteFile(filepath.Join(root, "xtokend"), []byte(read(t, program)), 0o755); err != nil {
		t.Fatal(err)
	}
	settings := `listen = ["xmpp://127.0.0.1:0"]
[[domain]]
name = "example.org"
upstream = "host"
issuer_timezone = "Europe/Amsterdam"
[[domain.key]]
otp_seed = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
token_secret = "MFRGGZDFMZTWQ2LKNNWG23TPOBYXE43U"
[replay]
store = "memory"
`
	if err := os.WriteFile(filepath.Join(root, "xtokend.toml"), []byte(settings), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(root, 0o755); err != nil {
		t.Fatal(err)
	}
	xtokend := func(args ...string) string {
		t.Helper()
		return run(t, "", "chroot", append([]string{"--userspec=65532:65532", root, "/xtokend"}, args...)...)
	}
	if out := xtokend("version"); !strings.HasPrefix(out, "xtokend v0.1.0\n") || !strings.Contains(out, "\ncommit ") {
		t.Errorf("version: %s", out)
	}
	xtokend("check", "--config", "/xtokend.toml")
	token := strings.TrimSpace(xtokend("token", "--config", "/xtokend.toml", "alice@example.org"))
	out := xtokend("explain", "--config", "/xtokend.toml", "alice@example.org", token)
	if !strings.HasPrefix(out, "ok\n") {
		t.Errorf("explain: %s", out)
	}
}
