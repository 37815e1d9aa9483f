package component_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"xtokend/auth"
	"xtokend/auth/replay"
	"xtokend/component/upstream"
	"xtokend/internal/fronttest"
	"xtokend/internal/transcript"
	"xtokend/sasl"
)

func TestTranscripts(t *testing.T) {
	dialogues, err := transcript.Read("../testdata/transcripts/*.txt")
	must(t, err)
	for _, d := range dialogues {
		for _, transport := range d.Over {
			t.Run(d.File+"/"+d.Name+"/"+transport, func(t *testing.T) {
				t.Parallel()
				sc := &scene{}
				for _, setting := range d.With {
					key, value, _ := strings.Cut(setting, "=")
					bend(t, sc, key, value)
				}
				d.Play(t, stage{tokens{t, sc.start(t)}, t}, transport)
			})
		}
	}
}

// tokens are a scene's.
type tokens struct {
	tb testing.TB
	sc *scene
}

func (t tokens) Token(user string, steps int) string { return t.sc.token(t.tb, user, steps) }
func (t tokens) Forged(user string) string           { return forged(t.tb, user) }

// stage is a scene as transcripts want it.
type stage struct {
	tokens
	t *testing.T
}

func (s stage) Dial(transport string) transcript.Client { return player{s.sc.dial(s.t, transport)} }
func (s stage) Cut()                                    { s.sc.upstream.(*fronttest.Echo).Last().Close() }
func (s stage) Shutdown()                               { s.sc.shutdown(s.t) }

func (s stage) Relayed(c transcript.Client, user string) {
	c.Expect(ourHeader + relayedFeatures)
	c.Send("<message to='" + user + "@example.org'><body>&lt;</body></message>")
	c.Expect("<message to='" + user + "@example.org'><body>&lt;</body></message>")
}

// player is a client as transcripts want it.
type player struct{ c *client }

func (p player) Send(text string)      { p.c.send(text) }
func (p player) Expect(pattern string) { p.c.expect(pattern) }
func (p player) ExpectEOF()            { p.c.expectEOF() }
func (p player) Close()                { p.c.conn.Close() }

// bend applies one word of a transcript's "with:".
func bend(t *testing.T, sc *scene, key, value string) {
	t.Helper()
	number, _ := strconv.Atoi(value)
	switch key {
	case "listener": // wildcard
		sc.wildcard = true
	case "upstream":
		sc.upstream = map[string]upstream.Upstream{
			"down":     refusingUpstream{errors.New("connection refused")},
			"slow":     silentUpstream{},
			"disabled": refusingUpstream{&upstream.Refusal{Condition: sasl.AccountDisabled, Reason: "account-disabled"}},
			"foreign":  refusingUpstream{&upstream.Refusal{Condition: sasl.NotAuthorized, Reason: "account-exists"}},
		}[value]
	case "store": // full
		sc.store = replay.NewMemory(replay.MemoryOptions{Max: 1})
		use := replay.Use{Domain: testDomain, Address: "other@" + testDomain, ID: [32]byte{1}, Step: testNow.Unix() / 30,
			Window: replay.Window{First: testNow.Unix()/30 - 1, Current: testNow.Unix() / 30, Last: testNow.Unix()/30 + 1}}
		must(t, sc.store.Use(context.Background(), use))
	case "revoked":
		sc.revoked = value
	case "per_address":
		sc.config.Limits.FailedPerMinutePerAddress = number
	case "per_user":
		sc.config.Limits.FailedPerMinutePerUser = number
	case "streams_per_address":
		sc.config.Limits.StreamsPerAddress = number
	case "negotiation_timeout":
		d, err := time.ParseDuration(value)
		must(t, err)
		sc.config.Limits.NegotiationTimeout = d
	case "mechanisms":
		sc.domain.Mechanisms = strings.Split(value, ",")
	default:
		t.Fatalf("a transcript bends %q", key)
	}
}

// forged is a token of right form by somebody who does not know the secret.
func forged(t testing.TB, user string) string {
	t.Helper()
	key := newKey(t, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567")
	name, err := auth.PrepareName(user)
	must(t, err)
	token, err := key.Issue(name, testDomain, testNow)
	must(t, err)
	return token
}

// Every row of the two tables of what a peer may be told must be played.
func TestTranscriptsCoverEveryCondition(t *testing.T) {
	failures := []string{
		"incorrect-encoding", "malformed-request", "not-authorized", "credentials-expired", "invalid-authzid",
		"invalid-mechanism", "aborted", "account-disabled", "temporary-auth-failure", "encryption-required",
	}
	streamErrors := []string{
		"not-authorized", "restricted-xml", "not-well-formed", "bad-format", "invalid-namespace", "bad-namespace-prefix", "host-unknown",
		"unsupported-version", "policy-violation", "connection-timeout", "resource-constraint", "remote-connection-failed",
		"system-shutdown",
	}
	var all []byte
	files, err := filepath.Glob("../testdata/transcripts/*.txt")
	must(t, err)
	for _, file := range files {
		b, err := os.ReadFile(file)
		must(t, err)
		all = append(all, b...)
	}
	shown := func(pattern string) bool {
		return regexp.MustCompile(`(?m)^S: .*` + pattern).Match(all)
	}
	for _, c := range failures {
		if !shown(`<failure [^>]*><` + c + `/>`) {
			t.Errorf("no transcript shows the SASL failure %s", c)
		}
	}
	for _, c := range streamErrors {
		if !shown(`<stream:error><` + c + ` `) {
			t.Errorf("no transcript shows the stream error %s", c)
		}
	}
}
