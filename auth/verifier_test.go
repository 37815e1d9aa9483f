package auth_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"xtokend/auth"
	"xtokend/auth/replay"
)

var noon = time.Date(2026, 1, 15, 12, 0, 0, 0, time.UTC)

// newVerifier fills in what a test does not care about.
func newVerifier(t testing.TB, c auth.Config) *auth.Verifier {
	t.Helper()
	if c.Domain == "" {
		c.Domain = "example.org"
	}
	if c.Keys == nil {
		c.Keys = []auth.Key{newKey(t, benchSeed, benchSecret)}
	}
	if c.Store == nil {
		c.Store = replay.NewMemory(replay.MemoryOptions{})
	}
	v, err := auth.NewVerifier(c)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func prepare(t testing.TB, authcid string) auth.Name {
	t.Helper()
	name, err := auth.PrepareName(authcid)
	if err != nil {
		t.Fatal(err)
	}
	return name
}

func issue(t testing.TB, key auth.Key, authcid string, at time.Time) string {
	t.Helper()
	token, err := key.Issue(prepare(t, authcid), "example.org", at)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func wantRefusal(t testing.TB, err error, reason auth.Reason) {
	t.Helper()
	var refusal *auth.Refusal
	if !errors.As(err, &refusal) || refusal.Reason != reason {
		t.Fatalf("%v, want a refusal as %s", err, reason)
	}
}

func TestConfigFaults(t *testing.T) {
	key, store := newKey(t, benchSeed, benchSecret), replay.NewMemory(replay.MemoryOptions{})
	cases := []struct {
		name   string
		config auth.Config
		want   []string
	}{
		{"everything", auth.Config{Skew: -1}, []string{"no domain", "no key", "skew -1", "no replay store"}},
		{"full JID", auth.Config{Domain: "alice@example.org/home", Keys: []auth.Key{key}, Store: store}, []string{"is not a domain"}},
		{"space", auth.Config{Domain: "example.org ", Keys: []auth.Key{key}, Store: store}, []string{"is not a domain"}},
		{"long domain", auth.Config{Domain: strings.Repeat("a", 1024), Keys: []auth.Key{key}, Store: store}, []string{"1024 octets"}},
		{"empty key", auth.Config{Domain: "example.org", Keys: []auth.Key{key, {}}, Store: store}, []string{"key 2 is empty"}},
		{"too many keys", auth.Config{Domain: "example.org", Keys: make([]auth.Key, 65), Store: store}, []string{"65 keys"}},
		{"wide window", auth.Config{Domain: "example.org", Keys: []auth.Key{key}, Store: store, Skew: auth.MaxSkew + 1}, []string{"skew 11"}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			_, err := auth.NewVerifier(c.config)
			if err == nil {
				t.Fatal("accepted")
			}
			for _, want := range c.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q is not in: %v", want, err)
				}
			}
		})
	}
	if _, err := auth.NewVerifier(auth.Config{Domain: "example.org", Keys: []auth.Key{key}, Store: store, Skew: auth.MaxSkew}); err != nil {
		t.Errorf("widest window: %v", err)
	}
}

func TestNewKey(t *testing.T) {
	cases := []struct {
		name, seed, secret string
		bits               int // 0: refused
	}{
		{"as documented", benchSeed, benchSecret, 80},
		{"lower case, in groups, padded", "xvgr 73km zh2m 4xmy ====", benchSecret, 80},
		{"empty seed", " ", benchSecret, 0},
		{"seed that is no base32", "XVGR73KMZH2M4XM1", benchSecret, 0},
		{"half an octet", "X", benchSecret, 0},
		{"empty secret", benchSeed, "", 0},
		{"secret with a line end", benchSeed, benchSecret + "\n", 0},
		{"secret beyond ASCII", benchSeed, "schlüssel", 0},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			key, err := auth.NewKey(c.seed, c.secret, time.Time{})
			if (err == nil) != (c.bits > 0) || key.SeedBits() != c.bits {
				t.Fatalf("%d bits, %v", key.SeedBits(), err)
			}
			if err != nil && (strings.Contains(err.Error(), "XVGR") || c.secret != "" && strings.Contains(err.Error(), c.secret)) {
				t.Fatalf("the error tells the key: %v", err)
			}
			for _, format := range []string{"%v", "%+v", "%#v", "%s", "%x", "%q"} {
				if text := fmt.Sprintf(format, key); text != "auth.Key" {
					t.Errorf("%s prints %s", format, text)
				}
			}
		})
	}
}

func TestGenerateKey(t *testing.T) {
	seed, secret, err := auth.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	key := newKey(t, seed, secret)
	if key.SeedBits() != 160 || len(secret) != 52 {
		t.Errorf("%d bits of seed, %d characters of secret", key.SeedBits(), len(secret))
	}
	again, _, err := auth.GenerateKey()
	if err != nil || again == seed {
		t.Errorf("the same seed twice, %v", err)
	}
	v := newVerifier(t, auth.Config{Keys: []auth.Key{key}, Now: func() time.Time { return noon }})
	if _, err := v.Verify(context.Background(), prepare(t, "alice"), issue(t, key, "alice", noon)); err != nil {
		t.Error(err)
	}
}

func TestIssueRefuses(t *testing.T) {
	key := newKey(t, benchSeed, benchSecret)
	if _, err := (auth.Key{}).Issue(prepare(t, "alice"), "example.org", noon); err == nil {
		t.Error("with the zero Key")
	}
	if _, err := key.Issue(auth.Name{}, "example.org", noon); err == nil {
		t.Error("for the zero Name")
	}
	if _, err := key.Issue(prepare(t, "alice"), "", noon); err == nil {
		t.Error("for no domain")
	}
}

func TestZeroNameIsNobody(t *testing.T) {
	v := newVerifier(t, auth.Config{Now: func() time.Time { return noon }})
	_, err := v.Verify(context.Background(), auth.Name{}, issue(t, newKey(t, benchSeed, benchSecret), "alice", noon))
	wantRefusal(t, err, auth.Malformed)
	wantRefusal(t, v.Revoke(context.Background(), auth.Name{}), auth.Malformed)
}

// What counts is whose token it is, not how the name was spelled.
func TestOneTokenUnderManySpellings(t *testing.T) {
	key := newKey(t, benchSeed, benchSecret)
	spellings := []string{"alice", "Alice", "ALICE", "ａｌｉｃｅ", "ＡLICE"}
	for _, store := range stores {
		for _, first := range spellings {
			t.Run(store.name+"/"+first, func(t *testing.T) {
				v := newVerifier(t, auth.Config{Store: store.open(t), FoldCase: true, Now: func() time.Time { return noon }})
				token := issue(t, key, "alice", noon)
				if _, err := v.Verify(context.Background(), prepare(t, first), token); err != nil {
					t.Fatal(err)
				}
				for _, second := range spellings {
					_, err := v.Verify(context.Background(), prepare(t, second), token)
					wantRefusal(t, err, auth.Replayed)
				}
			})
		}
	}
}

// Issuers with a poor nonce may give two users the same digits; each may use them once.
func TestOneNonceForTwoUsers(t *testing.T) {
	key := newKey(t, benchSeed, benchSecret)
	otp := issue(t, key, "alice", noon)[:8]
	v := newVerifier(t, auth.Config{Keys: []auth.Key{key}, Now: func() time.Time { return noon }})
	for _, user := range []string{"alice", "bob", "carol", "alicf"} {
		token := sign(otp, user+"@example.org")
		if _, err := v.Verify(context.Background(), prepare(t, user), token); err != nil {
			t.Errorf("%s: %v", user, err)
		}
		_, err := v.Verify(context.Background(), prepare(t, user), token)
		wantRefusal(t, err, auth.Replayed)
	}
}

func TestRotation(t *testing.T) {
	oldKey, err := auth.NewKey("E3W374VRSFO4NVKE", "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ", noon)
	if err != nil {
		t.Fatal(err)
	}
	newerKey := newKey(t, benchSeed, benchSecret)
	now := noon.Add(-time.Second)
	v := newVerifier(t, auth.Config{Keys: []auth.Key{newerKey, oldKey}, Skew: 1, Now: func() time.Time { return now }})
	verify := func(key auth.Key) (auth.Acceptance, error) {
		return v.Verify(context.Background(), prepare(t, "alice"), issue(t, key, "alice", now))
	}
	for i, key := range []auth.Key{newerKey, oldKey} {
		accepted, err := verify(key)
		if err != nil || accepted.Key != i {
			t.Fatalf("key %d before its end: %+v, %v", i, accepted, err)
		}
	}
	now = noon
	if _, err := verify(newerKey); err != nil {
		t.Fatal(err)
	}
	_, err = verify(oldKey)
	wantRefusal(t, err, auth.BadSignature)
	e := v.Explain(now, "alice", issue(t, oldKey, "alice", now))
	if e.Verdict != string(auth.BadSignature) || !strings.Contains(strings.Join(e.Findings, "\n"), "key 2, which ended at 2026-01-15T12:00:00Z") {
		t.Errorf("%+v", e)
	}
	only := newVerifier(t, auth.Config{Keys: []auth.Key{oldKey}, Now: func() time.Time { return now }})
	_, err = only.Verify(context.Background(), prepare(t, "alice"), issue(t, oldKey, "alice", now))
	wantRefusal(t, err, auth.BadSignature)
	if !strings.Contains(err.Error(), "not_after") {
		t.Errorf("the refusal does not say why: %v", err)
	}
}

// A token that is of the form, signed and in the window is used up by Verify alone.
func TestAcceptance(t *testing.T) {
	key := newKey(t, benchSeed, benchSecret)
	v := newVerifier(t, auth.Config{Skew: 2, Now: func() time.Time { return noon }})
	step := noon.Unix() / replay.StepSeconds
	for skew := -2; skew <= 2; skew++ {
		token := issue(t, key, "alice", noon.Add(time.Duration(skew)*replay.StepSeconds*time.Second))
		if e := v.Explain(noon, "alice", token); e.Verdict != auth.VerdictOK {
			t.Fatalf("%+v", e)
		}
		accepted, err := v.Verify(context.Background(), prepare(t, "alice"), token)
		if want := (auth.Acceptance{Step: step + int64(skew), Skew: skew}); err != nil || accepted != want {
			t.Errorf("%+v, %v, want %+v", accepted, err, want)
		}
		_, err = v.Verify(context.Background(), prepare(t, "alice"), token)
		wantRefusal(t, err, auth.Replayed)
	}
}

func TestOneOfManyConcurrentLogins(t *testing.T) {
	for _, store := range stores {
		t.Run(store.name, func(t *testing.T) {
			v := newVerifier(t, auth.Config{Store: store.open(t), Now: func() time.Time { return noon }})
			name, token := prepare(t, "alice"), issue(t, newKey(t, benchSeed, benchSecret), "alice", noon)
			var group sync.WaitGroup
			results := make(chan error, 64)
			for range cap(results) {
				group.Go(func() {
					_, err := v.Verify(context.Background(), name, token)
					results <- err
				})
			}
			group.Wait()
			close(results)
			admitted := 0
			for err := range results {
				if err == nil {
					admitted++
					continue
				}
				wantRefusal(t, err, auth.Replayed)
			}
			if admitted != 1 {
				t.Errorf("admitted %d times", admitted)
			}
		})
	}
}

func TestRevoke(t *testing.T) {
	key := newKey(t, benchSeed, benchSecret)
	for _, store := range stores {
		t.Run(store.name, func(t *testing.T) {
			now := noon
			v := newVerifier(t, auth.Config{Store: store.open(t), Skew: 1, Now: func() time.Time { return now }})
			verify := func(user string, issued time.Time) error {
				_, err := v.Verify(context.Background(), prepare(t, user), issue(t, key, user, issued))
				return err
			}
			if err := v.Revoke(context.Background(), prepare(t, "alice")); err != nil {
				t.Fatal(err)
			}
			for _, offset := range []time.Duration{-30 * time.Second, 0, 30 * time.Second} {
				wantRefusal(t, verify("alice", now.Add(offset)), auth.Revoked)
			}
			if err := verify("bob", now); err != nil {
				t.Errorf("another user: %v", err)
			}
			now = noon.Add(time.Minute)
			wantRefusal(t, verify("alice", noon.Add(30*time.Second)), auth.Revoked)
			if err := verify("alice", now); err != nil {
				t.Errorf("a minute later: %v", err)
			}
		})
	}
}

// A naive issuer's tokens carry steps hours ahead, also in the hours after its zone has changed its offset.
func TestRevokeWithZone(t *testing.T) {
	key := newKey(t, benchSeed, benchSecret)
	change := time.Date(2026, 3, 8, 2, 0, 0, 0, time.UTC) // New York's clocks skip the hour after 2:00, in a naive time too
	for name, now := range map[string]time.Time{
		"winter": noon, "summer": noon.AddDate(0, 6, 0), "skipped hour": change.Add(30 * time.Minute), "after it": change.Add(61 * time.Minute),
	} {
		t.Run(name, func(t *testing.T) {
			clock := now
			v := newVerifier(t, auth.Config{Skew: 1, IssuerTimezone: loadZone(t, "America/New_York"), Now: func() time.Time { return clock }})
			var before []int64
			for back := time.Duration(0); back < 3*time.Hour; back += 10 * time.Minute {
				before = append(before, now.Add(-back).Unix())
			}
			issued := mintNaive(t, "America/New_York", before)
			if err := v.Revoke(context.Background(), prepare(t, "alice")); err != nil {
				t.Fatal(err)
			}
			for _, m := range issued {
				// Wherever the token lives again: as a naive one now, or as one of its own step later.
				for _, at := range []time.Time{now, time.Unix(m.step*replay.StepSeconds, 0)} {
					clock = at
					_, err := v.Verify(context.Background(), prepare(t, "alice"), sign(m.otp, "alice@example.org"))
					if err == nil {
						t.Errorf("issued at %s, admitted at %s", time.Unix(m.unix, 0).UTC(), at.UTC())
					}
				}
			}
			clock = now.Add(11 * time.Hour)
			if _, err := v.Verify(context.Background(), prepare(t, "alice"), issue(t, key, "alice", clock)); err != nil {
				t.Errorf("half a day later: %v", err)
			}
		})
	}
}

// A store that cannot answer refuses, and says so as Unavailable; every error of a store has its reason.
func TestStoreErrors(t *testing.T) {
	cases := []struct {
		err  error
		want auth.Reason
	}{
		{replay.ErrReplayed, auth.Replayed},
		{replay.ErrRevoked, auth.Revoked},
		{replay.ErrReleased, auth.Expired},
		{replay.ErrLost, auth.Unavailable},
		{replay.ErrFull, auth.Unavailable},
		{replay.ErrClosed, auth.Unavailable},
		{errors.New("connection refused"), auth.Unavailable},
		{context.DeadlineExceeded, auth.Unavailable},
	}
	for _, c := range cases {
		t.Run(c.err.Error(), func(t *testing.T) {
			v := newVerifier(t, auth.Config{Store: failingStore{c.err}, Now: func() time.Time { return noon }})
			accepted, err := v.Verify(context.Background(), prepare(t, "alice"), issue(t, newKey(t, benchSeed, benchSecret), "alice", noon))
			wantRefusal(t, err, c.want)
			if !errors.Is(err, c.err) || accepted != (auth.Acceptance{}) {
				t.Errorf("%+v, %v", accepted, err)
			}
			wantRefusal(t, v.Revoke(context.Background(), prepare(t, "alice")), auth.Unavailable)
		})
	}
}

// A refusal says until when tokens are refused, and by how much the token's step is off.
func TestRefusalsNameTheMoment(t *testing.T) {
	until := noon.Add(time.Minute)
	for cause, want := range map[error]auth.Reason{replay.ErrReleased: auth.Expired, replay.ErrLost: auth.Unavailable} {
		t.Run(string(want), func(t *testing.T) {
			store := failingStore{&replay.PeriodError{Err: cause, Until: until}}
			v := newVerifier(t, auth.Config{Store: store, Skew: 1, Now: func() time.Time { return noon }})
			token := issue(t, newKey(t, benchSeed, benchSecret), "alice", noon.Add(-replay.StepSeconds*time.Second))
			_, err := v.Verify(context.Background(), prepare(t, "alice"), token)
			wantRefusal(t, err, want)
			refusal := err.(*auth.Refusal)
			if !strings.Contains(refusal.Detail, "before 2026-01-15T12:01:00Z") || !errors.Is(err, cause) {
				t.Errorf("%v", err)
			}
			if released := cause == replay.ErrReleased; refusal.SkewFound != released || released && refusal.Skew != -1 {
				t.Errorf("skew %d (%t)", refusal.Skew, refusal.SkewFound)
			}
		})
	}
}

// Two logins while the clock is years ahead must not lock everybody out once it is right.
func TestClockYearsAhead(t *testing.T) {
	key := newKey(t, benchSeed, benchSecret)
	for _, store := range stores {
		t.Run(store.name, func(t *testing.T) {
			now := noon
			v := newVerifier(t, auth.Config{Store: store.open(t), Skew: 1, Now: func() time.Time { return now }})
			login := func(user string) {
				t.Helper()
				if _, err := v.Verify(context.Background(), prepare(t, user), issue(t, key, user, now)); err != nil {
					t.Errorf("at %s: %v", now, err)
				}
			}
			login("alice")
			now = noon.AddDate(30, 0, 0)
			login("alice")
			now = now.Add(2 * time.Minute)
			login("bob")
			now = noon.Add(10 * time.Minute)
			login("alice")
			now = noon.AddDate(1, 0, 0)
			login("carol")
		})
	}
}

type failingStore struct{ err error }

func (s failingStore) Use(context.Context, replay.Use) error           { return s.err }
func (s failingStore) Revoke(context.Context, replay.Revocation) error { return s.err }
func (s failingStore) Close() error                                    { return nil }

// The measured skew follows the clock, forwards and back, and ends a day away.
func TestMeasuredSkew(t *testing.T) {
	key := newKey(t, benchSeed, benchSecret)
	now := noon
	v := newVerifier(t, auth.Config{Skew: 1, Now: func() time.Time { return now }})
	const day = 24 * 3600 / replay.StepSeconds
	for _, shift := range []time.Duration{0, time.Minute, -time.Hour, 72 * time.Hour, 0} {
		now = noon.Add(shift)
		for skew, found := range map[int]bool{-2: true, 20: true, -120: true, day: true, -day: true, day + 1: false, -day - 1: false} {
			_, err := v.Verify(context.Background(), prepare(t, "alice"), issue(t, key, "alice", now.Add(time.Duration(skew)*replay.StepSeconds*time.Second)))
			wantRefusal(t, err, auth.Expired)
			refusal := err.(*auth.Refusal)
			if refusal.SkewFound != found || found && refusal.Skew != skew {
				t.Errorf("shift %v, skew %d: measured %d (%t)", shift, skew, refusal.Skew, refusal.SkewFound)
			}
		}
	}
}
