package packaging

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// machine is a Debian in a folder, with two versions of the package at hand.
type machine struct {
	t            *testing.T
	root         string
	older, newer string
	secrets      map[string]string // as the first installation has made them
}

// newMachine installs the essential packages of Debian 12, what the package depends
// on, and more, from where this machine has its own.
func newMachine(t *testing.T, older, newer string, more ...string) *machine {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Fatal("only root can install packages in a folder: run this test as root")
	}
	m := &machine{t: t, root: filepath.Join(t.TempDir(), "machine"), older: older, newer: newer}
	sources := strings.Fields(run(t, "", "find", "/etc/apt", "-name", "*.sources", "-o", "-name", "*.list"))
	include := strings.Join(append([]string{"procps", "systemd"}, more...), ",")
	args := []string{"--quiet", "--variant=essential", "--include=" + include, "bookworm", m.root}
	run(t, "", "mmdebstrap", append(args, sources...)...)
	return m
}

// at runs a command on the machine.
func (m *machine) at(t *testing.T, name string, args ...string) string {
	t.Helper()
	return run(t, "", "chroot", append([]string{m.root, name}, args...)...)
}

// install has dpkg install a package, without anybody to ask. What it does then is
// what it does on its own: keep settings that were changed.
func (m *machine) install(deb string) {
	m.t.Helper()
	if err := os.WriteFile(filepath.Join(m.root, "tmp", "xtokend.deb"), []byte(read(m.t, deb)), 0o600); err != nil {
		m.t.Fatal(err)
	}
	m.at(m.t, "dpkg", "--force-confdef", "--install", "/tmp/xtokend.deb")
	if err := os.Remove(filepath.Join(m.root, "tmp", "xtokend.deb")); err != nil {
		m.t.Fatal(err)
	}
}

// owned returns what ls says of a file's mode and owner.
func (m *machine) owned(t *testing.T, path string) string {
	t.Helper()
	return strings.TrimSpace(m.at(t, "stat", "--format=%a %U:%G", path))
}

func (m *machine) exists(path string) bool {
	_, err := os.Lstat(filepath.Join(m.root, path))
	return err == nil
}

// enabled names what of xtokend systemd starts at boot.
func (m *machine) enabled(t *testing.T) []string {
	t.Helper()
	links, err := filepath.Glob(filepath.Join(m.root, "etc/systemd/system/*.wants/xtokend.*"))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, link := range links {
		names = append(names, filepath.Base(link))
	}
	return names
}

// left names the files of the machine that are xtokend's, by their names.
func (m *machine) left(t *testing.T) []string {
	t.Helper()
	var names []string
	err := filepath.WalkDir(m.root, func(path string, _ fs.DirEntry, err error) error {
		if rel, _ := filepath.Rel(m.root, path); strings.Contains(rel, "xtokend") {
			names = append(names, rel)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// Settings that nobody has changed are replaced; what was enabled stays so.
func (m *machine) testUpgraded(t *testing.T) {
	m.at(t, "systemctl", "enable", "xtokend.socket", "xtokend.service")
	m.install(m.newer)
	if out := m.at(t, "xtokend", "version"); !strings.HasPrefix(out, "xtokend v0.2.0\n") {
		t.Errorf("version: %s", out)
	}
	if text := read(t, m.root, "etc/xtokend/xtokend.toml"); !strings.HasSuffix(text, "# what came with v0.2.0\n") {
		t.Error("the settings are those of before")
	}
	if got := m.owned(t, "/etc/xtokend/xtokend.toml"); got != "640 root:xtokend" {
		t.Errorf("the settings are %s", got)
	}
	m.checkKept(t)
}

// checkKept holds that secrets are those of the first installation, and what is
// started at boot what was enabled.
func (m *machine) checkKept(t *testing.T) {
	t.Helper()
	if got := m.owned(t, "/etc/xtokend"); got != "750 root:xtokend" {
		t.Errorf("/etc/xtokend is %s", got)
	}
	for name, want := range m.secrets {
		if read(t, m.root, "etc/xtokend", name) != want {
			t.Errorf("%s has changed", name)
		}
	}
	if diff := cmp.Diff([]string{"xtokend.service", "xtokend.socket"}, m.enabled(t)); diff != "" {
		t.Errorf("enabled: %s", diff)
	}
}

func (m *machine) testUpgradedWithChangedSettings(t *testing.T) {
	m.install(m.older) // back, which has to work as well
	if out := m.at(t, "xtokend", "version"); !strings.HasPrefix(out, "xtokend v0.1.0\n") {
		t.Errorf("version: %s", out)
	}
	file := filepath.Join(m.root, "etc/xtokend/xtokend.toml")
	changed := read(t, file) + "# of the administrator\n"
	if err := os.WriteFile(file, []byte(changed), 0o640); err != nil {
		t.Fatal(err)
	}
	m.install(m.newer)
	if read(t, file) != changed {
		t.Error("the changed settings were not kept")
	}
	if text := read(t, file+".dpkg-dist"); !strings.HasSuffix(text, "# what came with v0.2.0\n") {
		t.Error("the package's settings are not beside them")
	}
	m.checkKept(t)
}

// What was set and kept outlives a removal, and comes to use again.
func (m *machine) testRemoved(t *testing.T) {
	state := filepath.Join(m.root, "var/lib/xtokend")
	if err := os.MkdirAll(state, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{filepath.Join(state, "replay.db"), filepath.Join(m.root, "etc/xtokend/privkey.pem")} {
		if err := os.WriteFile(path, []byte("kept"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	m.at(t, "dpkg", "--remove", "xtokend")
	for _, path := range []string{"usr/bin/xtokend", "usr/lib/systemd/system/xtokend.service"} {
		if m.exists(path) {
			t.Errorf("%s is still there", path)
		}
	}
	for _, path := range []string{"etc/xtokend/xtokend.toml", "etc/xtokend/account_secret", "var/lib/xtokend/replay.db"} {
		if !m.exists(path) {
			t.Errorf("%s is gone", path)
		}
	}
	m.install(m.newer)
	m.checkKept(t)
	m.checkUnits(t)
}

// Settings and secrets of an installation by hand, and its user, are used as they are.
func (m *machine) testInstalledOverOneByHand(t *testing.T) {
	folder := filepath.Join(m.root, "etc/xtokend")
	if err := os.MkdirAll(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	byHand := map[string]string{"xtokend.toml": "# by hand\n", "account_secret": "made by hand\n"}
	for name, text := range byHand {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o640); err != nil {
			t.Fatal(err)
		}
	}
	m.install(m.newer)
	for name, want := range byHand {
		if got := read(t, folder, name); got != want {
			t.Errorf("%s is %q", name, got)
		}
		if got := m.owned(t, "/etc/xtokend/"+name); name == "xtokend.toml" && got != "640 root:xtokend" {
			t.Errorf("%s is %s", name, got)
		}
	}
	if !m.exists("etc/xtokend/component_secret") {
		t.Error("the secret that was not there was not made")
	}
	m.at(t, "dpkg", "--purge", "xtokend")
}

// A purge takes what is the package's, and nothing else.
func (m *machine) testPurged(t *testing.T) {
	m.at(t, "dpkg", "--purge", "xtokend")
	if diff := cmp.Diff([]string{"etc/xtokend", "etc/xtokend/privkey.pem"}, m.left(t)); diff != "" {
		t.Errorf("left: %s", diff)
	}
	out := strings.TrimSpace(m.at(t, "getent", "passwd", "xtokend"))
	if !strings.HasSuffix(out, ":/var/lib/xtokend:/usr/sbin/nologin") {
		t.Errorf("the user, whose files may be anywhere, is %s", out)
	}
	if out, err := try(t, "", "chroot", m.root, "dpkg", "--status", "xtokend"); err == nil {
		t.Errorf("dpkg still knows it: %s", out)
	}
}
