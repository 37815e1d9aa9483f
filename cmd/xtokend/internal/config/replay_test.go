package config_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"xtokend/cmd/xtokend/internal/config"
)

func TestRedis(t *testing.T) {
	for name, c := range map[string]struct {
		settings string // behind store
		want     config.Redis
	}{
		"default":           {"", config.Redis{Addresses: []string{"127.0.0.1:6379"}}},
		"database":          {"url = 'redis://localhost:1/7'", config.Redis{Addresses: []string{"localhost:1"}, Database: 7}},
		"no port":           {"url = 'rediss://[2001:db8::1]'", config.Redis{Addresses: []string{"[2001:db8::1]:6379"}, TLS: true}},
		"user":              {"url = 'redis://chat%40x@[::1]:9/'", config.Redis{Addresses: []string{"[::1]:9"}, Username: "chat@x"}},
		"cluster":           {"url = 'rediss://a,b:1,[::1]:2'", config.Redis{Addresses: []string{"a:6379", "b:1", "[::1]:2"}, TLS: true}},
		"sentinels":         {"url = 'rediss://a,b:1/2'\nsentinel = 'chat'", config.Redis{Addresses: []string{"a:26379", "b:1"}, Sentinel: "chat", Database: 2, TLS: true}},
		"empty but present": {"url = 'redis://127.0.0.1'\nca_file = ''\nsentinel = ''", config.Redis{Addresses: []string{"127.0.0.1:6379"}}},
	} {
		t.Run(name, func(t *testing.T) {
			cfg, err := config.Load(write(t, edit(t, good, `path = "replay.db"`, "store = 'redis'\n"+c.settings)), everything())
			if err != nil || len(cfg.Warnings) > 0 {
				t.Fatal(err, cfg.Warnings)
			}
			want := config.Replay{Store: config.ReplayRedis, Redis: c.want}
			if diff := cmp.Diff(want, cfg.Replay, cmp.Comparer(func(a, b config.Secret) bool { return a == b })); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestRedisPassword(t *testing.T) {
	const password = "pass:wörd/@ "
	file := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(file, []byte(password+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ settings, environment string }{
		"in the url":         {"url = 'redis://chat:pass:wörd%2F%40%20@127.0.0.1'", ""},
		"in a file":          {"password_file = '" + file + "'", ""},
		"in the environment": {"", "XTOKEND_REPLAY_PASSWORD=" + password},
	} {
		t.Run(name, func(t *testing.T) {
			o := everything()
			o.Environ = []string{c.environment}
			path := write(t, edit(t, good, `path = "replay.db"`, "store = 'redis'\n"+c.settings))
			cfg, err := config.Load(path, o)
			if err != nil || len(cfg.Warnings) > 0 {
				t.Fatal(err, cfg.Warnings)
			}
			if got := cfg.Replay.Redis.Password.Reveal(); got != password {
				t.Errorf("%q", got)
			}
			if o.Need = config.Keys; c.environment != "" {
				return
			}
			if cfg, err := config.Load(path, o); err != nil || cfg.Replay.Redis.Password.Reveal() != "" {
				t.Errorf("not needed, but read: %v", err)
			}
		})
	}
}

func TestRedisPasswordForAllToRead(t *testing.T) {
	path := write(t, edit(t, good, redisURL("redis://:hush@127.0.0.1")...))
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	cfg, err := config.Load(path, everything())
	if err != nil || len(cfg.Warnings) != 1 || !strings.Contains(cfg.Warnings[0].Text, "replay.password") {
		t.Errorf("%v %v", err, cfg.Warnings)
	}
}

// Whatever is wrong with a URL, its password is not shown.
func TestRedisURLIsNotShown(t *testing.T) {
	for _, url := range []string{"redis://:hush@", "http://:hush@127.0.0.1", ":hush@127.0.0.1", "redis://:hush@a:b", "redis://:hush%zz@a", "redis://hush@@a:0", "redis://chat:1234/hush@a", "redis://hush/@a"} {
		cfg, err := config.Load(write(t, edit(t, good, redisURL(url)...)), everything())
		if faults := faultsOf(t, err); len(faults) != 1 || strings.Contains(err.Error(), "hush") {
			t.Errorf("%s: %v", url, err)
		}
		if len(cfg.Warnings) > 0 {
			t.Errorf("%s: %v", url, cfg.Warnings)
		}
	}
}
