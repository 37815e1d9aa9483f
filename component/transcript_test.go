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
	"text/template"
	"time"

	"xtokend/auth"
	"xtokend/auth/replay"
	"xtokend/component/upstream"
	"xtokend/internal/fronttest"
	"xtokend/sasl"
)

// A transcript is a dialogue between a client and the front, played over each
// transport. A file holds several:
//
//	== name of the dialogue
//	over: tcp starttls          the transports, if not those that the file begins with
//	with: upstream=down         settings of the scene, see bend
//	OPEN                        client sends a header, front answers with its features
//	C: bytes of the client      a text/template: see dialogue.functions
//	S: bytes of the front       exactly these; … stands for anything
//	S: EOF                      the front closes the connection
//	LOGIN user                  a good token on the open stream, up to the relay
//	RECONNECT, ANOTHER          go on with a new connection; the old one is closed, or kept
//	CUT                         the upstream breaks its connection
//	SHUTDOWN                    the front is shut down
//
// Empty lines and lines that begin with # are skipped.
func TestTranscripts(t *testing.T) {
	files, err := filepath.Glob("../testdata/transcripts/*.txt")
	must(t, err)
	if len(files) == 0 {
		t.Fatal("no transcripts")
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		must(t, err)
		parts := strings.Split(string(text), "\n== ")
		ofFile := transports.FindStringSubmatch(parts[0])
		if ofFile == nil {
			t.Fatalf("%s does not say over what it is played", file)
		}
		for _, part := range parts[1:] {
			name, body, _ := strings.Cut(part, "\n")
			over, with, lines := parseTranscript(t, ofFile[1], body)
			for _, transport := range over {
				t.Run(strings.TrimSuffix(filepath.Base(file), ".txt")+"/"+name+"/"+transport, func(t *testing.T) {
					t.Parallel()
					play(t, transport, with, lines)
				})
			}
		}
	}
}

var transports = regexp.MustCompile(`(?m)^over: (.*)$`)

func parseTranscript(t testing.TB, ofFile, body string) (over, with, lines []string) {
	t.Helper()
	over = strings.Fields(ofFile)
	for line := range strings.Lines(body) {
		line = strings.TrimRight(line, "\n")
		if rest, ok := strings.CutPrefix(line, "over: "); ok {
			over = strings.Fields(rest)
		} else if rest, ok := strings.CutPrefix(line, "with: "); ok {
			with = strings.Fields(rest)
		} else if line != "" && !strings.HasPrefix(line, "#") {
			lines = append(lines, line)
		}
	}
	if len(lines) == 0 {
		t.Fatal("an empty transcript")
	}
	return over, with, lines
}

func play(t *testing.T, transport string, with, lines []string) {
	sc := &scene{}
	for _, setting := range with {
		key, value, _ := strings.Cut(setting, "=")
		bend(t, sc, key, value)
	}
	sc.start(t)
	text := render(t, sc, strings.Join(lines, "\n"))
	c := sc.dial(t, transport)
	for line := range strings.SplitSeq(text, "\n") {
		verb, rest, _ := strings.Cut(line, " ")
		switch verb {
		case "OPEN":
			c.open()
		case "LOGIN":
			c.send(authElement("X-TOKEN", "", rest, sc.token(t, rest, 0)))
			c.expect(success)
			c.send(header)
			c.expect(ourHeader + relayedFeatures)
			c.send("<message to='" + rest + "@example.org'><body>&lt;</body></message>")
			c.expect("<message to='" + rest + "@example.org'><body>&lt;</body></message>")
		case "RECONNECT":
			c.conn.Close()
			c = sc.dial(t, transport)
		case "ANOTHER":
			c = sc.dial(t, transport)
		case "CUT":
			sc.upstream.(*fronttest.Echo).Last().Close()
		case "SHUTDOWN":
			sc.shutdown(t)
		case "C:":
			c.send(rest)
		case "S:":
			if rest == "EOF" {
				c.expectEOF()
			} else {
				c.expect(rest)
			}
		default:
			t.Fatalf("a transcript has the line %q", line)
		}
	}
}

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

// render executes the transcript as a template with the functions that a client
// needs to say what no fixed text can.
func render(t testing.TB, sc *scene, text string) string {
	t.Helper()
	functions := template.FuncMap{
		"token":  func(user string, steps int) string { return sc.token(t, user, steps) },
		"forged": func(user string) string { return forged(t, user) },
		"auth":   authElement,
		"base64": encode,
		"repeat": strings.Repeat,
		"header": func(replace ...string) string { return strings.NewReplacer(replace...).Replace(header) },
		"cut":    func(s string, n int) string { return s[:len(s)-n] },
		"shift":  func(token string, digit string) string { return token[:40] + digit + token[40:] },
	}
	tmpl, err := template.New("transcript").Funcs(functions).Parse(text)
	must(t, err)
	var b strings.Builder
	must(t, tmpl.Execute(&b, nil))
	return b.String()
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
