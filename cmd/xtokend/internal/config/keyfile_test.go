package config_test

import (
	"strings"
	"testing"

	"xtokend/cmd/xtokend/internal/config"
)

const keyFile = `[[domain.key]]
otp_seed = "` + seed + `"
token_secret = "` + tokenSecret + `"
`

func TestKeyFile(t *testing.T) {
	path := write(t, keyFile+strings.Replace(keyFile, tokenSecret, "another-token-secret", 1)+"not_after = 2027-01-01T00:00:00Z\n")
	keys, warnings, err := config.LoadKeys(path, config.Options{Now: now, Environ: []string{}})
	if err != nil || len(warnings) > 0 {
		t.Fatalf("warnings %v, error %v", warnings, err)
	}
	if len(keys) != 2 || keys[0].SeedBits() != 160 || !keys[0].NotAfter.IsZero() || keys[1].NotAfter.Year() != 2027 {
		t.Errorf("got %d keys", len(keys))
	}
}

// A weak key is good enough to try with, and is told.
func TestKeyFileWarnings(t *testing.T) {
	keys, warnings, err := config.LoadKeys(write(t, edit(t, keyFile, seed, "GEZDGNBVGY3TQOJQ")), config.Options{Now: now, Environ: []string{}})
	if err != nil || len(keys) != 1 {
		t.Fatalf("%d keys, error %v", len(keys), err)
	}
	wantWarning(t, warnings, "domain.key[0].otp_seed", "80 bits")
}

func TestKeyFileFaults(t *testing.T) {
	for name, c := range map[string]struct {
		text            string
		key, want, hint string
	}{
		"empty":             {"", "domain.key", "has no key", "keygen"},
		"not TOML":          {"[[domain.key", "", "line 1, column", "quotes"},
		"one bracket":       {strings.Replace(keyFile, "[[domain.key]]", "[domain.key]", 1), "", "is not valid TOML", ""},
		"unknown key":       {keyFile + "colour = 1\n", "domain.key.colour", "unknown key", "keygen"},
		"settings":          {"listen = []\n" + keyFile, "listen", "unknown key", "keygen"},
		"no secret":         {strings.Replace(keyFile, "token_secret", "# token_secret", 1), "domain.key[0].token_secret", "is missing", "XTOKEND_DOMAIN_KEY_0_TOKEN_SECRET"},
		"seed not base32":   {strings.Replace(keyFile, seed, "0189!", 1), "domain.key[0].otp_seed", "not base32", "keygen"},
		"number for a seed": {strings.Replace(keyFile, `"`+seed+`"`, "12345678", 1), "domain.key[0].otp_seed", "must be a text in quotes", ""},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, err := config.LoadKeys(write(t, c.text), config.Options{Now: now, Environ: []string{}})
			faults := faultsOf(t, err)
			f := faults[0]
			if len(faults) != 1 || f.Key != c.key || !strings.Contains(f.Text, c.want) || !strings.Contains(f.Hint, c.hint) {
				t.Errorf("%d faults, the first %q, hint %q\nwant key %q, text with %q, hint with %q", len(faults), f, f.Hint, c.key, c.want, c.hint)
			}
			if text := f.String() + f.Hint; strings.Contains(text, seed) || strings.Contains(text, tokenSecret) {
				t.Errorf("a secret is shown: %s", text)
			}
		})
	}
	_, _, err := config.LoadKeys(t.TempDir()+"/nowhere.toml", config.Options{})
	if f := faultsOf(t, err)[0]; !strings.Contains(f.Text, "no such file") || !strings.Contains(f.Hint, "xtokend keygen > ") {
		t.Errorf("got %q, hint %q", f, f.Hint)
	}
}
