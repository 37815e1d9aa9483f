package issuer

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"xtokend/auth"
	"xtokend/auth/replay"
)

const (
	seed   = "XVGR73KMZH2M4XMY"
	secret = "JYXEX4IQOEYFYQ2S3MC5P4ZT4SDHYEA7"
)

func newIssuer(t *testing.T) *Issuer {
	t.Helper()
	key, err := auth.NewKey(seed, secret, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	return &Issuer{
		Key: key, Domain: "example.org",
		UserID: func(r *http.Request) string { return r.Header.Get("X-Remote-User") },
		Report: func(err error) { t.Log(err) },
	}
}

// verify says "ok", or why xtokend refuses a login at that time.
func verify(t *testing.T, i *Issuer, c Credentials, at time.Time) string {
	t.Helper()
	store := replay.NewMemory(replay.MemoryOptions{})
	defer store.Close()
	verifier, err := auth.NewVerifier(auth.Config{
		Domain: i.Domain, Keys: []auth.Key{i.Key}, Skew: auth.DefaultSkew, Store: store, Now: func() time.Time { return at },
	})
	if err != nil {
		t.Fatal(err)
	}
	name, err := auth.PrepareName(strings.TrimSuffix(c.JID, "@"+i.Domain))
	if err == nil {
		_, err = verifier.Verify(t.Context(), name, c.Password)
	}
	if refusal, ok := errors.AsType[*auth.Refusal](err); ok {
		return string(refusal.Reason)
	}
	if err != nil {
		t.Fatal(err)
	}
	return "ok"
}

func TestUserIDsLogIn(t *testing.T) {
	text, err := os.ReadFile("../testdata/user_ids.json")
	if err != nil {
		t.Fatal(err)
	}
	var cases []struct {
		Name      string
		UserID    string `json:"user_id"`
		FoldCase  bool   `json:"fold_case"`
		Repeat    int
		Localpart string // empty: refused
	}
	if err := json.Unmarshal(text, &cases); err != nil {
		t.Fatal(err)
	}
	at := time.Now()
	for _, c := range cases {
		t.Run(c.Name, func(t *testing.T) {
			n := max(c.Repeat, 1)
			i := newIssuer(t)
			i.FoldCase = c.FoldCase
			made, err := i.Credentials(strings.Repeat(c.UserID, n), at)
			if c.Localpart == "" {
				if err == nil {
					t.Errorf("signed %q", made.JID)
				}
				return
			}
			if want := strings.Repeat(c.Localpart, n) + "@example.org"; err != nil || made.JID != want {
				t.Fatalf("%q, %v, want %q", made.JID, err, want)
			}
			if got := verify(t, i, made, at); got != "ok" {
				t.Errorf("xtokend says %s", got)
			}
		})
	}
}

func TestTokensAreThoseOfPyotp(t *testing.T) {
	i := newIssuer(t)
	type question struct {
		Localpart string `json:"localpart"`
		Domain    string `json:"domain"`
		At        int64  `json:"at"`
		Nonce     string `json:"nonce"`
	}
	var made []string
	var questions strings.Builder
	for step := range int64(500) {
		at := 1700000000 + 30*step
		c, err := i.Credentials("zoë", time.Unix(at, 0))
		if err != nil {
			t.Fatal(err)
		}
		made = append(made, c.Password)
		if err := json.NewEncoder(&questions).Encode(question{"zoë", i.Domain, at, c.Password[8:40]}); err != nil {
			t.Fatal(err)
		}
	}
	// Debian's own Python has pyotp; another may come first in the path.
	oracle := exec.CommandContext(t.Context(), "/usr/bin/python3", "../testdata/oracle.py", seed, secret)
	oracle.Stdin, oracle.Stderr = strings.NewReader(questions.String()), os.Stderr
	out, err := oracle.Output()
	if err != nil {
		t.Fatal(err)
	}
	want := strings.Fields(strings.ReplaceAll(string(out), " ", "_"))
	if len(want) != len(made) {
		t.Fatalf("pyotp has made %d tokens of %d", len(want), len(made))
	}
	for n, token := range made {
		if strings.ReplaceAll(token, " ", "_") != want[n] {
			t.Errorf("step %d: %q, pyotp makes %q", n, token, want[n])
		}
	}
}

func TestAUserIDThatCannotChatGetsNoToken(t *testing.T) {
	request := httptest.NewRequest(http.MethodGet, "/credentials", nil)
	request.Header.Set("X-Remote-User", "JSmith")
	var reported error
	i := newIssuer(t)
	i.Report = func(err error) { reported = err }
	w := httptest.NewRecorder()
	i.ServeHTTP(w, request)
	if w.Code != http.StatusForbidden || strings.Contains(w.Body.String(), "password") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if reported == nil || !strings.Contains(reported.Error(), `"JSmith" would become "jsmith"`) {
		t.Errorf("reported: %v", reported)
	}
}
