package config_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"xtokend/cmd/xtokend/internal/config"
)

// hosted is a file without fault or warning whose users the host serves.
const hosted = `listen = ["xmpp://127.0.0.1:5222"]
[[domain]]
name = "example.org"
upstream = "host"
[[domain.key]]
otp_seed = "` + seed + `"
token_secret = "` + tokenSecret + `"
[domain.host]
path = "host.db"
rooms = "rooms.example.org"
[replay]
path = "replay.db"
`

func TestHost(t *testing.T) {
	path := write(t, edit(t, hosted, "rooms.example.org", "Rooms.MÜNCHEN.example."))
	cfg, err := config.Load(path, everything())
	if err != nil || len(cfg.Warnings) > 0 {
		t.Fatalf("warnings %v, error %v", cfg.Warnings, err)
	}
	got := cfg.Domains[0]
	got.Keys = nil
	want := config.Domain{
		Name: "example.org", Mechanisms: []string{"X-TOKEN", "HMAC", "PLAIN"}, Skew: 1,
		Upstream: config.UpstreamHost,
		Host:     config.Host{Path: filepath.Join(filepath.Dir(path), "host.db"), Rooms: "rooms.münchen.example"},
	}
	if diff := cmp.Diff(want, got, compare); diff != "" {
		t.Errorf("want -, got +:\n%s", diff)
	}
}

func TestHostInMemory(t *testing.T) {
	for name, changes := range map[string][]string{
		"no path":     {`path = "host.db"`, ""},
		"empty path":  {`"host.db"`, `""`},
		"no table":    {"[domain.host]\npath = \"host.db\"\nrooms = \"rooms.example.org\"\n", ""},
		"empty names": {`"host.db"`, `""`, `"rooms.example.org"`, `""`},
	} {
		t.Run(name, func(t *testing.T) {
			cfg, err := config.Load(write(t, edit(t, hosted, changes...)), everything())
			if err != nil {
				t.Fatal(err)
			}
			wantWarning(t, cfg.Warnings, "domain[0].host.path", "lost at a restart")
			if cfg.Domains[0].Host.Path != "" {
				t.Errorf("the path is %q", cfg.Domains[0].Host.Path)
			}
		})
	}
}

// secondHost is the table of another host, with its settings, in front of what
// follows in the file.
func secondHost(settings string) string {
	return `[[domain]]
name = "example.net"
upstream = "host"
[[domain.key]]
otp_seed = "` + seed + `"
token_secret = "` + tokenSecret + `"
[domain.host]
` + settings + "[replay]"
}

func TestHostFaults(t *testing.T) {
	for name, c := range map[string]struct {
		edit            []string
		key, text, hint string
	}{
		"server beside it":       {[]string{`[domain.host]`, "[domain.server]\n[domain.host]"}, "domain[0].server", `has no effect with upstream = "host"`, `leave [domain.server] out, or set upstream = "server"`},
		"component beside it":    {[]string{`[domain.host]`, "[domain.component]\n[domain.host]"}, "domain[0].component", `has no effect with upstream = "host"`, "leave [domain.component] out"},
		"unknown key":            {[]string{`rooms =`, `room =`}, "domain[0].host.room", "unknown key", "did you mean rooms?"},
		"path that is a number":  {[]string{`"host.db"`, "7"}, "domain[0].host.path", "must be a text in quotes", ""},
		"rooms that is a number": {[]string{`"rooms.example.org"`, "7"}, "domain[0].host.rooms", "must be a text in quotes", ""},
		"rooms with a localpart": {[]string{`"rooms.example.org"`, `"all@rooms.example.org"`}, "domain[0].host.rooms", "is not the name of a domain", "rooms.example.org"},
		"rooms with a space":     {[]string{`"rooms.example.org"`, `"meeting rooms"`}, "domain[0].host.rooms", "is not the name of a domain", ""},
		"rooms of its own name":  {[]string{`"rooms.example.org"`, `"EXAMPLE.org"`}, "domain[0].host.rooms", `"example.org" is the value of domain[0].name already`, ""},
		"rooms of another host": {[]string{`[replay]`, secondHost("path = 'other.db'\nrooms = 'rooms.example.org'\n")},
			"domain[1].host.rooms", `"rooms.example.org" is the value of domain[0].host.rooms already`, ""},
		"rooms that are a domain": {[]string{`[replay]`, secondHost("path = 'other.db'\n"), `"rooms.example.org"`, `"example.net"`},
			"domain[0].host.rooms", `"example.net" is the value of domain[1].name already`, ""},
		"file of another host":     {[]string{`[replay]`, secondHost("path = './host.db'\n")}, "domain[1].host.path", "is the value of domain[0].host.path already", "a file of its own"},
		"file of the replay store": {[]string{`"host.db"`, `"sub/../replay.db"`}, "domain[0].host.path", "is the value of replay.path already", "a file of its own"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := config.Load(write(t, edit(t, hosted, c.edit...)), everything())
			faults := faultsOf(t, err)
			f := faults[0]
			if len(faults) != 1 || f.Key != c.key || !strings.Contains(f.Text, c.text) || !strings.Contains(f.Hint, c.hint) {
				t.Errorf("%d faults, the first %q, hint %q\nwant key %q, text with %q, hint with %q", len(faults), f, f.Hint, c.key, c.text, c.hint)
			}
		})
	}
}

// What is there already is looked at: one file may have several names, and not
// everything that has a name is a file.
func TestHostFiles(t *testing.T) {
	for name, c := range map[string]struct {
		first, other    string // paths of hosts
		key, text, hint string // of the fault; no key: there is none
	}{
		"files that are there":                {"there.db", "also.db", "", "", ""},
		"files to be made":                    {"new.db", "newer.db", "", "", ""},
		"link to a file of its own":           {"link.db", "also.db", "", "", ""},
		"folder":                              {"folder", "also.db", "domain[0].host.path", "folder is no regular file", "the path of a file"},
		"link to a folder":                    {"folder.db", "also.db", "domain[0].host.path", "folder.db is no regular file", "the path of a file"},
		"device":                              {os.DevNull, "also.db", "domain[0].host.path", os.DevNull + " is no regular file", "the path of a file"},
		"devices":                             {"there.db", os.DevNull, "domain[1].host.path", os.DevNull + " is no regular file", "the path of a file"},
		"link to the file of another":         {"there.db", "link.db", "domain[1].host.path", "link.db is the value of domain[0].host.path already", "a file of its own"},
		"another name of the file of another": {"there.db", "hard.db", "domain[1].host.path", "hard.db is the value of domain[0].host.path already", "a file of its own"},
		"link to the replay store's":          {"replay-link.db", "also.db", "domain[0].host.path", "replay-link.db is the value of replay.path already", "a file of its own"},
		"one path, written in two ways":       {"DIR/./new.db", "DIR/folder/../new.db", "domain[1].host.path", "new.db is the value of domain[0].host.path already", "a file of its own"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			var errs []error
			for _, file := range []string{"there.db", "also.db", "replay.db"} {
				errs = append(errs, os.WriteFile(filepath.Join(dir, file), nil, 0o600))
			}
			errs = append(errs, os.Mkdir(filepath.Join(dir, "folder"), 0o700),
				os.Link(filepath.Join(dir, "there.db"), filepath.Join(dir, "hard.db")))
			for link, to := range map[string]string{"link.db": "there.db", "replay-link.db": "replay.db", "folder.db": "folder"} {
				errs = append(errs, os.Symlink(to, filepath.Join(dir, link)))
			}
			text := edit(t, hosted, "host.db", c.first, "[replay]", secondHost(fmt.Sprintf("path = %q\n", c.other)))
			path := filepath.Join(dir, "xtokend.toml")
			errs = append(errs, os.WriteFile(path, []byte(strings.ReplaceAll(text, "DIR", dir)), 0o600))
			if err := errors.Join(errs...); err != nil {
				t.Fatal(err)
			}
			_, err := config.Load(path, everything())
			if c.key == "" {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			faults := faultsOf(t, err)
			f := faults[0]
			if len(faults) != 1 || f.Key != c.key || !strings.Contains(f.Text, c.text) || !strings.Contains(f.Hint, c.hint) {
				t.Errorf("%d faults, the first %q, hint %q\nwant key %q, text with %q, hint with %q", len(faults), f, f.Hint, c.key, c.text, c.hint)
			}
		})
	}
}
