package sasl_test

import (
	"errors"
	"testing"
	"time"

	"xtokend/auth"
	"xtokend/auth/replay"
	"xtokend/internal/vectors"
	"xtokend/sasl"
)

const vectorsFile = "../testdata/tokens.json"

// TestVectors: each token's verdict comes out as its condition, by each
// mechanism.
func TestVectors(t *testing.T) {
	v := vectors.Load(t, vectorsFile)
	seen := map[sasl.Condition]int{}
	for _, c := range v.Cases {
		t.Run(c.Name, func(t *testing.T) {
			_, badName := auth.PrepareName(c.Authcid)
			for _, mechanism := range mechanisms {
				verifier := v.Verifier(t, &c.Login, replay.NewMemory(replay.MemoryOptions{}),
					func() time.Time { return time.Unix(c.Now, 0) })
				want := map[string]sasl.Condition{
					"ok": "", "malformed": sasl.MalformedRequest, "bad-signature": sasl.NotAuthorized, "expired": sasl.CredentialsExpired,
				}[c.Want]
				if c.Want == "malformed" && mechanism == sasl.Plain && badName == nil {
					want = sasl.NotAuthorized
				}
				var got sasl.Condition
				_, err := login(t, verifier, mechanism, "", c.Authcid, c.Token)
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
