package auth_test

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"xtokend/auth"
)

// fmt and slog print neither seed nor secret nor a one-time password, whatever holds the key and whatever the verb.
func TestKeyIsNeverPrinted(t *testing.T) {
	key := newKey(t, benchSeed, benchSecret)
	verifier := newVerifier(t, auth.Config{Keys: []auth.Key{key}, Now: func() time.Time { return noon }})
	// Another day's token makes the verifier compute the passwords of a day.
	late := issue(t, key, "alice", noon.AddDate(0, 0, -3))
	_, err := verifier.Verify(context.Background(), prepare(t, "alice"), late)
	wantRefusal(t, err, auth.Expired)
	otp := strings.TrimLeft(issue(t, key, "alice", noon)[:8], "0")

	type holder struct{ key auth.Key }
	type pointer struct{ key *auth.Key }
	type nested struct{ holders []holder }
	holders := map[string]any{
		"key": key, "pointer to a key": &key, "slice": []auth.Key{key}, "config": auth.Config{Keys: []auth.Key{key}},
		"verifier": verifier, "holder": holder{key}, "pointer to a holder": &holder{key}, "holder of a pointer": pointer{&key},
		"nested": nested{[]holder{{key}}}, "map": map[string]holder{"k": {key}}, "array": [1]holder{{key}}, "interface": struct{ v any }{key},
	}
	secrets := []string{benchSeed, benchSecret, otp}
	for _, secret := range []string{benchSeed, benchSecret} {
		secrets = append(secrets, hex.EncodeToString([]byte(secret)), strings.Trim(fmt.Sprint([]byte(secret)), "[]"))
	}
	for name, held := range holders {
		texts := map[string]string{"errorf": fmt.Errorf("%s", held).Error(), "sprint": fmt.Sprint(held)}
		for _, verb := range "sqvxXtdbocUefgpwT" {
			for _, flags := range []string{"", "+", "#", " ", "0", "-40"} {
				format := "%" + flags + string(verb)
				texts[format] = fmt.Sprintf(format, held)
			}
		}
		var logged bytes.Buffer
		slog.New(slog.NewTextHandler(&logged, nil)).Info("text", "value", held)
		slog.New(slog.NewJSONHandler(&logged, nil)).Info("json", "value", held)
		texts["slog"] = logged.String()
		if marshalled, err := json.Marshal(held); err == nil {
			texts["json"] = string(marshalled)
		}
		for how, text := range texts {
			for i, secret := range secrets {
				if strings.Contains(strings.ToLower(text), strings.ToLower(secret)) {
					t.Errorf("%s of %s prints secret %d", how, name, i)
				}
			}
		}
	}
}

func TestKeyEqual(t *testing.T) {
	newKey := func(seed, secret string, notAfter time.Time) auth.Key {
		key, err := auth.NewKey(seed, secret, notAfter)
		if err != nil {
			t.Fatal(err)
		}
		return key
	}
	key := newKey(benchSeed, benchSecret, noon)
	issue(t, key, "alice", noon) // what a key keeps of its use is no part of it
	otherSeed, otherSecret, err := auth.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		other auth.Key
		want  bool
	}{
		"itself":            {key, true},
		"read again":        {newKey(benchSeed, benchSecret, noon), true},
		"written otherwise": {newKey(" "+strings.ToLower(benchSeed)+"==", benchSecret, noon.In(time.FixedZone("", 3600))), true},
		"another seed":      {newKey(otherSeed, benchSecret, noon), false},
		"another secret":    {newKey(benchSeed, otherSecret, noon), false},
		"another end":       {newKey(benchSeed, benchSecret, noon.Add(time.Second)), false},
		"no end":            {newKey(benchSeed, benchSecret, time.Time{}), false},
		"zero":              {auth.Key{}, false},
	} {
		if key.Equal(c.other) != c.want || c.other.Equal(key) != c.want {
			t.Errorf("%s: equal is not %t", name, c.want)
		}
	}
	if !(auth.Key{}).Equal(auth.Key{}) {
		t.Error("two zero keys are not equal")
	}
}
