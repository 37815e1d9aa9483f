package auth_test

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"xtokend/auth"
	"xtokend/auth/replay"
	"xtokend/internal/vectors"
)

const vectorsFile = "../testdata/tokens.json"

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
	v := vectors.Load(t, vectorsFile)
	for _, c := range v.Cases {
		t.Run(c.Name, func(t *testing.T) {
			now := func() time.Time { return time.Unix(c.Now, 0) }
			verifier := v.Verifier(t, &c.Login, replay.NewMemory(replay.MemoryOptions{}), now)
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
	v := vectors.Load(t, vectorsFile)
	for _, store := range stores {
		for _, sequence := range v.Sequences {
			t.Run(store.name+"/"+sequence.Name, func(t *testing.T) {
				now := sequence.Now
				verifier := v.Verifier(t, &sequence.Login, store.open(t), func() time.Time { return time.Unix(now, 0) })
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
