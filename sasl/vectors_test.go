package sasl_test

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"
	_ "time/tzdata" // the zones of the vectors, on any machine

	"xtokend/auth"
	"xtokend/auth/replay"
	"xtokend/sasl"
)

// vectors is the part of testdata/tokens.json that a single login needs.
type vectors struct {
	Seed   string `json:"otp_seed"`
	Secret string `json:"token_secret"`
	Cases  []struct {
		Name, Authcid, Domain, Token, Want string
		Now                                int64
		Config                             struct {
			Skew     *int
			FoldCase bool   `json:"fold_case"`
			Zone     string `json:"issuer_timezone"`
			OldKey   *struct {
				Seed   string `json:"otp_seed"`
				Secret string `json:"token_secret"`
			} `json:"old_key"`
		}
	}
}

func loadVectors(t testing.TB) *vectors {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("..", "testdata", "tokens.json"))
	if err != nil {
		t.Fatal(err)
	}
	v := new(vectors)
	if err := json.Unmarshal(data, v); err != nil {
		t.Fatal(err)
	}
	if len(v.Cases) < 50 {
		t.Fatalf("%d cases: the file is cut short", len(v.Cases))
	}
	return v
}

// TestVectors: each token's verdict comes out as its condition, by each
// mechanism.
func TestVectors(t *testing.T) {
	v := loadVectors(t)
	seen := map[sasl.Condition]int{}
	for _, c := range v.Cases {
		t.Run(c.Name, func(t *testing.T) {
			_, badName := auth.PrepareName(c.Authcid)
			for _, mechanism := range mechanisms {
				config := auth.Config{
					Domain: c.Domain, Skew: auth.DefaultSkew, FoldCase: c.Config.FoldCase,
					Store: replay.NewMemory(replay.MemoryOptions{}),
					Now:   func() time.Time { return time.Unix(c.Now, 0) },
				}
				addKey := func(seed, secret string) {
					key, err := auth.NewKey(seed, secret, time.Time{})
					if err != nil {
						t.Fatal(err)
					}
					config.Keys = append(config.Keys, key)
				}
				addKey(v.Seed, v.Secret)
				if old := c.Config.OldKey; old != nil {
					addKey(old.Seed, old.Secret)
				}
				if c.Config.Skew != nil {
					config.Skew = *c.Config.Skew
				}
				if c.Config.Zone != "" {
					zone, err := time.LoadLocation(c.Config.Zone)
					if err != nil {
						t.Fatal(err)
					}
					config.IssuerTimezone = zone
				}
				verifier, err := auth.NewVerifier(config)
				if err != nil {
					t.Fatal(err)
				}
				want := map[string]sasl.Condition{
					"ok": "", "malformed": sasl.MalformedRequest, "bad-signature": sasl.NotAuthorized, "expired": sasl.CredentialsExpired,
				}[c.Want]
				if c.Want == "malformed" && mechanism == sasl.Plain && badName == nil {
					want = sasl.NotAuthorized
				}
				var got sasl.Condition
				_, err = login(t, verifier, mechanism, "", c.Authcid, c.Token)
				if failure := (*sasl.Failure)(nil); errors.As(err, &failure) {
					got = failure.Condition
					checkSilence(t, failure, c.Token)
				}
				if got != want {
					t.Errorf("%s: %q (%v), want %q", mechanism, got, err, want)
				}
				seen[got]++
			}
		})
	}
	if len(seen) != 4 {
		t.Errorf("the vectors led to %v alone", seen)
	}
}
