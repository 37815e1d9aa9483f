package config

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

const annotated = "../../../../contrib/xtokend.toml"

var (
	tableLine = regexp.MustCompile(`^(?:# )?\[+([a-z_.]+)\]+$`)
	keyLine   = regexp.MustCompile(`^(?:# )?([a-z0-9_]+) = `)
)

// The annotated file names every key that there is, and no other.
func TestAnnotatedFileIsComplete(t *testing.T) {
	text, err := os.ReadFile(annotated)
	if err != nil {
		t.Fatal(err)
	}
	documented := map[string]bool{}
	place := ""
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSuffix(line, "\n")
		if m := tableLine.FindStringSubmatch(line); m != nil {
			documented[m[1]] = true
			place = m[1] + "."
		} else if m := keyLine.FindStringSubmatch(line); m != nil {
			documented[place+m[1]] = true
		}
	}
	known := map[string]bool{}
	for key := range schema {
		known[key] = true
	}
	for _, key := range slices.Sorted(maps.Keys(known)) {
		if !documented[key] {
			t.Errorf("%s is not in the annotated file", key)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(documented)) {
		if !known[key] {
			t.Errorf("%s is in the annotated file, and no setting", key)
		}
	}
}

// The defaults that its comments show are those of the code: uncommented, they
// change nothing.
func TestAnnotatedFileLoads(t *testing.T) {
	text, err := os.ReadFile(annotated)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for name, content := range map[string]string{
		"otp_seed": "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ", "token_secret": "MFRGGZDFMZTWQ2LKNNWG23TPOBYXE43U",
		"account_secret": strings.Repeat("x", minAccountSecretBytes), "component_secret": strings.Repeat("x", minComponentSecretBytes),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	o := Options{Need: Keys | AccountSecrets, Now: time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC), Environ: []string{}}
	plain := load(t, dir, strings.ReplaceAll(string(text), "/etc/xtokend", dir), o)

	full := load(t, dir, strings.ReplaceAll(uncomment(string(text)), "/etc/xtokend", dir), o)
	plain.Domains[0].Keys, full.Domains[0].Keys = nil, nil // pointers, and not_after has no default
	if a, b := show(plain), show(full); a != b {
		t.Errorf("with every default written out the settings differ:\n%s\n%s", a, b)
	}
}

// uncomment writes out the defaults of all tables but those that are comments
// themselves.
func uncomment(text string) string {
	var b strings.Builder
	inComment := false
	for line := range strings.Lines(text) {
		if tableLine.MatchString(strings.TrimSuffix(line, "\n")) {
			inComment = strings.HasPrefix(line, "#")
		}
		if !inComment && keyLine.MatchString(line) {
			line = strings.TrimPrefix(line, "# ")
		}
		b.WriteString(line)
	}
	return b.String()
}

// The file is good for the host too, once the tables of the server are taken out
// and that of the host is no comment any more.
func TestAnnotatedFileWithHost(t *testing.T) {
	text, err := os.ReadFile(annotated)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	table := ""
	for line := range strings.Lines(string(text)) {
		if m := tableLine.FindStringSubmatch(strings.TrimSuffix(line, "\n")); m != nil {
			table = m[1]
		}
		switch table {
		case "domain.server", "domain.component":
			continue
		case "domain.host":
			if tableLine.MatchString(strings.TrimSuffix(line, "\n")) || keyLine.MatchString(line) {
				line = strings.TrimPrefix(line, "# ")
			}
		}
		b.WriteString(strings.Replace(line, `# upstream = "server"`, `upstream = "host"`, 1))
	}
	o := Options{Now: time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC), Environ: []string{}}
	cfg := load(t, t.TempDir(), b.String(), o)
	want := Host{Path: "/var/lib/xtokend/example.org.db", Rooms: "rooms.example.org"}
	if d := cfg.Domains[0]; d.Upstream != UpstreamHost || d.Host != want {
		t.Errorf("upstream %q, host %+v", d.Upstream, d.Host)
	}
}

func load(t *testing.T, dir, text string, o Options) Config {
	t.Helper()
	path := filepath.Join(dir, "xtokend.toml")
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	cfg, err := Load(path, o)
	if err != nil {
		t.Fatal(err)
	}
	if len(cfg.Warnings) > 0 {
		t.Errorf("warnings: %v", cfg.Warnings)
	}
	return cfg
}

func show(cfg Config) string {
	text, err := json.MarshalIndent(cfg, "", " ")
	if err != nil {
		return err.Error()
	}
	return string(text)
}
