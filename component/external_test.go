package component_test

import (
	"context"
	"errors"
	"reflect"
	"strings"
	"testing"

	"mellium.im/xmpp/jid"

	"xtokend/auth/replay"
	"xtokend/component"
	"xtokend/internal/transcript"
	"xtokend/sasl"
)

// ask is an attempt at another server, and what became of it: ok, or the reason
// and the condition of a failure.
func (sc *scene) ask(t *testing.T, domain, authcid, token string) string {
	t.Helper()
	err := sc.front.Authenticate(t.Context(), component.External{Domain: domain, Authcid: authcid, Token: token, Adapter: "http-auth"})
	var failure *sasl.Failure
	switch {
	case err == nil:
		return component.ReasonOK
	case errors.As(err, &failure):
		return failure.Reason + " " + string(failure.Condition)
	}
	return err.Error()
}

func TestTokensOfAnotherServersClients(t *testing.T) {
	sc := (&scene{revoked: "carol"}).start(t)
	spent := sc.token(t, "bob", 0)
	for _, step := range []struct{ name, domain, authcid, token, want string }{
		{"a good one", testDomain, "alice", sc.token(t, "alice", 0), "ok"},
		{"of a neighbouring step", testDomain, "alice", sc.token(t, "alice", -1), "ok"},
		{"a domain in capitals", "EXAMPLE.org", "alice", sc.token(t, "alice", 0), "ok"},
		{"a name in capitals", testDomain, "ALICE", sc.token(t, "alice", 0), "ok"},
		{"a name beyond ASCII", testDomain, "jürgen", sc.token(t, "jürgen", 0), "ok"},
		{"first use", testDomain, "bob", spent, "ok"},
		{"second use", testDomain, "bob", spent, "replayed not-authorized"},
		{"forged", testDomain, "alice", forged(t, "alice"), "bad-signature not-authorized"},
		{"somebody else's", testDomain, "alice", sc.token(t, "bob", 0), "bad-signature not-authorized"},
		{"too old", testDomain, "alice", sc.token(t, "alice", -2), "expired credentials-expired"},
		{"revoked", testDomain, "carol", sc.token(t, "carol", 0), "revoked credentials-expired"},
		{"a password", testDomain, "alice", "correct horse", "malformed not-authorized"},
		{"a password of 64 kB", testDomain, "alice", strings.Repeat("x", 1<<16), "malformed not-authorized"},
		{"nothing", testDomain, "alice", "", "malformed not-authorized"},
		{"no name", testDomain, "", sc.token(t, "alice", 0), "malformed malformed-request"},
		{"an address for a name", testDomain, "alice@example.org", sc.token(t, "alice", 0), "malformed malformed-request"},
		{"a name that the server would bend", testDomain, "strauß", "x", "malformed malformed-request"},
		{"a NUL in the name", testDomain, "alice\x00" + sc.token(t, "alice", 0), "", "malformed malformed-request"},
		{"a NUL behind the token", testDomain, "alice", sc.token(t, "alice", 0) + "\x00", "malformed not-authorized"},
		{"bad UTF-8", testDomain, "alice\xff", sc.token(t, "alice", 0), "malformed malformed-request"},
		{"another domain", "example.com", "alice", sc.token(t, "alice", 0), component.ErrUnknownDomain.Error()},
		{"an address for a domain", "alice@example.org", "alice", sc.token(t, "alice", 0), component.ErrUnknownDomain.Error()},
		{"no domain", "", "alice", sc.token(t, "alice", 0), component.ErrUnknownDomain.Error()},
	} {
		if got := sc.ask(t, step.domain, step.authcid, step.token); got != step.want {
			t.Errorf("%s: %s, want %s", step.name, got, step.want)
		}
		if len(step.token) > 40 && strings.Contains(sc.log.String(), step.token[:40]) || strings.Contains(sc.log.String(), "correct horse") {
			t.Fatalf("%s: the log holds the token", step.name)
		}
	}
	for _, line := range []string{
		"level=INFO msg=authenticated transport=http-auth domain=example.org user=alice@example.org mechanism=PLAIN skew_steps=-1",
		"level=INFO msg=\"authentication refused\" transport=http-auth domain=example.org reason=replayed condition=not-authorized mechanism=PLAIN user=bob@example.org",
		"level=WARN msg=\"a server asks about a domain that is not served here\" transport=http-auth",
	} {
		if !strings.Contains(sc.log.String(), line) {
			t.Errorf("the log lacks %s", line)
		}
	}
}

// A token is good once, wherever it is shown first.
func TestOneUseAtTheFrontAndElsewhere(t *testing.T) {
	sc := (&scene{}).start(t)
	atFront, elsewhere := sc.token(t, "alice", 0), sc.token(t, "alice", 0)

	c := sc.dial(t, "tls")
	c.open()
	c.send(transcript.AuthElement("PLAIN", "", "alice", atFront))
	c.expect(success)
	if got := sc.ask(t, testDomain, "alice", atFront); got != "replayed not-authorized" {
		t.Errorf("used at the front: %s", got)
	}

	if got := sc.ask(t, testDomain, "alice", elsewhere); got != component.ReasonOK {
		t.Errorf("not used yet: %s", got)
	}
	c = sc.dial(t, "tls")
	c.open()
	c.send(transcript.AuthElement("X-TOKEN", "", "alice", elsewhere))
	c.expect("<failure xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><not-authorized/>…</failure>")
}

func TestAttemptsElsewhereAreObservedAndLimited(t *testing.T) {
	var got []component.Attempt
	sc := &scene{}
	sc.config.Limits.FailedPerMinutePerUser = 2
	sc.config.Observe = func(a component.Attempt) {
		a.Acceptance.Step = 0
		got = append(got, a)
	}
	sc.start(t)
	var reasons []string
	for _, authcid := range []string{"alice", "Alice", "alice", "bob"} {
		reasons = append(reasons, sc.ask(t, testDomain, authcid, forged(t, "alice")))
	}
	want := []string{
		"bad-signature not-authorized", "bad-signature not-authorized", "rate-limited temporary-auth-failure",
		"bad-signature not-authorized",
	}
	if !reflect.DeepEqual(reasons, want) {
		t.Errorf("%q, want %q", reasons, want)
	}
	if n := sc.front.LimitsReached()["failed_per_minute_per_user"]; n != 1 {
		t.Errorf("the limit was reached %d times", n)
	}
	attempt := component.Attempt{Domain: testDomain, Mechanism: "PLAIN", Transport: "http-auth"}
	for i, reason := range []string{"bad-signature", "bad-signature", "rate-limited", "bad-signature"} {
		attempt.Reason = reason
		if got[i] != attempt {
			t.Errorf("observed %+v, want %+v", got[i], attempt)
		}
	}
	// The limit holds at the front as well: it is the user's.
	c := sc.dial(t, "tls")
	c.open()
	c.send(transcript.AuthElement("PLAIN", "", "alice", sc.token(t, "alice", 0)))
	c.expect("<failure xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><temporary-auth-failure/>…</failure>")
}

// failingStore cannot answer.
type failingStore struct{ replay.Store }

func (failingStore) Use(context.Context, replay.Use) error { return errors.New("gone") }

// An outage is nobody's fault, and no token is taken on trust.
func TestNobodyIsLetInElsewhereWithoutTheStore(t *testing.T) {
	sc := &scene{store: failingStore{replay.NewMemory(replay.MemoryOptions{})}}
	sc.config.Limits.FailedPerMinutePerUser = 1
	sc.start(t)
	for range 3 {
		if got := sc.ask(t, testDomain, "alice", sc.token(t, "alice", 0)); got != "unavailable temporary-auth-failure" {
			t.Errorf("without its store: %s", got)
		}
	}
}

func TestADrainingFrontVerifiesForOthers(t *testing.T) {
	sc := (&scene{}).start(t)
	sc.front.Drain()
	if got := sc.ask(t, testDomain, "alice", sc.token(t, "alice", 0)); got != component.ReasonOK {
		t.Error(got)
	}
}

// The clients of a domain without an upstream are another server's.
func TestADomainWhoseClientsAreElsewhere(t *testing.T) {
	sc := (&scene{}).start(t)
	elsewhere := sc.config
	elsewhere.Domains = []component.Domain{{Name: testDomain, Verifier: sc.verifier}}
	front, err := component.New(elsewhere)
	must(t, err)
	must(t, front.Shutdown(t.Context()))

	must(t, sc.front.Reload(elsewhere))
	if got := sc.ask(t, testDomain, "alice", sc.token(t, "alice", 0)); got != component.ReasonOK {
		t.Error(got)
	}
	c := sc.dial(t, "tls")
	c.send(header)
	c.expect("…<host-unknown …")
	ended, err := sc.front.Revoke(t.Context(), jid.MustParse("alice@"+testDomain))
	if ended != 0 || err != nil {
		t.Errorf("revoking: %d, %v", ended, err)
	}
	if got := sc.ask(t, testDomain, "alice", sc.token(t, "alice", 0)); got != "revoked credentials-expired" {
		t.Errorf("behind a revocation: %s", got)
	}
}
