package config_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"xtokend/cmd/xtokend/internal/config"
	"xtokend/internal/testcert"
)

const (
	seed          = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
	tokenSecret   = "MFRGGZDFMZTWQ2LKNNWG23TPOBYXE43U"
	accountSecret = "an-account-secret-of-32-or-more-characters"
	linkSecret    = "a-component-secret"
)

// good is a file without fault or warning; cases replace lines of it.
const good = `listen = ["xmpp://127.0.0.1:5222"]
[[domain]]
name = "example.org"
[[domain.key]]
otp_seed = "` + seed + `"
token_secret = "` + tokenSecret + `"
[domain.server]
addresses = ["127.0.0.1:5322"]
account_secret = "` + accountSecret + `"
[domain.component]
name = "xtoken.example.org"
secret = "` + linkSecret + `"
[replay]
path = "replay.db"
[limits]
[log]
`

var now = time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)

func everything() config.Options {
	return config.Options{Need: config.Everything, Now: now, Environ: []string{}}
}

// write writes a settings file that only its owner may read.
func write(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "xtokend.toml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// edit replaces each first text of a pair by the second; the first must be there.
func edit(t *testing.T, text string, pairs ...string) string {
	t.Helper()
	for i := 0; i < len(pairs); i += 2 {
		if !strings.Contains(text, pairs[i]) {
			t.Fatalf("the file has no %q", pairs[i])
		}
		text = strings.Replace(text, pairs[i], pairs[i+1], 1)
	}
	return text
}

func faultsOf(t *testing.T, err error) config.Faults {
	t.Helper()
	var faults config.Faults
	if !errors.As(err, &faults) || len(faults) == 0 {
		t.Fatalf("error %v, want faults", err)
	}
	return faults
}

// writePair writes a certificate for names and its key.
func writePair(t *testing.T, dir string, notBefore, notAfter time.Time, names ...string) (certificate, key string) {
	t.Helper()
	pair, err := testcert.New(testcert.Spec{Serial: 1, NotBefore: notBefore, NotAfter: notAfter, Names: names})
	if err != nil {
		t.Fatal(err)
	}
	certificate, key = filepath.Join(dir, "fullchain.pem"), filepath.Join(dir, "privkey.pem")
	if err := pair.Write(certificate, key, ""); err != nil {
		t.Fatal(err)
	}
	return certificate, key
}
