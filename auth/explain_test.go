package auth_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base32"
	"encoding/base64"
	"encoding/hex"
	"strings"
	"testing"
	"time"

	"xtokend/auth"
)

// Explain names what an issuer does wrong, and quotes nothing secret.
func TestExplain(t *testing.T) {
	key := newKey(t, benchSeed, benchSecret)
	good := issue(t, key, "alice", noon)
	digits, signature, _ := strings.Cut(good, " ")
	raw, err := base64.StdEncoding.DecodeString(signature)
	if err != nil {
		t.Fatal(err)
	}
	signedWith := func(secret, address string) string {
		mac := hmac.New(sha256.New, []byte(secret))
		mac.Write([]byte(digits + address))
		return digits + " " + base64.StdEncoding.EncodeToString(mac.Sum(nil))
	}
	decoded, err := base32.StdEncoding.DecodeString(benchSecret)
	if err != nil {
		t.Fatal(err)
	}
	at := func(shift time.Duration) string { return issue(t, key, "alice", noon.Add(shift)) }
	cases := []struct {
		name, authcid, token string
		verdict              string
		want                 []string
	}{
		{"good", "alice", good, "ok", []string{"signed with key 1 for alice@example.org", "2026-01-15T12:00:00Z"}},
		{"clock behind", "alice", at(-10 * time.Minute), "expired", []string{"-20 from the clock's", "10 minutes behind", "NTP"}},
		{"clock ahead", "alice", at(100 * time.Second), "expired", []string{"+3 from the clock's", "1 minute 30 seconds ahead"}},
		{"clock a day and a step off", "alice", at(-24*time.Hour - 30*time.Second), "expired", []string{"of no step within a day"}},
		{"upper case signed", "JSmith", signedWith(benchSecret, "JSmith@example.org"), "bad-signature", []string{"not in its prepared form", "fold_case"}},
		{"upper case signed, lower sent", "alice", signedWith(benchSecret, "ALICE@example.org"), "bad-signature", []string{"for the name with capitals", "lower case"}},
		{"capitals of two words signed, lower sent", "jsmith", signedWith(benchSecret, "JSmith@example.org"), "bad-signature", []string{"for the name with capitals"}},
		{"capitals of each word signed", "john.smith", signedWith(benchSecret, "John.Smith@example.org"), "bad-signature", []string{"for the name with capitals"}},
		{"capitals of a long name signed", strings.Repeat("x", 40), signedWith(benchSecret, "X"+strings.Repeat("x", 39)+"@example.org"), "bad-signature", []string{"for the name with capitals"}},
		{"full width signed", "Ａdmin", signedWith(benchSecret, "Ａdmin@example.org"), "bad-signature", []string{"not in its prepared form"}},
		{"full JID signed", "alice", signedWith(benchSecret, "alice@example.org/converse.js"), "bad-signature", []string{"full JID"}},
		{"line end signed", "alice", signedWith(benchSecret, "alice@example.org\n"), "bad-signature", []string{"line end behind the address"}},
		{"name alone signed", "alice", signedWith(benchSecret, "alice"), "bad-signature", []string{"without @example.org"}},
		{"parent domain signed", "alice", signedWith(benchSecret, "alice@org"), "bad-signature", []string{"for the domain org"}},
		{"decoded secret", "alice", signedWith(string(decoded), "alice@example.org"), "bad-signature", []string{"decoded from base32"}},
		{"seed for secret", "alice", signedWith(benchSeed, "alice@example.org"), "bad-signature", []string{"mixed up seed and secret"}},
		{"anything else", "alice", signedWith("other", "alice@example.org"), "bad-signature", []string{"token secret is another one"}},
		{"bytes literal", "alice", digits + " b'" + signature + "'", "malformed", []string{"bytes literal", "with its form mended it would be: ok"}},
		{"line end", "alice", good + "\n", "malformed", []string{"a line end follows", "it would be: ok"}},
		{"old and with a line end", "alice", at(-time.Hour) + "\n", "malformed", []string{"a line end follows", "it would be: expired", "-120"}},
		{"unpadded", "alice", strings.TrimRight(good, "="), "malformed", []string{"without its padding", "it would be: ok"}},
		{"hexadecimal", "alice", digits + " " + hex.EncodeToString(raw), "malformed", []string{"hexdigest"}},
		{"SHA-1", "alice", digits + " " + base64.StdEncoding.EncodeToString(raw[:20]), "malformed", []string{"20 octets, not 32", "SHA-256"}},
		{"two lines", "alice", digits + " " + signature[:20] + "\n" + signature[20:], "malformed", []string{"broken into lines", "it would be: ok"}},
		{"short nonce", "alice", digits[1:] + " " + signature, "malformed", []string{"39 digits", "%032d"}},
		{"huge", "alice", strings.Repeat("1", 1<<20), "malformed", []string{"1048576 octets"}},
		{"at sign", "alice@example.org", good, "malformed", []string{"XEP-0106"}},
		{"sharp s", "strauß", good, "malformed", []string{"RFC 6122"}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			e := newVerifier(t, auth.Config{Skew: 1}).Explain(noon, c.authcid, c.token)
			text := strings.Join(e.Findings, "\n")
			if e.Verdict != c.verdict {
				t.Errorf("verdict %s", e.Verdict)
			}
			for _, want := range c.want {
				if !strings.Contains(text, want) {
					t.Errorf("%q is not said", want)
				}
			}
			for _, secret := range []string{digits, signature, benchSeed, benchSecret} {
				if strings.Contains(text, secret) {
					t.Error("something secret is said")
				}
			}
			if t.Failed() {
				t.Log(text)
			}
		})
	}
}

// With several keys Explain says which of them a part belongs to.
func TestExplainMixedKeys(t *testing.T) {
	first, second := newKey(t, benchSeed, benchSecret), newKey(t, "E3W374VRSFO4NVKE", "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ")
	mixed := newKey(t, benchSeed, "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ")
	v := newVerifier(t, auth.Config{Keys: []auth.Key{first, second}})
	e := v.Explain(noon, "alice", issue(t, mixed, "alice", noon))
	text := strings.Join(e.Findings, "\n")
	if e.Verdict != string(auth.Expired) || !strings.Contains(text, "secret of key 2") || !strings.Contains(text, "seed of key 1") {
		t.Errorf("%s:\n%s", e.Verdict, text)
	}
}

// What the log says of a refusal names what the issuer does wrong, as Explain does, and what to do about it.
func TestRefusalsSayWhatToDo(t *testing.T) {
	key := newKey(t, benchSeed, benchSecret)
	digits, signature, _ := strings.Cut(issue(t, key, "alice", noon), " ")
	signed := func(address string) string {
		mac := hmac.New(sha256.New, []byte(benchSecret))
		mac.Write([]byte(digits + address))
		return digits + " " + base64.StdEncoding.EncodeToString(mac.Sum(nil))
	}
	at := func(shift time.Duration) string { return issue(t, key, "alice", noon.Add(shift)) }
	const zone, clock = "it takes UTC for local time", "set both clocks by NTP"
	for _, c := range []struct {
		name, authcid, token string
		want, without        []string
	}{
		{"clock behind", "alice", at(-10 * time.Minute), []string{"10 minutes behind", clock}, []string{zone}},
		{"clock ahead", "alice", at(10 * time.Minute), []string{"10 minutes ahead", clock}, []string{zone}},
		{"clock three quarters of an hour behind", "alice", at(-45 * time.Minute), []string{clock}, []string{zone}},
		{"zone ahead of UTC", "alice", at(-time.Hour), []string{"in a time zone 1 hour ahead of UTC", zone, "issuer_timezone"}, nil},
		{"… within the skew", "alice", at(-time.Hour + 30*time.Second), []string{"in a time zone 1 hour ahead of UTC"}, nil},
		{"… beyond it", "alice", at(-time.Hour + time.Minute), []string{clock}, []string{zone}},
		{"zone behind UTC", "alice", at(5 * time.Hour), []string{"in a time zone 5 hours behind UTC"}, nil},
		{"zone of quarters", "alice", at(-5*time.Hour - 45*time.Minute), []string{"in a time zone 5 hours 45 minutes ahead of UTC"}, nil},
		{"no zone is that far", "alice", at(-15 * time.Hour), []string{clock}, []string{zone}},
		{"another seed", "alice", issue(t, newKey(t, "E3W374VRSFO4NVKE", benchSecret), "alice", noon), []string{"OTP seed is another one (compare otp_seed at both ends)"}, []string{zone}},
		{"another secret", "alice", issue(t, newKey(t, benchSeed, "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"), "alice", noon), []string{"token secret is another one (compare token_secret at both ends)"}, nil},
		{"capitals", "JSmith", signed("JSmith@example.org"), []string{"must prepare it (lower case)", "fold_case"}, []string{"; signed with"}},
		{"capitals that the client made small", "jsmith", signed("JSmith@example.org"), []string{"with capitals: the issuer must sign it in lower case"}, nil},
		{"bytes literal", "alice", digits + " b'" + signature + "'", []string{"bytes literal", ".decode('ascii')"}, nil},
		{"another domain", "alice", signed("alice@www.example.org"), []string{"for the domain www.example.org: the issuer must sign example.org"}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			v := newVerifier(t, auth.Config{Skew: 1, Now: func() time.Time { return noon }})
			name, err := auth.PrepareName(c.authcid)
			if err != nil {
				t.Fatal(err)
			}
			_, err = v.Verify(t.Context(), name, c.token)
			if err == nil {
				t.Fatal("accepted")
			}
			for _, want := range c.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q does not say %q", err, want)
				}
			}
			for _, secret := range append(c.without, digits, signature, benchSeed, benchSecret) {
				if strings.Contains(err.Error(), secret) {
					t.Errorf("%q says %q", err, secret)
				}
			}
		})
	}
}
