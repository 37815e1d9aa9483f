package config_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"xtokend/cmd/xtokend/internal/config"
)

const (
	bearerSecret = "a-bearer-secret-of-32-characters-or-more"
	httpAuth     = "[http_auth]\nlisten = \"http://127.0.0.1:5295\"\nbearer_secret = \"" + bearerSecret + "\"\n"
)

// asked is a file without clients, fault or warning.
var asked = `[[domain]]
name = "example.org"
upstream = "none"
[[domain.key]]
otp_seed = "` + seed + `"
token_secret = "` + tokenSecret + `"
[replay]
path = "replay.db"
` + httpAuth

func TestHTTPAuth(t *testing.T) {
	cfg, err := config.Load(write(t, good+httpAuth), everything())
	if err != nil || len(cfg.Warnings) > 0 {
		t.Fatal(err, cfg.Warnings)
	}
	if a := cfg.HTTPAuth; a == nil || a.Listener.String() != "http://127.0.0.1:5295" || a.BearerSecret.Reveal() != bearerSecret {
		t.Errorf("%+v", a)
	}
	cfg, err = config.Load(write(t, good), everything())
	if err != nil || cfg.HTTPAuth != nil {
		t.Errorf("without the table: %v, %+v", err, cfg.HTTPAuth)
	}
	path := write(t, edit(t, good+httpAuth, `bearer_secret = "`+bearerSecret+`"`, `bearer_secret_file = "bearer"`))
	if err := os.WriteFile(filepath.Join(filepath.Dir(path), "bearer"), []byte(bearerSecret+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if cfg, err = config.Load(path, everything()); err != nil || cfg.HTTPAuth.BearerSecret.Reveal() != bearerSecret {
		t.Errorf("from a file: %v, %+v", err, cfg.HTTPAuth)
	}
	o := everything()
	o.Environ = []string{"XTOKEND_HTTP_AUTH_BEARER_SECRET=" + bearerSecret}
	cfg, err = config.Load(write(t, edit(t, good+httpAuth, `bearer_secret = "`+bearerSecret+`"`, "")), o)
	if err != nil || len(cfg.Warnings) > 0 || cfg.HTTPAuth.BearerSecret.Reveal() != bearerSecret {
		t.Errorf("from the environment: %v %v", err, cfg.Warnings)
	}
}

func TestFaultsOfHTTPAuth(t *testing.T) {
	for _, tc := range []struct{ name, before, after, want string }{
		{"no address", `listen = "http://127.0.0.1:5295"`, "", "http_auth.listen: is missing"},
		{"a number for an address", `"http://127.0.0.1:5295"`, "5295", "http_auth.listen: must be a text in quotes"},
		{"no scheme", `"http://127.0.0.1:5295"`, `"127.0.0.1:5295"`, `http_auth.listen: "127.0.0.1:5295" is not an address to listen on`},
		{"a scheme for clients", "http://127.0.0.1:5295", "xmpp://127.0.0.1:5295", `http_auth.listen: "xmpp" is not a scheme to listen with`},
		{"an insecure scheme", "http://127.0.0.1:5295", "http+insecure://127.0.0.1:5295", `http_auth.listen: "http+insecure" is not a scheme to listen with`},
		{"a name", "127.0.0.1:5295", "localhost:5295", `http_auth.listen: "http://localhost:5295" needs an IP address and a port`},
		{"in clear beyond loopback", "127.0.0.1:5295", "0.0.0.0:5295", "http_auth.listen: http://0.0.0.0:5295 is not encrypted, and what is asked there holds tokens"},
		{"no certificate", "http://127.0.0.1:5295", "https://127.0.0.1:5295", "http_auth.listen: https://127.0.0.1:5295 needs a certificate"},
		{"the clients' port", "5295", "5222", "http_auth.listen: clients are served at 127.0.0.1:5222"},
		{"the metrics' port", "5295", "5290", "http_auth.listen: metrics are read at 127.0.0.1:5290"},
		{"no secret", `bearer_secret = "` + bearerSecret + `"`, "", "http_auth.bearer_secret: is missing"},
		{"a short secret", bearerSecret, bearerSecret[:31], "http_auth.bearer_secret: has 31 characters; it must have 32 or more"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			text := "metrics = \"127.0.0.1:5290\"\n" + good + edit(t, httpAuth, tc.before, tc.after)
			_, err := config.Load(write(t, text), everything())
			if err == nil || err.Error() != tc.want {
				t.Errorf("%v, want %s", err, tc.want)
			}
		})
	}
	if _, err := config.Load(write(t, good+edit(t, httpAuth, bearerSecret, bearerSecret[:32])), everything()); err != nil {
		t.Errorf("the shortest secret: %v", err)
	}
}

func TestClientsOfAnotherServer(t *testing.T) {
	cfg, err := config.Load(write(t, asked), everything())
	if err != nil || len(cfg.Warnings) > 0 {
		t.Fatal(err, cfg.Warnings)
	}
	if d := cfg.Domains[0]; d.Upstream != config.UpstreamNone || len(cfg.Listeners) != 0 {
		t.Errorf("upstream %q, listeners %v", d.Upstream, cfg.Listeners)
	}
	for want, text := range map[string]string{
		`listen: no client can log in here: every domain has upstream = "none"`: "listen = [\"xmpp://127.0.0.1:5222\"]\n" + asked,
		`domain[0].server: has no effect with upstream = "none"`:                edit(t, asked, "[replay]", "[domain.server]\n[replay]"),
		`domain[0].component: has no effect with upstream = "none"`:             edit(t, asked, "[replay]", "[domain.component]\n[replay]"),
		`domain[0].host: has no effect with upstream = "none"`:                  edit(t, asked, "[replay]", "[domain.host]\n[replay]"),
		`listen: is empty`: edit(t, good, `["xmpp://127.0.0.1:5222"]`, "[]"),
	} {
		if _, err := config.Load(write(t, text), everything()); err == nil || err.Error() != want {
			t.Errorf("%v, want %s", err, want)
		}
	}
	cfg, err = config.Load(write(t, edit(t, asked, `upstream = "none"`, "upstream = \"none\"\nfold_case = true")), everything())
	if err != nil || len(cfg.Warnings) != 2 || !strings.Contains(cfg.Warnings[1].String(), "has no effect: other servers make capitals small") {
		t.Errorf("with fold_case: %v %v", err, cfg.Warnings)
	}
	cfg, err = config.Load(write(t, edit(t, asked, httpAuth, "")), everything())
	if err != nil || len(cfg.Warnings) != 1 || !strings.Contains(cfg.Warnings[0].String(), "no server can ask about its own") {
		t.Errorf("where nobody can ask: %v %v", err, cfg.Warnings)
	}
}

func TestTheSettingsOfTheGuideLoad(t *testing.T) {
	guide, err := os.ReadFile("../../../../doc/extauth.md")
	if err != nil {
		t.Fatal(err)
	}
	_, text, begun := strings.Cut(string(guide), "```toml\n")
	text, _, ended := strings.Cut(text, "```\n")
	if !begun || !ended {
		t.Fatal("the guide has no settings")
	}
	dir := t.TempDir()
	for name, content := range map[string]string{"bearer_secret": bearerSecret, "users": "alice", "otp_seed": seed, "token_secret": tokenSecret} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cfg, err := config.Load(write(t, strings.ReplaceAll(text, "/etc/xtokend", dir)), everything())
	if err != nil || len(cfg.Warnings) > 0 || cfg.HTTPAuth == nil || len(cfg.Domains[0].Users) != 1 {
		t.Errorf("%v %v", err, cfg.Warnings)
	}
}

func TestUsersFile(t *testing.T) {
	load := func(t *testing.T, text string, need config.Part) (config.Config, error) {
		path := write(t, edit(t, asked, `upstream = "none"`, "upstream = \"none\"\nusers_file = \"users\""))
		if err := os.WriteFile(filepath.Join(filepath.Dir(path), "users"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		o := everything()
		o.Need = need
		return config.Load(path, o)
	}
	cfg, err := load(t, "# of the website\nalice\r\n\n  Bob@EXAMPLE.org  \njürgen", config.Everything)
	if err != nil || len(cfg.Warnings) > 0 {
		t.Fatal(err, cfg.Warnings)
	}
	users := cfg.Domains[0].Users
	for _, name := range []string{"alice", "bob", "jürgen"} {
		if _, ok := users[name]; !ok || len(users) != 3 {
			t.Errorf("%s is not in %v", name, users)
		}
	}
	cfg, err = load(t, "alice\nno body\nbob@example.com\nstrauß\n", config.Everything)
	if err != nil || len(cfg.Domains[0].Users) != 1 || len(cfg.Warnings) != 1 || !strings.Contains(cfg.Warnings[0].String(), "names that cannot be used: 3; the first is in line 2 of ") {
		t.Errorf("names that nobody can have: %v %v", err, cfg.Warnings)
	}
	cfg, err = load(t, "# nobody\n", config.Everything)
	if err != nil || cfg.Domains[0].Users == nil || len(cfg.Warnings) != 1 || !strings.Contains(cfg.Warnings[0].String(), "names nobody") {
		t.Errorf("an empty list: %v %v %v", err, cfg.Warnings, cfg.Domains[0].Users)
	}
	if cfg, err = load(t, "alice\n", config.Keys); err != nil || cfg.Domains[0].Users != nil {
		t.Errorf("not needed: %v %v", err, cfg.Domains[0].Users)
	}
	if cfg, err = config.Load(write(t, asked), everything()); err != nil || cfg.Domains[0].Users != nil {
		t.Errorf("without a file: %v %v", err, cfg.Domains[0].Users)
	}
	_, err = config.Load(write(t, edit(t, asked, `upstream = "none"`, "upstream = \"none\"\nusers_file = \"nowhere\"")), everything())
	if err == nil || !strings.HasPrefix(err.Error(), "domain[0].users_file: cannot read ") {
		t.Errorf("a file that is not there: %v", err)
	}
}
