// Package issuers holds the tests of the issuers beside it, which run as they stand, in the language they are in. The
// one in Go has its own.
package issuers

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
	"unicode"

	"xtokend/auth"
	"xtokend/auth/replay"
)

const (
	domain = "example.org"
	seed   = "XVGR73KMZH2M4XMY"
	secret = "JYXEX4IQOEYFYQ2S3MC5P4ZT4SDHYEA7"

	commandTimeout = 2 * time.Minute
)

// issuers are commands that answer requests, one a line. Debian's Python is the one that has pyotp and Zope.
var issuers = []struct {
	name    string
	command []string
}{
	{"Python", []string{"/usr/bin/python3", "-B", "testdata/issue.py"}},
	{"Node", []string{"node", "testdata/issue.mjs"}},
	{"PHP", []string{"php", "testdata/issue.php"}},
}

// request asks for a token; the time is in Unix seconds.
type request struct {
	UserID   string `json:"user_id"`
	FoldCase bool   `json:"fold_case"`
	Domain   string `json:"domain"`
	At       int64  `json:"at"`
	Nonce    string `json:"nonce"`
}

type answer struct {
	Localpart, Token, Error string
}

// run gives a command lines, and returns those it writes.
func run[Line any](t *testing.T, command []string, requests []Line) []string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), commandTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, command[0], append(command[1:], seed, secret)...)
	var in bytes.Buffer
	encoder := json.NewEncoder(&in)
	for _, r := range requests {
		if err := encoder.Encode(r); err != nil {
			t.Fatal(err)
		}
	}
	cmd.Stdin, cmd.Stderr = &in, os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %v", command, err)
	}
	lines := strings.Split(strings.TrimSuffix(string(out), "\n"), "\n")
	if len(lines) != len(requests) {
		t.Fatalf("%v: %d answers to %d requests", command, len(lines), len(requests))
	}
	return lines
}

func issue(t *testing.T, command []string, requests []request) []answer {
	t.Helper()
	var answers []answer
	for _, line := range run(t, command, requests) {
		var a answer
		if err := json.Unmarshal([]byte(line), &a); err != nil {
			t.Fatal(err)
		}
		answers = append(answers, a)
	}
	return answers
}

// userID is a case of testdata/user_ids.json. Localpart is empty for an id that is refused.
type userID struct {
	Name      string
	UserID    string `json:"user_id"`
	FoldCase  bool   `json:"fold_case"`
	Repeat    int
	Localpart string
}

func userIDs(t *testing.T) []userID {
	t.Helper()
	text, err := os.ReadFile("testdata/user_ids.json")
	if err != nil {
		t.Fatal(err)
	}
	var cases []userID
	if err := json.Unmarshal(text, &cases); err != nil {
		t.Fatal(err)
	}
	for i := range cases {
		if n := cases[i].Repeat; n > 0 {
			cases[i].UserID = strings.Repeat(cases[i].UserID, n)
			cases[i].Localpart = strings.Repeat(cases[i].Localpart, n)
		}
	}
	return cases
}

func nonce(t *testing.T) string {
	t.Helper()
	n, err := rand.Int(rand.Reader, new(big.Int).Exp(big.NewInt(10), big.NewInt(32), nil))
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%032d", n)
}

// verdict is what xtokend makes of a login at that time: "ok", or a reason.
func verdict(t *testing.T, authcid, token string, at time.Time) string {
	t.Helper()
	key, err := auth.NewKey(seed, secret, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	store := replay.NewMemory(replay.MemoryOptions{})
	defer store.Close()
	verifier, err := auth.NewVerifier(auth.Config{
		Domain: domain, Keys: []auth.Key{key}, Skew: auth.DefaultSkew, Store: store, Now: func() time.Time { return at },
	})
	if err != nil {
		t.Fatal(err)
	}
	name, err := auth.PrepareName(authcid)
	if err == nil {
		_, err = verifier.Verify(t.Context(), name, token)
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
	cases := userIDs(t)
	at := time.Now().Unix()
	requests := make([]request, len(cases))
	for i, c := range cases {
		requests[i] = request{UserID: c.UserID, FoldCase: c.FoldCase, Domain: domain, At: at, Nonce: nonce(t)}
	}
	for _, issuer := range issuers {
		t.Run(issuer.name, func(t *testing.T) {
			for i, a := range issue(t, issuer.command, requests) {
				t.Run(cases[i].Name, func(t *testing.T) {
					if a.Localpart != cases[i].Localpart {
						t.Fatalf("localpart %q, want %q (error %q)", a.Localpart, cases[i].Localpart, a.Error)
					}
					if a.Localpart == "" {
						if a.Error == "" || a.Token != "" {
							t.Errorf("refused with error %q and a token of %d characters", a.Error, len(a.Token))
						}
						return
					}
					if got := verdict(t, a.Localpart, a.Token, time.Unix(at, 0)); got != "ok" {
						t.Errorf("xtokend says %s", got)
					}
				})
			}
		})
	}
}

// pyotp's token for each request, whose user id is the localpart.
func oracle(t *testing.T, requests []request) []string {
	t.Helper()
	type question struct {
		Localpart string `json:"localpart"`
		Domain    string `json:"domain"`
		At        int64  `json:"at"`
		Nonce     string `json:"nonce"`
	}
	questions := make([]question, len(requests))
	for i, r := range requests {
		questions[i] = question{r.UserID, r.Domain, r.At, r.Nonce}
	}
	return run(t, []string{"/usr/bin/python3", "testdata/oracle.py"}, questions)
}

func TestTokensAreThoseOfPyotp(t *testing.T) {
	var requests []request
	for _, at := range []int64{0, 29, 30, 59, 1551193138, 1111111109, 2000000000, 20000000000, time.Now().Unix()} {
		for _, name := range []string{"alice", "zoë", "愛麗絲"} {
			for _, n := range []string{"00000000000000000000000000000000", "31415926535897932384626433832795", nonce(t)} {
				requests = append(requests, request{UserID: name, Domain: domain, At: at, Nonce: n})
			}
		}
	}
	// Many steps, so that one-time passwords with leading zeros and MACs with a set top bit are among them.
	for step := range int64(2000) {
		requests = append(requests, request{UserID: "alice", Domain: "xn--bcher-kva.example", At: 1700000000 + 30*step, Nonce: nonce(t)})
	}
	want := oracle(t, requests)
	leadingZero := false
	for _, token := range want {
		leadingZero = leadingZero || strings.HasPrefix(token, "0")
	}
	if !leadingZero {
		t.Error("no one-time password begins with 0")
	}
	for _, issuer := range issuers {
		t.Run(issuer.name, func(t *testing.T) {
			for i, a := range issue(t, issuer.command, requests) {
				if a.Token != want[i] {
					t.Errorf("at %d: %q, pyotp makes %q", requests[i].At, a.Token, want[i])
				}
			}
		})
	}
}

// Each character of Unicode in the middle of a name: what an issuer takes must be what xtokend makes
// of it, or xtokend must refuse it for the direction that it is written in, which issuers leave to xtokend, or as a
// letter of a later Unicode than it knows.
func TestEveryCharacterIsPreparedAsXtokendDoes(t *testing.T) {
	var requests []request
	// Planes 2 and 3 hold ideographs alone, but for the compatibility ones; from plane 4 on there are only tags,
	// variation selectors and private use.
	for _, block := range [][2]rune{{0, 0xd7ff}, {0xe000, 0x200ff}, {0x2f800, 0x2fa1f}, {0xe0000, 0xe01ff}, {0xf0000, 0xf000f}, {0x10ffff, 0x10ffff}} {
		for r := block[0]; r <= block[1]; r++ {
			requests = append(requests, request{UserID: "a" + string(r) + "b", FoldCase: true, Domain: domain, Nonce: strings.Repeat("0", 32)})
		}
	}
	const fewest = 66_000 // letters, marks and digits of Unicode 14 among these that xtokend takes
	for _, issuer := range issuers {
		t.Run(issuer.name, func(t *testing.T) {
			accepted := 0
			for i, a := range issue(t, issuer.command, requests) {
				if a.Localpart == "" {
					continue
				}
				accepted++
				name, err := auth.PrepareName(a.Localpart)
				unknown := strings.ContainsFunc(a.Localpart, func(r rune) bool { return !unicode.IsGraphic(r) })
				if err != nil && (unknown || strings.Contains(err.Error(), "bidi")) {
					continue
				}
				if err != nil || name.Localpart() != a.Localpart {
					t.Errorf("%+q: the issuer signs %+q, xtokend reads %+q, %v", requests[i].UserID, a.Localpart, name.Localpart(), err)
				}
			}
			if accepted < fewest {
				t.Errorf("%d characters are accepted, of %d that Unicode has for names", accepted, fewest)
			}
		})
	}
}
