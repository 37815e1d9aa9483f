package config_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"xtokend/cmd/xtokend/internal/config"
)

func TestSecretsFromFiles(t *testing.T) {
	path := write(t, edit(t, good,
		`otp_seed = "`+seed+`"`, `otp_seed_file = "s/seed"`,
		`token_secret = "`+tokenSecret+`"`, `token_secret_file = "s/token"`,
		`account_secret = "`+accountSecret+`"`, `account_secret_file = "s/account"`,
		`secret = "`+linkSecret+`"`, `secret_file = "s/link"`))
	dir := filepath.Join(filepath.Dir(path), "s")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"seed": seed, "token": tokenSecret + "\n", "account": accountSecret + "\r\n", "link": linkSecret,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o640); err != nil {
			t.Fatal(err)
		}
	}
	cfg, err := config.Load(path, everything())
	if err != nil {
		t.Fatal(err)
	}
	d := cfg.Domains[0]
	if d.Server.AccountSecret.Reveal() != accountSecret || d.Component.Secret.Reveal() != linkSecret || len(d.Keys) != 1 {
		t.Error("a secret did not arrive")
	}
	if len(cfg.Warnings) > 0 {
		t.Errorf("warnings: %v", cfg.Warnings)
	}

	if err := os.Chmod(filepath.Join(dir, "account"), 0o644); err != nil {
		t.Fatal(err)
	}
	cfg, err = config.Load(path, everything())
	if err != nil {
		t.Fatal(err)
	}
	wantWarning(t, cfg.Warnings, "domain[0].server.account_secret_file", "every user of this machine can read")

	for name, text := range map[string]string{"empty": "", "only a line end": "\n", "two lines": accountSecret + "\n\n", "two secrets": accountSecret + "\n" + accountSecret} {
		if err := os.WriteFile(filepath.Join(dir, "account"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := config.Load(path, everything())
		if f := faultsOf(t, err); len(f) != 1 || f[0].Key != "domain[0].server.account_secret_file" || !strings.Contains(f[0].Text, "on one line") {
			t.Errorf("%s: %v", name, f)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "account"), make([]byte, 64<<10+1), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = config.Load(path, everything())
	if f := faultsOf(t, err); !strings.Contains(f[0].Text, "too long") {
		t.Errorf("a long file: %v", f)
	}
}

func TestSecretsFromTheEnvironment(t *testing.T) {
	path := write(t, edit(t, good,
		`otp_seed = "`+seed+`"`, "",
		`token_secret = "`+tokenSecret+`"`, "",
		`account_secret = "`+accountSecret+`"`, "",
		`secret = "`+linkSecret+`"`, ""))
	o := everything()
	o.Environ = []string{
		"PATH=/bin",
		"XTOKEND_DOMAIN_0_KEY_0_OTP_SEED=" + seed,
		"XTOKEND_DOMAIN_0_KEY_0_TOKEN_SECRET=" + tokenSecret,
		"XTOKEND_DOMAIN_0_SERVER_ACCOUNT_SECRET=" + accountSecret,
		"XTOKEND_DOMAIN_0_COMPONENT_SECRET=" + linkSecret,
	}
	cfg, err := config.Load(path, o)
	if err != nil {
		t.Fatal(err)
	}
	d := cfg.Domains[0]
	if d.Server.AccountSecret.Reveal() != accountSecret || d.Component.Secret.Reveal() != linkSecret || len(d.Keys) != 1 {
		t.Error("a secret did not arrive")
	}
	if len(cfg.Warnings) > 0 {
		t.Errorf("warnings: %v", cfg.Warnings)
	}

	for name, c := range map[string]struct{ suffix, fault string }{
		"a line end":  {"\n", ""},
		"Windows's":   {"\r\n", ""},
		"two lines":   {"\n\n", "the environment variable XTOKEND_DOMAIN_0_COMPONENT_SECRET must hold the secret on one line"},
		"two secrets": {"\n" + linkSecret, "the environment variable XTOKEND_DOMAIN_0_COMPONENT_SECRET must hold the secret on one line"},
	} {
		o := o
		o.Environ = append(o.Environ[:4:4], o.Environ[4]+c.suffix)
		cfg, err := config.Load(path, o)
		if c.fault == "" {
			if err != nil || cfg.Domains[0].Component.Secret.Reveal() != linkSecret {
				t.Errorf("%s: error %v", name, err)
			}
		} else if f := faultsOf(t, err); len(f) != 1 || f[0].Key != "domain[0].component.secret" || !strings.Contains(f[0].Text, c.fault) {
			t.Errorf("%s: %v", name, f)
		}
	}

	o.Environ = append(o.Environ, "XTOKEND_DOMAIN_1_KEY_0_OTP_SEED="+seed)
	cfg, err = config.Load(path, o)
	if err != nil {
		t.Fatal(err)
	}
	wantWarning(t, cfg.Warnings, "", "XTOKEND_DOMAIN_1_KEY_0_OTP_SEED belongs to no secret")

	_, err = config.Load(write(t, good), o)
	f := faultsOf(t, err)
	if len(f) != 4 || !strings.Contains(f[0].Text, "otp_seed and the environment variable XTOKEND_DOMAIN_0_KEY_0_OTP_SEED") {
		t.Errorf("file and environment: %v", f)
	}

	o.Environ = []string{"XTOKEND_DOMAIN_0_SERVER_ACCOUNT_SECRET="}
	if _, err := config.Load(write(t, good), o); err != nil {
		t.Errorf("an empty variable: %v", err)
	}
}

// Whoever runs check sees what is wrong, instead of waiting for a writer.
func TestSecretFileThatIsAPipe(t *testing.T) {
	path := write(t, edit(t, good, `token_secret = "`+tokenSecret+`"`, `token_secret_file = "pipe"`))
	if err := syscall.Mkfifo(filepath.Join(filepath.Dir(path), "pipe"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := config.Load(path, everything())
	if f := faultsOf(t, err); len(f) != 1 || f[0].Key != "domain[0].key[0].token_secret_file" || !strings.Contains(f[0].Text, "no regular file") {
		t.Errorf("got %v", f)
	}
}

func TestSecretIsNotShown(t *testing.T) {
	cfg, err := config.Load(write(t, good), everything())
	if err != nil {
		t.Fatal(err)
	}
	encoded, err := json.Marshal(cfg)
	if err != nil {
		t.Fatal(err)
	}
	var logged bytes.Buffer
	logger := slog.New(slog.NewTextHandler(&logged, nil))
	s := cfg.Domains[0].Server.AccountSecret
	logger.Info("x", "secret", s, "config", cfg)
	for name, text := range map[string]string{
		"fmt":      fmt.Sprintf("%v %+v %#v %s %q %x %d", s, s, s, s, s, s, s),
		"whole":    fmt.Sprintf("%v %+v %#v", cfg, cfg, cfg),
		"pointer":  fmt.Sprintf("%v %+v", &cfg.Domains[0].Server, cfg.Domains[0].Component),
		"JSON":     string(encoded),
		"log":      logged.String(),
		"stringer": s.String(),
	} {
		for _, secret := range []string{seed, tokenSecret, accountSecret, linkSecret, fmt.Sprintf("%x", accountSecret)} {
			if strings.Contains(text, secret) {
				t.Errorf("%s shows a secret: %s", name, text)
			}
		}
		if name != "whole" && name != "pointer" && !strings.Contains(text, "[secret]") {
			t.Errorf("%s does not say that a secret is there: %s", name, text)
		}
	}
}

// A file that is not TOML must not be quoted: a secret may be what is wrong.
func TestSyntaxErrorsHideSecrets(t *testing.T) {
	for name, c := range map[string]struct{ old, new, secret string }{
		"unquoted letters":     {`"` + tokenSecret + `"`, tokenSecret, tokenSecret},
		"unquoted digits":      {`"` + tokenSecret + `"`, "98765432109876543210", "9876543210"},
		"leading zero":         {`"` + tokenSecret + `"`, "0987654321", "987654321"},
		"unquoted after true":  {`"` + tokenSecret + `"`, "trueMFRGGZ", "MFRGGZ"},
		"date":                 {`"` + tokenSecret + `"`, "2026-13-99", "2026-13-99"},
		"float":                {`"` + tokenSecret + `"`, "1.2.3e456", "456"},
		"bare line":            {`token_secret = "` + tokenSecret + `"`, tokenSecret, tokenSecret},
		"unclosed quote":       {tokenSecret + `"`, tokenSecret, tokenSecret},
		"escape":               {`"` + tokenSecret + `"`, `"\u12` + tokenSecret + `"`, tokenSecret},
		"text behind the text": {`"` + tokenSecret + `"`, `"` + tokenSecret + `" ` + tokenSecret, tokenSecret},
		"secret as a key":      {`token_secret = "` + tokenSecret + `"`, tokenSecret + " = 1\n" + tokenSecret + " = 2", tokenSecret},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := config.Load(write(t, edit(t, good, c.old, c.new)), everything())
			f := faultsOf(t, err)
			if !strings.Contains(f[0].Text, "is not valid TOML") {
				t.Errorf("got %v", f)
			}
			if strings.Contains(err.Error(), c.secret) {
				t.Errorf("the secret is shown: %v", err)
			}
		})
	}
}

// The secret that was replaced is named as any other is.
func TestPreviousAccountSecret(t *testing.T) {
	const previous = "the-account-secret-before-of-32-or-more"
	for _, c := range []struct {
		name, given string
		environ     []string
		want        string
		warning     string
	}{
		{"none", "", nil, "", ""},
		{"empty", "account_secret_previous = ''\naccount_secret_previous_file = ''\n", nil, "", ""},
		{"in the settings", "account_secret_previous = '" + previous + "'\n", nil, previous, "can still log in"},
		{"in the environment", "", []string{"XTOKEND_DOMAIN_0_SERVER_ACCOUNT_SECRET_PREVIOUS=" + previous}, previous, "can still log in"},
		{"the secret itself", "account_secret_previous = '" + accountSecret + "'\n", nil, "", "is the account secret itself"},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := everything()
			o.Environ = c.environ
			if o.Environ == nil {
				o.Environ = []string{}
			}
			cfg, err := config.Load(write(t, edit(t, good, "addresses", c.given+"addresses")), o)
			if err != nil {
				t.Fatal(err)
			}
			if got := cfg.Domains[0].Server.PreviousSecret.Reveal(); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
			if c.warning != "" {
				wantWarning(t, cfg.Warnings, "domain[0].server.account_secret_previous", c.warning)
			} else if len(cfg.Warnings) > 0 {
				t.Errorf("warnings: %q", cfg.Warnings)
			}
		})
	}
}
