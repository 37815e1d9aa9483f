package config_test

import (
	"errors"
	"testing"
	"time"

	"xtokend/auth"
	"xtokend/auth/replay"
	"xtokend/cmd/xtokend/internal/config"
)

// The end of a key reaches the verifier that logins are checked by, which looks
// at the present moment.
func TestEndedKeyDoesNotVerify(t *testing.T) {
	name, err := auth.PrepareName("alice")
	if err != nil {
		t.Fatal(err)
	}
	for notAfter, accepted := range map[string]bool{
		"":                                 true,
		"not_after = 9999-01-01T00:00:00Z": true,
		"not_after = 2020-01-01T00:00:00Z": false,
		"not_after = 0001-01-01T00:00:00Z": false,
	} {
		cfg, err := config.Load(write(t, edit(t, good, `otp_seed =`, notAfter+"\notp_seed =")), everything())
		if err != nil {
			t.Fatal(err)
		}
		d := &cfg.Domains[0]
		v, err := d.Verifier(replay.NewMemory(replay.MemoryOptions{}))
		if err != nil {
			t.Fatal(err)
		}
		token, err := d.Keys[0].Issue(name, d.Name, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		_, err = v.Verify(t.Context(), name, token)
		if accepted && err != nil {
			t.Errorf("%q: refused: %v", notAfter, err)
		}
		var refusal *auth.Refusal
		if !accepted && (!errors.As(err, &refusal) || refusal.Reason != auth.BadSignature) {
			t.Errorf("%q: error %v, want a bad signature", notAfter, err)
		}
	}
}
