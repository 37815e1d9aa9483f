// Package vectors gives tests the tokens of testdata/tokens.json, which were
// made with pyotp and Python's hmac, and the verdict that each must get.
package vectors

import (
	"encoding/json"
	"os"
	"testing"
	"time"
	_ "time/tzdata" // the zones of the vectors, on any machine

	"xtokend/auth"
	"xtokend/auth/replay"
)

// File is all of testdata/tokens.json.
type File struct {
	Key
	Cases     []Case     `json:"cases"`
	Sequences []Sequence `json:"sequences"`
}

// Key is an OTP seed and a token secret.
type Key struct {
	Seed   string `json:"otp_seed"`
	Secret string `json:"token_secret"`
}

// Login is what all kinds of vector have.
type Login struct {
	Name    string `json:"name"`
	Now     int64  `json:"now"` // Unix time
	Authcid string `json:"authcid"`
	Domain  string `json:"domain"`
	Config  Config `json:"config"`
}

// Config is the settings of a vector; a nil Skew is the default one.
type Config struct {
	Skew     *int   `json:"skew"`
	FoldCase bool   `json:"fold_case"`
	Zone     string `json:"issuer_timezone"`
	OldKey   *Key   `json:"old_key"` // accepted beside the file's
}

// Case is one token.
type Case struct {
	Login
	Token string `json:"token"`
	Want  string `json:"want"`
}

// Sequence is tokens presented one after the other.
type Sequence struct {
	Login
	Steps []Step `json:"steps"`
}

// Step is one token of a sequence. Now and Authcid are the sequence's if they
// are nil and empty.
type Step struct {
	Now     *int64 `json:"now"`
	Authcid string `json:"authcid"`
	Token   string `json:"token"`
	Want    AnyOf  `json:"want"`
}

// AnyOf is the verdicts that are right.
type AnyOf []string

// UnmarshalJSON reads one verdict or a list.
func (a *AnyOf) UnmarshalJSON(data []byte) error {
	var one string
	if json.Unmarshal(data, &one) == nil {
		*a = AnyOf{one}
		return nil
	}
	return json.Unmarshal(data, (*[]string)(a))
}

// Load reads the file at path, which is relative to the test's own folder.
func Load(t testing.TB, path string) *File {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	f := new(File)
	if err := json.Unmarshal(data, f); err != nil {
		t.Fatal(err)
	}
	if len(f.Cases) < 50 || len(f.Sequences) < 8 {
		t.Fatalf("%d cases and %d sequences: the file is cut short", len(f.Cases), len(f.Sequences))
	}
	return f
}

// Verifier returns the verifier that a vector asks for.
func (f *File) Verifier(t testing.TB, l *Login, store replay.Store, now func() time.Time) *auth.Verifier {
	t.Helper()
	config := auth.Config{
		Domain: l.Domain, Keys: []auth.Key{f.Key.auth(t)}, Skew: auth.DefaultSkew,
		FoldCase: l.Config.FoldCase, Store: store, Now: now,
	}
	if l.Config.Skew != nil {
		config.Skew = *l.Config.Skew
	}
	if l.Config.Zone != "" {
		zone, err := time.LoadLocation(l.Config.Zone)
		if err != nil {
			t.Fatal(err)
		}
		config.IssuerTimezone = zone
	}
	if old := l.Config.OldKey; old != nil {
		config.Keys = append(config.Keys, old.auth(t))
	}
	verifier, err := auth.NewVerifier(config)
	if err != nil {
		t.Fatal(err)
	}
	return verifier
}

func (k Key) auth(t testing.TB) auth.Key {
	t.Helper()
	key, err := auth.NewKey(k.Seed, k.Secret, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	return key
}
