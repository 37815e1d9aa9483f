package httpauth_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"xtokend/cmd/xtokend/internal/extauth"
	"xtokend/cmd/xtokend/internal/httpauth"
	"xtokend/cmd/xtokend/internal/httpservertest"
	"xtokend/internal/peertest"
	"xtokend/internal/testcert"
)

const (
	secret = "a-bearer-secret-of-32-characters-or-more"
	token  = "8524917131415926535897932384626433832795 G9RPwjT6HMjZN3fw8qnhAPvK3Fpfxg+D6EuxKRuRi7w="
)

// lingering is where net/http waits for half a second before it closes on a client
// whose request was too long.
const lingering = "net/http.(*conn).closeWriteAndWait"

func TestMain(m *testing.M) { goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction(lingering)) }

// site knows alice and her token.
func site(_ context.Context, q extauth.Question) (bool, error) {
	switch {
	case q.User == "outage":
		return true, errors.New("gone")
	case q.Verb == extauth.UserExists:
		return q == extauth.Question{Verb: q.Verb, User: "alice", Server: "example.org"}, nil
	}
	return q == extauth.Question{Verb: extauth.CheckPassword, User: "alice", Server: "example.org", Password: token}, nil
}

// serve answers at an address until the test ends.
func serve(t *testing.T, c httpauth.Config) (address string, log *peertest.Log) {
	t.Helper()
	log = &peertest.Log{}
	c.Secret, c.Answer = secret, site
	c.Logger = slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { // when all is answered
		if text := log.String(); strings.Contains(text, token[:40]) || strings.Contains(text, secret) || strings.Contains(text, "user=") {
			t.Errorf("the log tells too much:\n%s", text)
		}
	})
	httpservertest.Serve(t, httpauth.NewServer(c), l)
	return l.Addr().String(), log
}

func basic(password string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte("prosody:"+password))
}

// The contract is the one that MongooseIM documents for its method http.
func TestContract(t *testing.T) {
	address, log := serve(t, httpauth.Config{})
	good := "user=alice&server=example.org&pass=" + url.QueryEscape(token)
	const bearer = "Bearer " + secret
	for _, tc := range []struct {
		name, method, path, query, body, kind string
		authorization                         string
		status                                int
		answer                                string
	}{
		{"a token", "GET", "/check_password", good, "", "", basic(secret), 200, "true"},
		{"with a bearer token", "GET", "/check_password", good, "", "", bearer, 200, "true"},
		{"a scheme in small letters", "GET", "/check_password", good, "", "", "bearer " + secret, 200, "true"},
		{"a token in percents", "GET", "/check_password", strings.ReplaceAll(good, "+", "%20"), "", "", bearer, 200, "true"},
		{"a token in the body", "POST", "/check_password", "", good, "application/x-www-form-urlencoded; charset=utf-8", bearer, 200, "true"},
		{"a wrong token", "GET", "/check_password", good + "x", "", "", bearer, 200, "false"},
		{"an empty password", "GET", "/check_password", "user=alice&server=example.org&pass=", "", "", bearer, 200, "false"},
		{"another domain", "GET", "/check_password", strings.Replace(good, ".org", ".com", 1), "", "", bearer, 200, "false"},
		{"a user", "GET", "/user_exists", "user=alice&server=example.org", "", "", basic(secret), 200, "true"},
		{"a user with an undefined password", "GET", "/user_exists", "user=alice&server=example.org&pass=undefined", "", "", bearer, 200, "true"},
		{"no such user", "GET", "/user_exists", "user=bob&server=example.org", "", "", bearer, 200, "false"},
		{"an outage", "GET", "/check_password", "user=outage&server=example.org&pass=x", "", "", bearer, 503, "nobody can tell at the moment"},
		{"a user in an outage", "GET", "/user_exists", "user=outage&server=example.org", "", "", bearer, 503, "nobody can tell at the moment"},

		{"no secret", "GET", "/check_password", good, "", "", "", 401, "show the secret"},
		{"a wrong secret", "GET", "/check_password", good, "", "", bearer + "x", 401, "show the secret"},
		{"half the secret", "GET", "/check_password", good, "", "", bearer[:20], 401, "show the secret"},
		{"an empty secret", "GET", "/check_password", good, "", "", "Bearer ", 401, "show the secret"},
		{"a wrong password", "GET", "/check_password", good, "", "", basic("x"), 401, "show the secret"},
		{"no base64", "GET", "/check_password", good, "", "", "Basic " + secret, 401, "show the secret"},
		{"another scheme", "GET", "/check_password", good, "", "", "Digest " + secret, 401, "show the secret"},
		{"the secret alone", "GET", "/check_password", good, "", "", secret, 401, "show the secret"},
		{"no secret for another path", "GET", "/", "", "", "", "", 401, "show the secret"},

		{"no password", "GET", "/check_password", "user=alice&server=example.org", "", "", bearer, 400, ""},
		{"two passwords", "GET", "/check_password", good + "&pass=x", "", "", bearer, 400, ""},
		{"two users", "GET", "/user_exists", "user=alice&user=bob&server=example.org", "", "", bearer, 400, ""},
		{"no user", "GET", "/user_exists", "server=example.org", "", "", bearer, 400, ""},
		{"an empty server", "GET", "/user_exists", "user=alice&server=", "", "", bearer, 400, ""},
		{"semicolons", "GET", "/user_exists", "user=alice;server=example.org", "", "", bearer, 400, ""},
		{"a broken percent", "GET", "/user_exists", "user=alice%&server=example.org", "", "", bearer, 400, ""},
		{"bad UTF-8", "GET", "/user_exists", "user=alice%ff&server=example.org", "", "", bearer, 400, ""},
		{"the longest question", "GET", "/check_password", "user=a&server=b&pass=" + strings.Repeat("x", extauth.MaxQuestionBytes-2), "", "", bearer, 200, "false"},
		{"a longer question", "GET", "/check_password", "user=a&server=b&pass=" + strings.Repeat("x", extauth.MaxQuestionBytes-1), "", "", bearer, 400, ""},
		{"a body of its limit", "POST", "/check_password", "", good + "&x=" + strings.Repeat("x", 3*extauth.MaxQuestionBytes-len(good)-3), "application/x-www-form-urlencoded", bearer, 200, "true"},
		{"a longer body", "POST", "/check_password", "", good + "&x=" + strings.Repeat("x", 3*extauth.MaxQuestionBytes-len(good)-2), "application/x-www-form-urlencoded", bearer, 413, ""},
		{"a query that is too long", "GET", "/check_password", strings.Repeat("x", 40000), "", "", bearer, 431, ""},
		{"a query with POST", "POST", "/check_password", good, good, "application/x-www-form-urlencoded", bearer, 400, inTheBody},
		{"JSON", "POST", "/check_password", "", `{"user":"alice"}`, "application/json", bearer, 415, ""},
		{"no type", "POST", "/check_password", "", good, "", bearer, 415, ""},

		{"a method that is none", "PUT", "/check_password", good, "", "", bearer, 405, "use GET or POST"},
		{"an account", "POST", "/register", "", good, "application/x-www-form-urlencoded", basic(secret), 403, noAccounts},
		{"another password", "POST", "/set_password", "", good, "application/x-www-form-urlencoded", basic(secret), 403, noAccounts},
		{"an account less", "POST", "/remove_user", "", good, "application/x-www-form-urlencoded", basic(secret), 403, noAccounts},
		{"a password for SCRAM", "GET", "/get_password", good, "", "", basic(secret), 404, noSuchPath},
		{"certificates", "GET", "/get_certs", good, "", "", basic(secret), 404, noSuchPath},
		{"a path below", "GET", "/x/check_password", good, "", "", bearer, 404, noSuchPath},
		{"a path with a dot", "GET", "/./check_password", good, "", "", bearer, 404, noSuchPath},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var request strings.Builder
			target := tc.path
			if tc.query != "" {
				target += "?" + tc.query
			}
			fmt.Fprintf(&request, "%s %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\nContent-Length: %d\r\n", tc.method, target, address, len(tc.body))
			if tc.authorization != "" {
				fmt.Fprintf(&request, "Authorization: %s\r\n", tc.authorization)
			}
			if tc.kind != "" {
				fmt.Fprintf(&request, "Content-Type: %s\r\n", tc.kind)
			}
			status, answer := exchange(t, address, request.String()+"\r\n"+tc.body)
			if status != tc.status || tc.answer != "" && answer != tc.answer {
				t.Errorf("%d %q, want %d %q", status, answer, tc.status, tc.answer)
			}
		})
	}
	if !strings.Contains(log.String(), `level=WARN msg="a request for http_auth has not shown the secret" address=127.0.0.1`) {
		t.Errorf("the log does not tell of those without the secret:\n%s", log.String())
	}
}

const (
	inTheBody  = "with POST the question belongs in the body"
	noAccounts = "xtokend makes, changes and removes no accounts"
	noSuchPath = "there are /check_password and /user_exists"
)

// exchange sends a request as it is, and insists on an answer with a length.
func exchange(t *testing.T, address, request string) (status int, answer string) {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	go io.WriteString(conn, request)
	r, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	body, err := io.ReadAll(r.Body)
	if r.StatusCode == http.StatusRequestHeaderFieldsTooLarge { // what was not read resets the connection
		return r.StatusCode, ""
	}
	if err != nil {
		t.Fatal(err)
	}
	if r.ContentLength != int64(len(body)) {
		t.Errorf("a length of %d for %d bytes", r.ContentLength, len(body))
	}
	return r.StatusCode, string(body)
}

func TestTheNextConnectionWaits(t *testing.T) {
	httpservertest.ServesAtMost(t, 256, func() httpservertest.Server {
		return httpauth.NewServer(httpauth.Config{Secret: secret, Answer: site, Logger: slog.New(slog.DiscardHandler)})
	})
}

// Without a secret nobody may ask, not even who shows none.
func TestWithoutASecretNobodyIsAnswered(t *testing.T) {
	for _, authorization := range []string{"Bearer ", "Bearer", "Basic ", basic(""), "Basic Og=="} {
		synctest.Test(t, func(t *testing.T) {
			s := httpauth.NewServer(httpauth.Config{Answer: site, Logger: slog.New(slog.DiscardHandler)})
			client := httpservertest.Start(t, s).Dial()
			defer client.Close()
			go io.WriteString(client, "GET /user_exists?user=alice&server=example.org HTTP/1.1\r\nHost: x\r\nAuthorization: "+authorization+"\r\n\r\n")
			answer, err := http.ReadResponse(bufio.NewReader(client), nil)
			if err != nil || answer.StatusCode != http.StatusUnauthorized {
				t.Errorf("%q: %v, %v", authorization, answer, err)
			}
		})
	}
}

// A daemon that does not answer must not keep a server waiting longer than that
// waits itself, and an answer that comes with an error is none.
func TestAnAnswerThatTakesTooLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := func(ctx context.Context, _ extauth.Question) (bool, error) {
			<-ctx.Done()
			return true, ctx.Err()
		}
		s := httpauth.NewServer(httpauth.Config{Secret: secret, Answer: slow, Logger: slog.New(slog.DiscardHandler)})
		client := httpservertest.Start(t, s).Dial()
		defer client.Close()
		begun := time.Now()
		go io.WriteString(client, "GET /user_exists?user=alice&server=example.org HTTP/1.1\r\nHost: x\r\nAuthorization: "+basic(secret)+"\r\n\r\n")
		answer, err := http.ReadResponse(bufio.NewReader(client), nil)
		if err != nil || answer.StatusCode != http.StatusServiceUnavailable || time.Since(begun) != 4*time.Second {
			t.Errorf("%v, %v after %v", answer, err, time.Since(begun))
		}
	})
}

// A body that does not come in time is not what has come of it.
func TestABodyThatTakesTooLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := httpauth.NewServer(httpauth.Config{Secret: secret, Answer: site, Logger: slog.New(slog.DiscardHandler)})
		client := httpservertest.Start(t, s).Dial()
		defer client.Close()
		const half = "user=alice&server=example.org"
		go io.WriteString(client, "POST /user_exists HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 99\r\nAuthorization: "+
			basic(secret)+"\r\n\r\n"+half)
		answer, err := http.ReadResponse(bufio.NewReader(client), nil)
		if err != nil || answer.StatusCode != http.StatusRequestTimeout {
			t.Errorf("%v, %v", answer, err)
		}
	})
}

// Two ways to show the secret must not hide a third.
func TestTwoAuthorizations(t *testing.T) {
	address, _ := serve(t, httpauth.Config{})
	request := "GET /user_exists?user=alice&server=example.org HTTP/1.1\r\nHost: x\r\nConnection: close\r\n" +
		"Authorization: Bearer x\r\nAuthorization: Bearer " + secret + "\r\n\r\n"
	if status, _ := exchange(t, address, request); status != http.StatusUnauthorized {
		t.Errorf("status %d", status)
	}
}

func TestOverTLS(t *testing.T) {
	pair, err := testcert.New(testcert.Spec{Serial: 1, Names: []string{"auth.example.org"}})
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := pair.TLS()
	if err != nil {
		t.Fatal(err)
	}
	address, _ := serve(t, httpauth.Config{TLS: &tls.Config{Certificates: []tls.Certificate{certificate}}})
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pair.Roots, ServerName: "auth.example.org"}, ForceAttemptHTTP2: true}}
	defer client.CloseIdleConnections()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://"+address+"/user_exists?user=alice&server=example.org", nil)
	if err != nil {
		t.Fatal(err)
	}
	request.SetBasicAuth("mongooseim", secret)
	answer, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if body, err := io.ReadAll(answer.Body); string(body) != "true" || err != nil || answer.TLS == nil {
		t.Errorf("%q, %v", body, err)
	}
}
