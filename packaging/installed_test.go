package packaging

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func (m *machine) testInstalled(t *testing.T) {
	if out := m.at(t, "xtokend", "version"); !strings.HasPrefix(out, "xtokend v0.1.0\n") {
		t.Errorf("version: %s", out)
	}
	for path, want := range map[string]string{
		"/etc/xtokend":                  "750 root:xtokend",
		"/etc/xtokend/xtokend.toml":     "640 root:xtokend",
		"/etc/xtokend/account_secret":   "640 root:xtokend",
		"/etc/xtokend/component_secret": "640 root:xtokend",
		"/usr/bin/xtokend":              "755 root:root",
	} {
		if got := m.owned(t, path); got != want {
			t.Errorf("%s is %s, not %s", path, got, want)
		}
	}
	m.secrets = map[string]string{}
	for _, name := range []string{"account_secret", "component_secret"} {
		// The service's user can read them.
		m.secrets[name] = m.at(t, "setpriv", "--reuid=xtokend", "--regid=xtokend", "--clear-groups", "cat", "/etc/xtokend/"+name)
	}
	if len(m.secrets["account_secret"]) != 45 || m.secrets["account_secret"] == m.secrets["component_secret"] {
		t.Error("the secrets are not two of 32 bytes in base64")
	}
	if got := m.enabled(t); got != nil {
		t.Errorf("enabled before there are settings: %q", got)
	}
	if out := m.at(t, "dpkg", "--verify", "xtokend"); out != "" {
		t.Errorf("dpkg --verify: %s", out)
	}
	m.checkUnits(t)
	m.checkManual(t)
	m.checkGuides(t)
	// What is missing in the example is the site's own: certificate and keys.
	out, err := try(t, "", "chroot", m.root, "xtokend", "check")
	if err == nil || strings.Contains(out, "account_secret") || !strings.Contains(out, "otp_seed_file") {
		t.Errorf("check: %v\n%s", err, out)
	}
}

// checkUnits holds that systemd takes the units, and that they differ from those for
// an installation by hand in the place of the program alone.
func (m *machine) checkUnits(t *testing.T) {
	t.Helper()
	for _, name := range []string{"xtokend.service", "xtokend.socket"} {
		want := strings.ReplaceAll(read(t, "../contrib", name), "/usr/local/bin/", "/usr/bin/")
		if diff := cmp.Diff(want, read(t, m.root, "usr/lib/systemd/system", name)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
	// It looks in /proc what the kernel knows.
	const withProc = `mount --bind /proc "$0/proc" && exec chroot "$0" "$@"`
	out, err := try(t, "", "unshare", "--mount", "sh", "-c", withProc, m.root,
		"systemd-analyze", "verify", "--man=no", "xtokend.service", "xtokend.socket")
	if err != nil || out != "" {
		t.Errorf("systemd-analyze verify: %v\n%s", err, out)
	}
}

func (m *machine) checkManual(t *testing.T) {
	t.Helper()
	for _, name := range []string{"man1/xtokend.1", "man5/xtokend.toml.5"} {
		page := filepath.Join(t.TempDir(), filepath.Base(name))
		text := run(t, "", "gzip", "--decompress", "--stdout", filepath.Join(m.root, "usr/share/man", name+".gz"))
		if strings.Contains(text, "@VERSION@") || !strings.Contains(text, "xtokend 0.1.0") {
			t.Errorf("%s does not name its version", name)
		}
		if err := os.WriteFile(page, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if out, err := try(t, "", "mandoc", "-T", "lint", "-W", "warning", page); err != nil || out != "" {
			t.Errorf("mandoc: %v\n%s", err, out)
		}
		if name == "man5/xtokend.toml.5" {
			m.checkExample(t, text)
		}
		if out := run(t, "", "sh", "-c", `man --warnings --encoding=UTF-8 --local-file -Tutf8 -Z "$0" >/dev/null`, page); out != "" {
			t.Errorf("man: %s", out)
		}
	}
}

// checkExample holds that the settings page's example lacks nothing but the site's own
// certificate and key.
func (m *machine) checkExample(t *testing.T, page string) {
	t.Helper()
	_, example, _ := strings.Cut(page, ".SH EXAMPLES\n")
	_, example, _ = strings.Cut(example, ".nf\n")
	example, _, _ = strings.Cut(example, ".fi\n")
	if err := os.WriteFile(filepath.Join(m.root, "tmp/example.toml"), []byte(example), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := try(t, "", "chroot", m.root, "xtokend", "check", "--config", "/tmp/example.toml")
	faults := 0
	for line := range strings.Lines(out) {
		if strings.Contains(line, " error: ") {
			faults++
			if !strings.Contains(line, "cannot read /etc/xtokend/") {
				t.Errorf("the example has a fault: %s", line)
			}
		}
	}
	if err == nil || faults != 4 {
		t.Errorf("check of the example: %v\n%s", err, out)
	}
}

var link = regexp.MustCompile(`\]\(([^)#:]+)(#[^)]*)?\)`)

// checkGuides holds that what the guides link to is in the package.
func (m *machine) checkGuides(t *testing.T) {
	t.Helper()
	links := 0
	err := filepath.WalkDir(filepath.Join(m.root, "usr/share/doc/xtokend"), func(page string, _ fs.DirEntry, err error) error {
		if filepath.Ext(page) != ".md" || err != nil {
			return err
		}
		for _, found := range link.FindAllStringSubmatch(read(t, page), -1) {
			links++
			if found[1] == "LICENSE" { // is in copyright
				continue
			}
			if _, err := os.Stat(filepath.Join(filepath.Dir(page), found[1])); err != nil {
				t.Errorf("%s links to %s, which packaging/nfpm.yaml does not pack", filepath.Base(page), found[1])
			}
		}
		return nil
	})
	if err != nil || links < 20 {
		t.Errorf("%d links, %v", links, err)
	}
}
