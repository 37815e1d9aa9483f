package config_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"xtokend/cmd/xtokend/internal/config"
)

func wantWarning(t *testing.T, warnings []config.Finding, key, text string) {
	t.Helper()
	if len(warnings) != 1 || warnings[0].Key != key || !strings.Contains(warnings[0].Text, text) {
		t.Errorf("warnings %v, want one with key %q and text with %q", warnings, key, text)
	}
}

func TestWarnings(t *testing.T) {
	for _, c := range []struct {
		name string
		edit []string
		key  string
		text string
	}{
		{"weak seed", []string{seed, "GEZDGNBVGY3TQOJQ"}, "domain[0].key[0].otp_seed", "80 bits"},
		{"published seed", []string{seed, "XVGR73KMZH2M4XMY" + "XVGR73KMZH2M4XMY", tokenSecret, "JYXEX4IQOEYFYQ2S3MC5P4ZT4SDHYEA7"}, "domain[0].key[0]", "anybody can sign"},
		{"weak token secret", []string{tokenSecret, "fifteen-letters"}, "domain[0].key[0].token_secret", "15 characters"},
		{"name in ASCII form", []string{`"example.org"`, `"XN--bcher-kva.example"`}, "domain[0].name", "stands for bücher.example: tokens are signed for that name, and one signed for XN--bcher-kva.example is refused"},
		{"end at the zero time", []string{`[domain.server]`, "[[domain.key]]\notp_seed = '" + seed + "'\ntoken_secret = 'another-token-secret'\nnot_after = 0001-01-01T00:00:00Z\n[domain.server]"}, "domain[0].key[1].not_after", "the key has ended"},
		{"key that ended", []string{`[domain.server]`, "[[domain.key]]\notp_seed = '" + seed + "'\ntoken_secret = 'another-token-secret'\nnot_after = 2026-06-01T12:00:00Z\n[domain.server]"}, "domain[0].key[1].not_after", "the key has ended"},
		{"wide window", []string{`name =`, "skew = 3\nname ="}, "domain[0].skew", "up to 210 s"},
		{"fold_case", []string{`name =`, "fold_case = true\nname ="}, "domain[0].fold_case", "case alone"},
		{"issuer_timezone", []string{`name =`, "issuer_timezone = 'Asia/Kolkata'\nname ="}, "domain[0].issuer_timezone", "a bridge only"},
		{"takeover", []string{`addresses`, "takeover = true\naddresses"}, "domain[0].server.takeover", "is replaced"},
		{"weak component secret", []string{linkSecret, "hunter2"}, "domain[0].component.secret", "7 characters"},
		{"shortest good token secret, weak component secret", []string{tokenSecret, "sixteen-letters.", linkSecret, "hunter2"}, "domain[0].component.secret", "7 characters"},
		{"http+insecure", []string{`xmpp://127.0.0.1`, `http+insecure://[::]`}, "listen[0]", "http+insecure://[::]:5222 is not encrypted: no login is offered over it"},
		{"everybody is a proxy", []string{`[[domain]]`, "trusted_proxies = ['0.0.0.0/0']\n[[domain]]"}, "trusted_proxies[0]", "0.0.0.0/0 is everybody"},
		{"origins without a web listener", []string{`[[domain]]`, "allowed_origins = ['https://www.example.org']\n[[domain]]"}, "allowed_origins", "has no effect: no listener is for browsers"},
		{"public URL without a web listener", []string{`name =`, "public_urls = ['wss://chat.example.org/xmpp-websocket']\nname ="}, "domain[0].public_urls", "has no effect: no listener is for browsers"},
		{"no proxy", []string{`xmpp://`, `http://`, `[[domain]]`, "trusted_proxies = []\n[[domain]]"}, "trusted_proxies", "on other machines cannot log in"},
		{"no proxy, TCP beside it", []string{`["xmpp://`, `["http+insecure://[::1]:5280", "xmpp://`, `[[domain]]`, "trusted_proxies = []\n[[domain]]"}, "trusted_proxies", "on other machines cannot log in"},
		{"no proxy on this machine", []string{`xmpp://`, `http://`, `[[domain]]`, "trusted_proxies = ['192.0.2.1', '2001:db8::/32']\n[[domain]]"}, "trusted_proxies", "names no proxy on this machine"},
		{"redis in clear", redisURL("redis://redis.example.org"), "replay.url", "redis.example.org:6379 is not encrypted"},
		{"memory store", []string{`path = "replay.db"`, `store = "memory"`}, "replay.store", "forgets at a restart"},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg, err := config.Load(write(t, edit(t, good, c.edit...)), everything())
			if err != nil {
				t.Fatal(err)
			}
			wantWarning(t, cfg.Warnings, c.key, c.text)
		})
	}
}

func TestNoWarning(t *testing.T) {
	const browsers = "allowed_origins = ['https://www.example.org']\n[[domain]]\npublic_urls = ['wss://chat.example.org/xmpp-websocket']"
	for name, changes := range map[string][]string{
		"web listener":                      {`xmpp://`, `http://`, `[[domain]]`, browsers},
		"empty lists without one":           {`[[domain]]`, "allowed_origins = []\ntrusted_proxies = []\n[[domain]]\npublic_urls = []"},
		"one proxy on this machine":         {`xmpp://`, `http://`, `[[domain]]`, "trusted_proxies = ['192.0.2.1', '127.0.0.9']\n[[domain]]"},
		"one proxy on this machine, IPv6":   {`xmpp://127.0.0.1`, `http://[::1]`, `[[domain]]`, "trusted_proxies = ['::1']\n[[domain]]"},
		"prefix with this machine":          {`xmpp://`, `http://`, `[[domain]]`, "trusted_proxies = ['126.0.0.0/7']\n[[domain]]"},
		"proxies elsewhere, and a listener": {`["xmpp://`, `["http://192.0.2.10:5280", "http://`, `[[domain]]`, "trusted_proxies = ['192.0.2.1']\n[[domain]]"},
	} {
		t.Run(name, func(t *testing.T) {
			cfg, err := config.Load(write(t, edit(t, good, changes...)), everything())
			if err != nil || len(cfg.Warnings) > 0 {
				t.Errorf("warnings %v, error %v", cfg.Warnings, err)
			}
		})
	}
}

// Without proxies on loopback HTTPS serves clients of other machines by itself.
func TestNoProxyBesideHTTPS(t *testing.T) {
	path := write(t, edit(t, good, `["xmpp://`, `["https://127.0.0.1:5281", "http://`,
		`[[domain]]`, "trusted_proxies = []\n[tls]\ncertificate = 'fullchain.pem'\nkey = 'privkey.pem'\n[[domain]]"))
	writePair(t, filepath.Dir(path), now.Add(-time.Hour), now.AddDate(0, 3, 0), "example.org")
	cfg, err := config.Load(path, everything())
	if err != nil || len(cfg.Warnings) > 0 {
		t.Errorf("warnings %v, error %v", cfg.Warnings, err)
	}
}

// A listener for browsers that is misspelt is a fault, not the lack of one.
func TestNoWarningBesideAFault(t *testing.T) {
	cfg, err := config.Load(write(t, edit(t, good, `xmpp://`, `htp://`, `[[domain]]`, "allowed_origins = ['https://www.example.org']\n[[domain]]")), everything())
	if faults := faultsOf(t, err); len(faults) != 1 || len(cfg.Warnings) > 0 {
		t.Errorf("faults %v, warnings %v", faults, cfg.Warnings)
	}
}

func TestEveryKeyEnded(t *testing.T) {
	cfg, err := config.Load(write(t, edit(t, good, `otp_seed =`, "not_after = 2026-06-01T12:00:00Z\notp_seed =")), everything())
	if err != nil {
		t.Fatal(err)
	}
	if len(cfg.Warnings) != 2 || !strings.Contains(cfg.Warnings[1].Text, "nobody can log in") {
		t.Errorf("warnings %v", cfg.Warnings)
	}
}

func TestReadableSettings(t *testing.T) {
	for mode, warned := range map[os.FileMode]bool{0o600: false, 0o640: true, 0o604: true, 0o400: false} {
		path := write(t, good)
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		cfg, err := config.Load(path, everything())
		if err != nil {
			t.Fatal(err)
		}
		if warned {
			wantWarning(t, cfg.Warnings, "", "more than its owner can read it")
		} else if len(cfg.Warnings) > 0 {
			t.Errorf("mode %o: warnings %v", mode, cfg.Warnings)
		}
	}
}

func TestCertificate(t *testing.T) {
	for _, c := range []struct {
		name      string
		notBefore time.Time
		notAfter  time.Time
		names     []string
		text      string // of the warning; "": none
	}{
		{"good", now.Add(-time.Hour), now.AddDate(0, 3, 0), []string{"example.org"}, ""},
		{"wildcard above", now.Add(-time.Hour), now.AddDate(0, 3, 0), []string{"*.org"}, ""},
		{"expired", now.AddDate(0, -3, 0), now.Add(-time.Second), []string{"example.org"}, "has expired"},
		{"expires soon", now.AddDate(0, -3, 0), now.AddDate(0, 0, 13), []string{"example.org"}, "expires on"},
		{"not yet valid", now.Add(time.Hour), now.AddDate(0, 3, 0), []string{"example.org"}, "is not valid before"},
		{"other name", now.Add(-time.Hour), now.AddDate(0, 3, 0), []string{"chat.example.org"}, "is not for example.org"},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := write(t, edit(t, good, `[[domain]]`, "[tls]\ncertificate = 'fullchain.pem'\nkey = 'privkey.pem'\n[[domain]]"))
			writePair(t, filepath.Dir(path), c.notBefore, c.notAfter, c.names...)
			cfg, err := config.Load(path, everything())
			if err != nil {
				t.Fatal(err)
			}
			if c.text == "" {
				if len(cfg.Warnings) > 0 {
					t.Errorf("warnings %v", cfg.Warnings)
				}
				return
			}
			wantWarning(t, cfg.Warnings, "tls.certificate", c.text)
		})
	}
}

// Browsers look for the name of the address that their page gives.
func TestCertificateOfAWebListener(t *testing.T) {
	path := write(t, edit(t, good, `xmpp://`, `https://`, `[[domain]]`, "[tls]\ncertificate = 'fullchain.pem'\nkey = 'privkey.pem'\n[[domain]]"))
	writePair(t, filepath.Dir(path), now.Add(-time.Hour), now.AddDate(0, 3, 0), "chat.example.org")
	cfg, err := config.Load(path, everything())
	if err != nil {
		t.Fatal(err)
	}
	if len(cfg.Warnings) > 0 {
		t.Errorf("warnings %v", cfg.Warnings)
	}
}

func TestCertificateFaults(t *testing.T) {
	path := write(t, edit(t, good, `[[domain]]`, "[tls]\ncertificate = 'fullchain.pem'\nkey = 'privkey.pem'\n[[domain]]"))
	dir := filepath.Dir(path)
	_, err := config.Load(path, everything())
	if f := faultsOf(t, err); len(f) != 2 || f[0].Key != "tls.certificate" || f[1].Key != "tls.key" || !strings.Contains(f[0].Text, "no such file") {
		t.Errorf("no files: %v", f)
	}
	certificate, key := writePair(t, dir, now.Add(-time.Hour), now.AddDate(0, 3, 0), "example.org")
	first, err := os.ReadFile(certificate)
	if err != nil {
		t.Fatal(err)
	}
	writePair(t, dir, now.Add(-time.Hour), now.AddDate(0, 3, 0), "example.org")
	if err := os.WriteFile(certificate, first, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = config.Load(path, everything())
	if f := faultsOf(t, err); len(f) != 1 || f[0].Key != "tls" || !strings.Contains(f[0].Text, "do not make a pair") {
		t.Errorf("another's key: %v", f)
	}
	writePair(t, dir, now.Add(-time.Hour), now.AddDate(0, 3, 0), "example.org")
	if err := os.Chmod(key, 0o644); err != nil {
		t.Fatal(err)
	}
	cfg, err := config.Load(path, everything())
	if err != nil {
		t.Fatal(err)
	}
	wantWarning(t, cfg.Warnings, "tls.key", "every user of this machine can read")
}
