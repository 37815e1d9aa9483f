package packaging

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Where systemd runs nothing is started at the first installation, an upgrade
// restarts what runs, with the ports held open, and a removal ends both. A systemctl
// that writes down what it is asked for stands for a systemd that runs.
func (m *machine) testManaged(t *testing.T) {
	const record = "#!/bin/sh\necho \"$*\" >>/tmp/asked\n"
	if err := os.WriteFile(filepath.Join(m.root, "usr/local/bin/systemctl"), []byte(record), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(m.root, "run/systemd/system"), 0o755); err != nil {
		t.Fatal(err)
	}
	asked := func(when string, want ...string) {
		t.Helper()
		var got []string
		for line := range strings.Lines(read(t, m.root, "tmp/asked")) {
			line = strings.TrimSpace(line)
			verb := strings.TrimPrefix(strings.TrimPrefix(line, "--quiet "), "--system ")
			for _, action := range []string{"start", "stop", "restart", "try-restart", "enable", "daemon-reload"} {
				if strings.HasPrefix(verb+" ", action+" ") {
					got = append(got, verb)
				}
			}
		}
		// The unit files may be read more often than is needed.
		if diff := cmp.Diff(want, slices.Compact(got)); diff != "" {
			t.Errorf("%s: %s", when, diff)
		}
		if err := os.Remove(filepath.Join(m.root, "tmp/asked")); err != nil {
			t.Fatal(err)
		}
	}
	m.install(m.older)
	asked("installation", "daemon-reload")
	m.install(m.newer)
	asked("upgrade", "daemon-reload", "try-restart xtokend.service")
	m.at(t, "dpkg", "--remove", "xtokend")
	asked("removal", "stop xtokend.socket xtokend.service", "daemon-reload")
	m.at(t, "dpkg", "--purge", "xtokend")
}

// The bill of materials has the modules that the go command finds in the program,
// and each has its licence in the package.
func (m *machine) testMaterials(t *testing.T) {
	program := filepath.Join(m.root, "usr/bin/xtokend")
	var bill struct {
		BOMFormat, SpecVersion string
		Metadata               struct {
			Component struct {
				Version string
				Hashes  []struct{ Alg, Content string }
			}
		}
		Components []struct{ Name, Version, PURL string }
	}
	if err := json.Unmarshal([]byte(read(t, m.root, "usr/share/doc/xtokend/sbom.cdx.json")), &bill); err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256([]byte(read(t, program)))
	c := bill.Metadata.Component
	if bill.BOMFormat != "CycloneDX" || bill.SpecVersion != "1.6" || c.Version != "v0.1.0" ||
		len(c.Hashes) != 1 || c.Hashes[0].Alg != "SHA-256" || c.Hashes[0].Content != hex.EncodeToString(sum[:]) {
		t.Errorf("the bill is of another program: %+v", c)
	}
	var listed, want []string
	for _, c := range bill.Components {
		if c.PURL != "pkg:golang/"+c.Name+"@"+c.Version {
			t.Errorf("%s has the package URL %s", c.Name, c.PURL)
		}
		listed = append(listed, c.Name+" "+c.Version)
	}
	licences := run(t, "", "gzip", "--decompress", "--stdout", filepath.Join(m.root, "usr/share/doc/xtokend/modules.txt.gz"))
	for line := range strings.Lines(run(t, "", "go", "version", "-m", program)) {
		switch fields := strings.Fields(line); {
		case strings.HasPrefix(fields[len(fields)-1], "go1."):
			want = append(want, "std "+strings.TrimPrefix(fields[len(fields)-1], "go"))
		case fields[0] == "dep":
			want = append(want, fields[1]+" "+fields[2])
			if !strings.Contains(licences, "==== "+fields[1]+" "+fields[2]+": ") {
				t.Errorf("the licence of %s is not there", fields[1])
			}
		}
	}
	slices.Sort(listed)
	slices.Sort(want)
	if diff := cmp.Diff(want, listed); diff != "" {
		t.Errorf("modules: %s", diff)
	}
	if !strings.Contains(licences, "==== Go go1.") {
		t.Error("the licence of Go is not there")
	}
}
