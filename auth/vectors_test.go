package auth_test

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"
	_ "time/tzdata" // the zones of the vectors, on any machine

	"xtokend/auth"
	"xtokend/auth/replay"
)

// vectors is testdata/tokens.json: tokens made with pyotp and Python's hmac, and the verdict that each must get.
type vectors struct {
	Seed   string `json:"otp_seed"`
	Secret string `json:"token_secret"`
	Cases  []struct {
		vector
		Name  string `json:"name"`
		Token string `json:"token"`
		Want  string `json:"want"`
	} `json:"cases"`
	Sequences []struct {
		vector
		Name  string `json:"name"`
		Steps []struct {
			Now     *int64 `json:"now"`
			Authcid string `json:"authcid"`
			Token   string `json:"token"`
			Want    anyOf  `json:"want"`
		} `json:"steps"`
	} `json:"sequences"`
}

type vector struct {
	Now     int64  `json:"now"`
	Authcid string `json:"authcid"`
	Domain  string `json:"domain"`
	Config  struct {
		Skew     *int   `json:"skew"`
		FoldCase bool   `json:"fold_case"`
		Zone     string `json:"issuer_timezone"`
		OldKey   *struct {
			Seed   string `json:"otp_seed"`
			Secret string `json:"token_secret"`
		} `json:"old_key"`
	} `json:"config"`
}

// anyOf is one verdict or a list of acceptable ones.
type anyOf []string

func (a *anyOf) UnmarshalJSON(data []byte) error {
	var one string
	if json.Unmarshal(data, &one) == nil {
		*a = anyOf{one}
		return nil
	}
	return json.Unmarshal(data, (*[]string)(a))
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
	if len(v.Cases) < 50 || len(v.Sequences) < 8 {
		t.Fatalf("%d cases and %d sequences: the file is cut short", len(v.Cases), len(v.Sequences))
	}
	return v
}

// verifier returns the verifier that a vector asks for.
func (v *vectors) verifier(t testing.TB, c *vector, store replay.Store, now func() time.Time) *auth.Verifier {
	t.Helper()
	config := auth.Config{
		Domain:   c.Domain,
		Keys:     []auth.Key{newKey(t, v.Seed, v.Secret)},
		Skew:     auth.DefaultSkew,
		FoldCase: c.Config.FoldCase,
		Store:    store,
		Now:      now,
	}
	if c.Config.Skew != nil {
		config.Skew = *c.Config.Skew
	}
	if c.Config.Zone != "" {
		config.IssuerTimezone = loadZone(t, c.Config.Zone)
	}
	if old := c.Config.OldKey; old != nil {
		config.Keys = append(config.Keys, newKey(t, old.Seed, old.Secret))
	}
	verifier, err := auth.NewVerifier(config)
	if err != nil {
		t.Fatal(err)
	}
	return verifier
}

func newKey(t testing.TB, seed, secret string) auth.Key {
	t.Helper()
	key, err := auth.NewKey(seed, secret, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func loadZone(t testing.TB, name string) *time.Location {
	t.Helper()
	zone, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return zone
}

// verdict prepares the name and verifies, as a server does.
func verdict(t testing.TB, v *auth.Verifier, authcid, token string) string {
	t.Helper()
	name, err := auth.PrepareName(authcid)
	if err == nil {
		_, err = v.Verify(context.Background(), name, token)
	}
	if err == nil {
		return "ok"
	}
	var refusal *auth.Refusal
	if !errors.As(err, &refusal) {
		t.Fatalf("%T is no *auth.Refusal: %v", err, err)
	}
	return string(refusal.Reason)
}

// stores are the ways to remember uses, for tests that must hold with each.
var stores = []struct {
	name string
	open func(t *testing.T) replay.Store
}{
	{"memory", func(t *testing.T) replay.Store { return replay.NewMemory(replay.MemoryOptions{}) }},
	{"file", func(t *testing.T) replay.Store {
		store, err := replay.OpenFile(filepath.Join(t.TempDir(), "replay.db"), replay.FileOptions{})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := store.Close(); err != nil {
				t.Error(err)
			}
		})
		return store
	}},
}

func TestVectors(t *testing.T) {
	v := loadVectors(t)
	for _, c := range v.Cases {
		t.Run(c.Name, func(t *testing.T) {
			now := func() time.Time { return time.Unix(c.Now, 0) }
			verifier := v.verifier(t, &c.vector, replay.NewMemory(replay.MemoryOptions{}), now)
			if got := verdict(t, verifier, c.Authcid, c.Token); got != c.Want {
				t.Errorf("Verify: %s, want %s", got, c.Want)
			}
			explanation := verifier.Explain(now(), c.Authcid, c.Token)
			if explanation.Verdict != c.Want {
				t.Errorf("Explain: %s, want %s", explanation.Verdict, c.Want)
			}
			if len(explanation.Findings) == 0 {
				t.Error("Explain has found nothing to say")
			}
			for _, finding := range explanation.Findings {
				t.Log(finding)
			}
		})
	}
}

func TestVectorSequences(t *testing.T) {
	v := loadVectors(t)
	for _, store := range stores {
		for _, sequence := range v.Sequences {
			t.Run(store.name+"/"+sequence.Name, func(t *testing.T) {
				now := sequence.Now
				verifier := v.verifier(t, &sequence.vector, store.open(t), func() time.Time { return time.Unix(now, 0) })
				for i, step := range sequence.Steps {
					if step.Now != nil {
						now = *step.Now
					}
					authcid := sequence.Authcid
					if step.Authcid != "" {
						authcid = step.Authcid
					}
					if got := verdict(t, verifier, authcid, step.Token); !slices.Contains(step.Want, got) {
						t.Errorf("step %d: %s, want %v", i+1, got, step.Want)
					}
				}
			})
		}
	}
}
