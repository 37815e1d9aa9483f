package sasl_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	msasl "mellium.im/sasl"

	"xtokend/auth"
	"xtokend/auth/replay"
	"xtokend/sasl"
)

var mechanisms = []string{sasl.XToken, sasl.HMAC, sasl.Plain}

// site is a verifier with all it is made of.
type site struct {
	*auth.Verifier
	key   auth.Key
	store replay.Store
	at    time.Time // what its clock says
}

const domain = "example.org"

func newSite(t testing.TB) *site {
	t.Helper()
	key, err := auth.NewKey("XVGR73KMZH2M4XMY", "JYXEX4IQOEYFYQ2S3MC5P4ZT4SDHYEA7", time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	s := &site{key: key, store: replay.NewMemory(replay.MemoryOptions{Max: 1}), at: time.Unix(1551193138, 0)}
	s.Verifier, err = auth.NewVerifier(auth.Config{
		Domain: domain, Keys: []auth.Key{key}, Skew: 1, Store: s.store, Now: func() time.Time { return s.at },
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func prepare(t testing.TB, authcid string) auth.Name {
	t.Helper()
	name, err := auth.PrepareName(authcid)
	if err != nil {
		t.Fatal(err)
	}
	return name
}

// token returns a fresh token of alice, a number of steps from now.
func (s *site) token(t testing.TB, steps int) string {
	t.Helper()
	token, err := s.key.Issue(prepare(t, "alice"), domain, s.at.Add(time.Duration(steps)*30*time.Second))
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// login lets a client negotiator with these credentials talk to a server's.
func login(t testing.TB, v *auth.Verifier, mechanism, authzid, authcid, token string) (sasl.Outcome, error) {
	t.Helper()
	client := msasl.NewClient(sasl.Client(mechanism), msasl.Credentials(func() ([]byte, []byte, []byte) {
		return []byte(authcid), []byte(token), []byte(authzid)
	}))
	more, message, err := client.Step(nil)
	if more || err != nil {
		t.Fatalf("client: more %v, %v", more, err)
	}
	return serve(t, v, mechanism, message)
}

// serve gives a server negotiator the client's one message.
func serve(t testing.TB, v *auth.Verifier, mechanism string, message []byte) (sasl.Outcome, error) {
	t.Helper()
	var out sasl.Outcome
	server := msasl.NewServer(sasl.Server(context.Background(), mechanism, v, &out), nil)
	more, data, err := server.Step(message)
	if more || data != nil {
		t.Errorf("server: more %v, %d bytes of data", more, len(data))
	}
	if err != nil && out != (sasl.Outcome{}) {
		t.Error("the outcome of a refused attempt is filled in")
	}
	return out, err
}

func TestLogin(t *testing.T) {
	for _, mechanism := range mechanisms {
		for _, authzid := range []string{"", "alice@example.org", "ALICE@Example.ORG"} {
			for _, authcid := range []string{"alice", "Alice"} {
				out, err := login(t, newSite(t).Verifier, mechanism, authzid, authcid, newSite(t).token(t, -1))
				if err != nil {
					t.Errorf("%s, authzid %q, authcid %q: %v", mechanism, authzid, authcid, err)
					continue
				}
				if out.Name.Localpart() != "alice" || out.Acceptance.Skew != -1 || out.Acceptance.Step != 1551193138/30-1 {
					t.Errorf("%s, authzid %q, authcid %q: %+v", mechanism, authzid, authcid, out)
				}
			}
		}
	}
}

// TestRefusals has a case for each thing that can be wrong, with the condition
// that each mechanism answers.
func TestRefusals(t *testing.T) {
	type answer struct {
		condition sasl.Condition
		reason    string
	}
	malformed := answer{sasl.MalformedRequest, "malformed"}
	password := answer{sasl.NotAuthorized, "malformed"}
	invalidAuthzid := answer{sasl.InvalidAuthzid, "invalid-authzid"}
	unavailable := answer{sasl.TemporaryAuthFailure, "unavailable"}

	for _, tc := range []struct {
		name                    string
		prepare                 func(*testing.T, *site)
		authzid, authcid, token string // empty authcid and token: alice's
		message                 string // sent instead, if there is one
		want                    answer
		plain                   answer // if it differs
	}{
		{name: "no NUL", message: "alice", want: malformed},
		{name: "one NUL", message: "alice\x00token", want: malformed},
		{name: "empty message", want: malformed},
		{name: "empty authcid", message: "\x00\x00token", want: malformed},
		{name: "bad UTF-8 in authzid", authzid: "\xff", want: malformed},
		{name: "bad UTF-8 in authcid", authcid: "alice\xc3", want: malformed},
		{name: "bad UTF-8 in token", token: "\xff", want: malformed},
		{name: "authcid is a JID", authcid: "alice@example.org", want: malformed},
		{name: "authcid that servers of RFC 6122 read as another", authcid: "strauß", want: malformed},
		{name: "authcid with space", authcid: "al ice", want: malformed},
		{name: "authcid of the limit", authcid: strings.Repeat("a", sasl.MaxIdentityBytes), want: malformed},
		{name: "authcid beyond the limit", authcid: strings.Repeat("a", sasl.MaxIdentityBytes+1), want: malformed},
		{name: "authzid of the limit", authzid: strings.Repeat("a", sasl.MaxIdentityBytes), want: invalidAuthzid},
		{name: "authzid beyond the limit", authzid: strings.Repeat("a", sasl.MaxIdentityBytes+1), want: malformed},

		{name: "authzid of somebody else", authzid: "admin@example.org", want: invalidAuthzid},
		{name: "authzid at another domain", authzid: "alice@example.com", want: invalidAuthzid},
		{name: "authzid with resource", authzid: "alice@example.org/x", want: invalidAuthzid},
		{name: "authzid without domain", authzid: "alice", want: invalidAuthzid},
		{name: "authzid is the domain", authzid: "example.org", want: invalidAuthzid},
		{name: "authzid is no JID", authzid: "@", want: invalidAuthzid},
		{name: "authzid with bad localpart", authzid: "al ice@example.org", want: invalidAuthzid},
		{name: "authzid that servers of RFC 6122 read as another", authzid: "strauß@example.org", authcid: "strauss", want: invalidAuthzid},
		{name: "authzid of somebody else and a bad token", authzid: "admin@example.org", token: "secret", want: invalidAuthzid},

		{name: "token of wrong form", token: "secret", want: malformed, plain: password},
		{name: "NUL in token", token: "secret\x00", want: malformed, plain: password},
		{name: "NUL behind a good token", token: "8524917131415926535897932384626433832795 G9RPwjT6HMjZN3fw8qnhAPvK3Fpfxg+D6EuxKRuRi7w=\x00", want: malformed, plain: password},
		{name: "no token", message: "\x00alice\x00", want: malformed, plain: password},
		{name: "token of the limit", token: strings.Repeat("1", sasl.MaxTokenBytes), want: malformed, plain: password},
		{name: "token beyond the limit", token: strings.Repeat("1", sasl.MaxTokenBytes+1), want: malformed, plain: password},
		{name: "forged", token: "8524917131415926535897932384626433832795 " + strings.Repeat("A", 43) + "=", want: answer{sasl.NotAuthorized, "bad-signature"}},
		{name: "of another user", authcid: "bob", want: answer{sasl.NotAuthorized, "bad-signature"}},
		{name: "replayed", prepare: func(t *testing.T, s *site) {
			if _, err := s.Verify(context.Background(), prepare(t, "alice"), validToken); err != nil {
				t.Fatal(err)
			}
		}, token: validToken, want: answer{sasl.NotAuthorized, "replayed"}},
		{name: "expired", prepare: func(_ *testing.T, s *site) { s.at = s.at.Add(time.Minute) }, token: validToken,
			want: answer{sasl.CredentialsExpired, "expired"}},
		{name: "from the future", prepare: func(_ *testing.T, s *site) { s.at = s.at.Add(-time.Hour) }, token: validToken,
			want: answer{sasl.CredentialsExpired, "expired"}},
		{name: "revoked", prepare: func(t *testing.T, s *site) {
			if err := s.Revoke(context.Background(), prepare(t, "alice")); err != nil {
				t.Fatal(err)
			}
		}, want: answer{sasl.CredentialsExpired, "revoked"}},
		{name: "store full", prepare: func(t *testing.T, s *site) {
			if _, err := s.Verify(context.Background(), prepare(t, "alice"), s.token(t, 0)); err != nil {
				t.Fatal(err)
			}
		}, want: unavailable},
		{name: "store closed", prepare: func(t *testing.T, s *site) {
			if err := s.store.Close(); err != nil {
				t.Fatal(err)
			}
		}, want: unavailable},
	} {
		t.Run(tc.name, func(t *testing.T) {
			for _, mechanism := range mechanisms {
				s := newSite(t)
				if tc.prepare != nil {
					tc.prepare(t, s)
				}
				authcid, token := tc.authcid, tc.token
				if authcid == "" {
					authcid = "alice"
				}
				if token == "" {
					token = s.token(t, 0)
				}
				message := []byte(tc.message)
				if tc.message == "" && tc.name != "empty message" {
					message = []byte(tc.authzid + "\x00" + authcid + "\x00" + token)
				}
				_, err := serve(t, s.Verifier, mechanism, message)
				var failure *sasl.Failure
				if !errors.As(err, &failure) {
					t.Fatalf("%s: %T: %v", mechanism, err, err)
				}
				want := tc.want
				if mechanism == sasl.Plain && tc.plain.condition != "" {
					want = tc.plain
				}
				if got := (answer{failure.Condition, failure.Reason}); got != want {
					t.Errorf("%s: %v, want %v", mechanism, got, want)
				}
				if failure.Counted != (failure.Condition != sasl.TemporaryAuthFailure) {
					t.Errorf("%s: counted: %v", mechanism, failure.Counted)
				}
				checkSilence(t, failure, token)
			}
		})
	}
}

const validToken = "8524917131415926535897932384626433832795 G9RPwjT6HMjZN3fw8qnhAPvK3Fpfxg+D6EuxKRuRi7w="

// checkSilence checks that a failure says something and no part of the token.
func checkSilence(t *testing.T, f *sasl.Failure, token string) {
	t.Helper()
	if f.Text == "" || f.Err == nil {
		t.Errorf("text %q, cause %v: nothing to read", f.Text, f.Err)
	}
	for _, said := range []string{f.Text, f.Error(), f.Err.Error()} {
		for i := 0; i+8 <= len(token) && i < 128; i++ {
			if strings.Contains(said, token[i:i+8]) {
				t.Errorf("%q holds a part of the token", said)
				return
			}
		}
	}
}

// TestTextsDependOnConditionAlone: no text may tell two causes apart.
func TestTextsDependOnConditionAlone(t *testing.T) {
	texts := map[sasl.Condition]string{}
	s := newSite(t)
	for _, token := range []string{"secret", validToken, validToken, strings.Replace(validToken, "G9", "G8", 1), s.token(t, 5), s.token(t, 0)} {
		for _, authcid := range []string{"alice", "bob", "al ice"} {
			_, err := login(t, s.Verifier, sasl.Plain, "", authcid, token)
			var failure *sasl.Failure
			if !errors.As(err, &failure) {
				continue
			}
			if known, ok := texts[failure.Condition]; ok && known != failure.Text {
				t.Errorf("%s: %q and %q", failure.Condition, known, failure.Text)
			}
			texts[failure.Condition] = failure.Text
		}
	}
	if len(texts) != 4 { // malformed-request, not-authorized, credentials-expired, temporary-auth-failure
		t.Errorf("conditions seen: %v", texts)
	}
}

// TestRefusedAuthzidSpendsNoToken: the token is still good for its owner.
func TestRefusedAuthzidSpendsNoToken(t *testing.T) {
	s := newSite(t)
	if _, err := login(t, s.Verifier, sasl.XToken, "admin@example.org", "alice", validToken); err == nil {
		t.Fatal("somebody else's authzid was accepted")
	}
	if _, err := login(t, s.Verifier, sasl.XToken, "", "alice", validToken); err != nil {
		t.Error(err)
	}
}

// TestMechanismsShareTheReplayStore: a token used by one mechanism is used up
// for all.
func TestMechanismsShareTheReplayStore(t *testing.T) {
	s := newSite(t)
	if _, err := login(t, s.Verifier, sasl.Plain, "", "alice", validToken); err != nil {
		t.Fatal(err)
	}
	for _, mechanism := range mechanisms {
		_, err := login(t, s.Verifier, mechanism, "", "alice", validToken)
		var failure *sasl.Failure
		if !errors.As(err, &failure) || failure.Reason != string(auth.Replayed) {
			t.Errorf("%s: %v", mechanism, err)
		}
	}
}

func TestAbsentInitialResponse(t *testing.T) {
	s := newSite(t)
	var out sasl.Outcome
	server := msasl.NewServer(sasl.Server(context.Background(), sasl.XToken, s.Verifier, &out), nil)
	more, challenge, err := server.Step(nil)
	if !more || len(challenge) != 0 || err != nil {
		t.Fatalf("absent initial response: more %v, challenge %q, %v", more, challenge, err)
	}
	more, _, err = server.Step([]byte("\x00alice\x00" + validToken))
	if more || err != nil || out.Name.Localpart() != "alice" {
		t.Fatalf("response: more %v, %v, %+v", more, err, out)
	}
	if _, _, err = server.Step([]byte("\x00alice\x00" + validToken)); !hasCondition(err, sasl.MalformedRequest) {
		t.Errorf("a step too many: %v", err)
	}
}

func TestSecondResponse(t *testing.T) {
	for _, first := range [][]byte{nil, []byte("\x00alice\x00" + validToken)} {
		s := newSite(t)
		var out sasl.Outcome
		server := msasl.NewServer(sasl.Server(context.Background(), sasl.XToken, s.Verifier, &out), nil)
		if _, _, err := server.Step(first); err != nil {
			t.Fatal(err)
		}
		// Asked for a response, the client sends none; or it sends one unasked.
		if more, _, err := server.Step(nil); more || !hasCondition(err, sasl.MalformedRequest) {
			t.Errorf("after %q: more %v, %v", first, more, err)
		}
	}
}

// TestReset: one negotiator serves several attempts, if it is reset.
func TestReset(t *testing.T) {
	s := newSite(t)
	var out sasl.Outcome
	server := msasl.NewServer(sasl.Server(context.Background(), sasl.HMAC, s.Verifier, &out), nil)
	if _, _, err := server.Step([]byte("\x00bob\x00" + validToken)); !hasCondition(err, sasl.NotAuthorized) {
		t.Fatal(err)
	}
	server.Reset()
	if _, _, err := server.Step([]byte("\x00alice\x00" + validToken)); err != nil || out.Name.Localpart() != "alice" {
		t.Errorf("%v, %+v", err, out)
	}
}

func TestServerMisused(t *testing.T) {
	s := newSite(t)
	_, err := serve(t, s.Verifier, "SCRAM-SHA-1", []byte("\x00alice\x00"+validToken))
	if !hasCondition(err, sasl.InvalidMechanism) {
		t.Errorf("unknown mechanism: %v", err)
	}
	var out sasl.Outcome
	if _, _, err := msasl.NewClient(sasl.Server(context.Background(), sasl.Plain, s.Verifier, &out)).Step(nil); err == nil {
		t.Error("the server's side was started as a client's")
	}
}

func TestClient(t *testing.T) {
	for _, tc := range []struct{ name, authzid, authcid, token, want string }{
		{"usual", "", "alice", "1 a", "\x00alice\x001 a"},
		{"authzid", "alice@example.org", "alice", "1 a", "alice@example.org\x00alice\x001 a"},
		{"no authcid", "", "", "1 a", ""},
		{"NUL in authcid", "", "alice\x00", "1 a", ""},
		{"NUL in authzid", "alice\x00", "alice", "1 a", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			client := msasl.NewClient(sasl.Client(sasl.XToken), msasl.Credentials(func() ([]byte, []byte, []byte) {
				return []byte(tc.authcid), []byte(tc.token), []byte(tc.authzid)
			}))
			more, message, err := client.Step(nil)
			if more || string(message) != tc.want || (err == nil) != (tc.want != "") {
				t.Fatalf("more %v, %q, %v", more, message, err)
			}
			if err != nil {
				return
			}
			if _, _, err := client.Step([]byte("challenge")); err == nil {
				t.Error("a challenge was answered")
			}
		})
	}
}

func hasCondition(err error, c sasl.Condition) bool {
	var failure *sasl.Failure
	return errors.As(err, &failure) && failure.Condition == c
}
