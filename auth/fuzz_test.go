package auth_test

import (
	"cmp"
	"context"
	"encoding/base64"
	"errors"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"xtokend/auth"
	"xtokend/auth/replay"
	"xtokend/internal/vectors"
)

// addTokens seeds a fuzz target with the tokens of the vectors.
func addTokens(f *testing.F, add func(authcid, token string)) {
	v := vectors.Load(f, vectorsFile)
	for _, c := range v.Cases {
		add(c.Authcid, c.Token)
	}
	for _, sequence := range v.Sequences {
		for _, step := range sequence.Steps {
			add(sequence.Authcid, step.Token)
		}
	}
}

var tokenForm = regexp.MustCompile(`\A[0-9]{40} [A-Za-z0-9+/]{43}=\z`)

// wellFormed is the grammar of a token, written independently: a pattern, and that its base64 is what encoding again
// gives.
func wellFormed(token string) bool {
	if !tokenForm.MatchString(token) {
		return false
	}
	octets, err := base64.StdEncoding.DecodeString(token[41:])
	return err == nil && len(octets) == 32 && base64.StdEncoding.EncodeToString(octets) == token[41:]
}

// FuzzToken: a token is refused as malformed if and only if it is not of the form, by Verify and by Explain.
func FuzzToken(f *testing.F) {
	addTokens(f, func(_, token string) { f.Add(token) })
	name := prepare(f, "alice")
	v := newVerifier(f, auth.Config{Now: func() time.Time { return noon }})
	f.Fuzz(func(t *testing.T, token string) {
		_, err := v.Verify(context.Background(), name, token)
		var refusal *auth.Refusal
		if err != nil && !errors.As(err, &refusal) {
			t.Fatalf("%T: %v", err, err)
		}
		malformed := err != nil && refusal.Reason == auth.Malformed
		if malformed == wellFormed(token) {
			t.Fatalf("%q: %v", token, err)
		}
		if malformed && len(token) > 8 && strings.Contains(err.Error(), token) {
			t.Fatalf("the refusal quotes the token: %v", err)
		}
		e := v.Explain(noon, "alice", token)
		if (e.Verdict == string(auth.Malformed)) != malformed || len(e.Findings) == 0 {
			t.Fatalf("%q: %+v", token, e)
		}
	})
}

// FuzzName: what is accepted is a fixed point, has no character that ends a localpart, and is no longer than allowed.
func FuzzName(f *testing.F) {
	addTokens(f, func(authcid, _ string) { f.Add(authcid) })
	for _, s := range []string{"Jürgen", "strauß", "Ａdmin", "\u0130x", "ǅ", "ﬁ", "\u1e9e", "a\u0345", "אליס", "\u0915\u094d\u200d\u0937", "한국", "\u1112\u1161\u11ab"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, authcid string) {
		name, err := auth.PrepareName(authcid)
		if err != nil {
			wantRefusal(t, err, auth.Malformed)
			return
		}
		prepared := name.Localpart()
		if prepared == "" || len(prepared) > 1023 || strings.ContainsAny(prepared, " \"&'/:<>@\x00\n") {
			t.Fatalf("%q gives %q", authcid, prepared)
		}
		again, err := auth.PrepareName(prepared)
		if err != nil || again.Localpart() != prepared {
			t.Fatalf("%q gives %q, and that %q, %v", authcid, prepared, again.Localpart(), err)
		}
		if older, err := auth.Nodeprep(prepared); err != nil || older != prepared {
			t.Fatalf("%q gives %q, which nodeprep makes %q, %v", authcid, prepared, older, err)
		}
	})
}

// FuzzVerify: of all names and tokens, only those that the vectors hold good are accepted.
func FuzzVerify(f *testing.F) {
	file := vectors.Load(f, vectorsFile)
	const now = 1551193138
	good := make(map[[2]string]bool)
	for _, c := range file.Cases {
		f.Add(c.Authcid, c.Token)
		if c.Want == auth.VerdictOK && c.Now == now && c.Config == (vectors.Config{}) {
			good[[2]string{prepare(f, c.Authcid).Localpart(), c.Token}] = true
		}
	}
	for _, sequence := range file.Sequences {
		for _, step := range sequence.Steps {
			authcid := cmp.Or(step.Authcid, sequence.Authcid)
			f.Add(authcid, step.Token)
			if slices.Contains(step.Want, auth.VerdictOK) && step.Now == nil && sequence.Config == (vectors.Config{}) {
				good[[2]string{prepare(f, authcid).Localpart(), step.Token}] = true
			}
		}
	}
	if len(good) < 5 {
		f.Fatalf("only %d good tokens", len(good))
	}
	key := newKey(f, file.Seed, file.Secret)
	f.Fuzz(func(t *testing.T, authcid, token string) {
		name, err := auth.PrepareName(authcid)
		if err != nil {
			return
		}
		v := newVerifier(t, auth.Config{
			Keys: []auth.Key{key}, Skew: auth.DefaultSkew,
			Store: replay.NewMemory(replay.MemoryOptions{Max: 4}), Now: func() time.Time { return time.Unix(now, 0) },
		})
		_, err = v.Verify(context.Background(), name, token)
		if want := good[[2]string{name.Localpart(), token}]; (err == nil) != want {
			t.Fatalf("%q with %q: %v, good: %t", authcid, token, err, want)
		}
	})
}
