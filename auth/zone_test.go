package auth_test

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"xtokend/auth"
	"xtokend/auth/replay"
)

// Debian's python3-pyotp is there for the system's Python, which need not be the first in PATH.
const systemPython = "/usr/bin/python3"

// minted is what an issuer's pyotp has made at a moment.
type minted struct {
	unix, step int64
	otp        string
}

// mintNaive runs pyotp in a zone, as the documented Plone snippet does: it feeds it naive UTC times.
func mintNaive(t *testing.T, zone string, moments []int64) []minted {
	t.Helper()
	var input bytes.Buffer
	for _, unix := range moments {
		fmt.Fprintln(&input, unix)
	}
	cmd := exec.CommandContext(t.Context(), systemPython, "-W", "ignore", filepath.Join("testdata", "mint.py"), benchSeed)
	cmd.Env = append(os.Environ(), "TZ="+zone)
	cmd.Stdin = &input
	output, err := cmd.Output()
	if err != nil {
		t.Fatalf("pyotp cannot be run (Debian: apt install python3-pyotp): %v", err)
	}
	lines := strings.Fields(string(output))
	if len(lines) != 2*len(moments) {
		t.Fatalf("pyotp has answered %d times of %d", len(lines)/2, len(moments))
	}
	all := make([]minted, len(moments))
	for i, unix := range moments {
		all[i] = minted{unix: unix, otp: lines[2*i+1]}
		if _, err := fmt.Sscan(lines[2*i], &all[i].step); err != nil {
			t.Fatal(err)
		}
	}
	return all
}

// sign makes a token of an OTP without any code of the package under test.
func sign(otp, address string) string {
	digits := otp + "31415926535897932384626433832795"
	mac := hmac.New(sha256.New, []byte(benchSecret))
	mac.Write([]byte(digits + address))
	return digits + " " + base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// moments are instants around everything that a clock change of the zones can do to a naive time: each ten minutes of
// the days about the changes of 2026, and some quiet days.
func moments() []int64 {
	var all []int64
	for _, day := range []string{"2026-01-15", "2026-03-08", "2026-03-29", "2026-04-04", "2026-07-15", "2026-10-03", "2026-10-25", "2026-11-01"} {
		noon, err := time.Parse(time.RFC3339, day+"T12:00:00Z")
		if err != nil {
			panic(err)
		}
		for at := noon.Add(-30 * time.Hour); at.Before(noon.Add(30 * time.Hour)); at = at.Add(10 * time.Minute) {
			all = append(all, at.Unix(), at.Unix()+29, at.Unix()+30, at.Unix()-1)
		}
	}
	slices.Sort(all)
	return all
}

func TestNaiveIssuers(t *testing.T) {
	name, err := auth.PrepareName("alice")
	if err != nil {
		t.Fatal(err)
	}
	zones := []struct {
		name string
		// least and most steps that an issuer is off
		least, most int64
	}{
		{"UTC", 0, 0},
		{"Europe/Amsterdam", -240, -120},
		{"America/New_York", 480, 600},
		{"Asia/Kolkata", -660, -660},
		{"Australia/Lord_Howe", -1320, -1260},
	}
	for _, zone := range zones {
		t.Run(zone.name, func(t *testing.T) {
			var now int64
			verifier := func(location *time.Location) *auth.Verifier {
				v, err := auth.NewVerifier(auth.Config{
					Domain: "example.org", Keys: []auth.Key{newKey(t, benchSeed, benchSecret)}, Skew: auth.DefaultSkew,
					IssuerTimezone: location,
					Store:          freshStore{},
					Now:            func() time.Time { return time.Unix(now, 0) },
				})
				if err != nil {
					t.Fatal(err)
				}
				return v
			}
			configured, plain := verifier(loadZone(t, zone.name)), verifier(nil)
			least, most := int64(1<<62), int64(-1<<62)
			for _, m := range mintNaive(t, zone.name, moments()) {
				now = m.unix
				current := m.unix / replay.StepSeconds
				least, most = min(least, m.step-current), max(most, m.step-current)
				token := sign(m.otp, "alice@example.org")
				accepted, err := configured.Verify(context.Background(), name, token)
				if err != nil {
					t.Fatalf("at %s: pyotp's step %+d: %v", time.Unix(now, 0).UTC(), m.step-current, err)
				}
				if accepted.Step != m.step || accepted.Bridge != (m.step != current) {
					t.Fatalf("at %s: %+v, pyotp's step is %d", time.Unix(now, 0).UTC(), accepted, m.step)
				}
				_, err = plain.Verify(context.Background(), name, token)
				if m.step == current {
					if err != nil {
						t.Fatalf("at %s: %v", time.Unix(now, 0).UTC(), err)
					}
					continue
				}
				wantRefusal(t, err, auth.Expired)
				if refusal := err.(*auth.Refusal); !refusal.SkewFound || int64(refusal.Skew) != m.step-current {
					t.Fatalf("at %s: measured %d (%t), pyotp's step is %+d", time.Unix(now, 0).UTC(), refusal.Skew, refusal.SkewFound, m.step-current)
				}
			}
			if least != zone.least || most != zone.most {
				t.Errorf("pyotp's steps are %d to %d off, want %d to %d: the moments miss the changes", least, most, zone.least, zone.most)
			}
		})
	}
}

// freshStore admits everything within what it is told of the window, which it checks.
type freshStore struct{}

func (freshStore) Use(_ context.Context, u replay.Use) error {
	if u.Step < u.Window.First || u.Step > u.Window.Last || u.Window.First > u.Window.Current-1 || u.Window.Last < u.Window.Current+1 {
		return fmt.Errorf("step %d is not in window %+v", u.Step, u.Window)
	}
	return nil
}
func (freshStore) Revoke(context.Context, replay.Revocation) error { return nil }
func (freshStore) Close() error                                    { return nil }

// Explain names the zone of an issuer that is not configured.
func TestExplainNamesTheZone(t *testing.T) {
	at := time.Date(2026, 7, 15, 12, 0, 0, 0, time.UTC).Unix()
	for zone, offset := range map[string]string{
		"Europe/Amsterdam": "-240", "America/New_York": "+480", "Asia/Kolkata": "-660", "Australia/Lord_Howe": "-1260",
	} {
		t.Run(zone, func(t *testing.T) {
			m := mintNaive(t, zone, []int64{at})[0]
			e := newVerifier(t, auth.Config{}).Explain(time.Unix(at, 0), "alice", sign(m.otp, "alice@example.org"))
			text := strings.Join(e.Findings, "\n")
			if e.Verdict != string(auth.Expired) || !strings.Contains(text, offset) || !strings.Contains(text, zone) || !strings.Contains(text, "issuer_timezone") {
				t.Errorf("%s:\n%s", e.Verdict, text)
			}
		})
	}
}
