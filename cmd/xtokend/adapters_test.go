package main

import (
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"xtokend/auth"
	"xtokend/cmd/xtokend/internal/admin"
	"xtokend/cmd/xtokend/internal/config"
	"xtokend/cmd/xtokend/internal/extauth"
)

const (
	bearerSecret = "a-bearer-secret-of-32-characters-or-more"

	// What a daemon without clients has in its settings.
	askedSettings = `admin = "unix:%s"
[tls]
certificate = "certificate.pem"
key = "key.pem"
[http_auth]
listen = "https://127.0.0.1:0"
bearer_secret = "` + bearerSecret + `"
[[domain]]
name = "example.org"
upstream = "none"
users_file = "users"
[[domain.key]]
otp_seed = "` + secondSeed + `"
token_secret = "` + secondSecret + `"
[replay]
store = "memory"
`
)

var httpAuthAddress = regexp.MustCompile(`msg=listening address=(\S+) scheme=http_auth`)

// asked is a daemon without clients, as servers reach it.
type asked struct {
	*reloaded
	dir, socket, address string
}

func startAsked(t *testing.T) *asked {
	t.Helper()
	a := &asked{dir: t.TempDir()}
	socket, err := os.MkdirTemp("", "xtokend") // the path of a socket must be short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(socket) })
	a.socket = filepath.Join(socket, "admin.sock")
	writePair(t, a.tls(), 1)
	write(t, filepath.Join(a.dir, "users"), []byte("alice\n"))
	a.reloaded = startReloaded(t, a.dir, a.settings())
	found := httpAuthAddress.FindSubmatch(a.log.Bytes())
	if found == nil {
		t.Fatalf("log:\n%s", a.log.Bytes())
	}
	a.address = string(found[1])
	return a
}

func (a *asked) settings() string { return fmt.Sprintf(askedSettings, a.socket) }

func (a *asked) tls() *config.TLS {
	return &config.TLS{CertificatePath: filepath.Join(a.dir, "certificate.pem"), KeyPath: filepath.Join(a.dir, "key.pem")}
}

// get asks over HTTP, and returns the answer and the certificate's serial number.
func (a *asked) get(secret string, q extauth.Question) (answer string, serial int64) {
	a.t.Helper()
	answer, serial, err := a.request(secret, q)
	if err != nil {
		a.t.Fatal(err)
	}
	return answer, serial
}

func (a *asked) request(secret string, q extauth.Question) (answer string, serial int64, err error) {
	transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}} // which certificate it is, is looked at
	defer transport.CloseIdleConnections()
	query := url.Values{"user": {q.User}, "server": {q.Server}, "pass": {q.Password}}.Encode()
	request, err := http.NewRequestWithContext(a.t.Context(), http.MethodGet, fmt.Sprintf("https://%s/%s?%s", a.address, q.Verb, query), nil)
	if err != nil {
		return "", 0, err
	}
	request.Header.Set("Authorization", "Bearer "+secret)
	got, err := (&http.Client{Transport: transport}).Do(request)
	if err != nil {
		return "", 0, err
	}
	defer got.Body.Close()
	text, err := io.ReadAll(got.Body)
	if err != nil {
		return "", 0, err
	}
	return string(text), got.TLS.PeerCertificates[0].SerialNumber.Int64(), nil
}

func (a *asked) token(user string) string {
	a.t.Helper()
	token, err := a.issue(user)
	if err != nil {
		a.t.Fatal(err)
	}
	return token
}

func (a *asked) issue(user string) (string, error) {
	key, err := auth.NewKey(secondSeed, secondSecret, time.Time{})
	if err != nil {
		return "", err
	}
	name, err := auth.PrepareName(user)
	if err != nil {
		return "", err
	}
	return key.Issue(name, "example.org", time.Now())
}

func TestADaemonWithoutClientsAnswers(t *testing.T) {
	a := startAsked(t)
	client := admin.NewClient(a.socket)
	defer client.Close()
	first, second := a.token("alice"), a.token("carol")
	for _, step := range []struct {
		name string
		q    extauth.Question
		want bool
	}{
		{"a user", extauth.Question{Verb: extauth.UserExists, User: "alice", Server: "example.org"}, true},
		{"a user in capitals", extauth.Question{Verb: extauth.UserExists, User: "Alice", Server: "EXAMPLE.org"}, true},
		{"nobody", extauth.Question{Verb: extauth.UserExists, User: "carol", Server: "example.org"}, false},
		{"a name that the server would bend", extauth.Question{Verb: extauth.UserExists, User: "ﬀ@x", Server: "example.org"}, false},
		{"another domain", extauth.Question{Verb: extauth.UserExists, User: "alice", Server: "example.com"}, false},
		{"no domain", extauth.Question{Verb: extauth.UserExists, User: "alice", Server: "a b"}, false},
		{"a token", extauth.Question{Verb: extauth.CheckPassword, User: "alice", Server: "example.org", Password: first}, true},
		{"again", extauth.Question{Verb: extauth.CheckPassword, User: "alice", Server: "example.org", Password: first}, false},
		{"a token of who is not listed", extauth.Question{Verb: extauth.CheckPassword, User: "carol", Server: "example.org", Password: second}, true},
		{"a token at another domain", extauth.Question{Verb: extauth.CheckPassword, User: "alice", Server: "example.com", Password: a.token("alice")}, false},
		{"no question", extauth.Question{Verb: "remove_user", User: "alice", Server: "example.org", Password: a.token("alice")}, false},
	} {
		if yes, err := client.Answer(t.Context(), step.q); yes != step.want || err != nil {
			t.Errorf("%s: %v, %v", step.name, yes, err)
		}
	}
	third := extauth.Question{Verb: extauth.CheckPassword, User: "alice", Server: "example.org", Password: a.token("alice")}
	for _, want := range []string{"true", "false"} {
		if got, _ := a.get(bearerSecret, third); got != want {
			t.Errorf("over HTTP: %q, want %q", got, want)
		}
	}
	status, err := client.Status(t.Context())
	want := admin.Domain{Name: "example.org", Upstream: "none"}
	if err != nil || len(status.Domains) != 1 || status.Domains[0] != want || len(status.NotReady) > 0 || status.Logins != (admin.Logins{Accepted: 3, Refused: 2}) {
		t.Errorf("status %+v, %v", status, err)
	}
	var shown strings.Builder
	(&process{stdout: &shown}).printStatus(status)
	if !strings.Contains(shown.String(), "domain: example.org, clients of another server\n") {
		t.Errorf("shown:\n%s", shown.String())
	}
}

// The list of users and the certificate are those of the last reload; the secret is
// the one of the start.
func TestReloadOfADaemonWithoutClients(t *testing.T) {
	a := startAsked(t)
	carol := extauth.Question{Verb: extauth.UserExists, User: "carol", Server: "example.org"}
	if got, serial := a.get(bearerSecret, carol); got != "false" || serial != 1 {
		t.Errorf("before: %q with certificate %d", got, serial)
	}
	write(t, filepath.Join(a.dir, "users"), []byte("alice\ncarol\n"))
	writePair(t, a.tls(), 2)
	if logged := a.reload(a.settings(), reloadDone); needsRestart.MatchString(logged) {
		t.Errorf("logged:\n%s", logged)
	}
	if got, serial := a.get(bearerSecret, carol); got != "true" || serial != 2 {
		t.Errorf("behind a reload: %q with certificate %d", got, serial)
	}
	other := strings.Repeat("y", len(bearerSecret))
	if logged := a.reload(strings.Replace(a.settings(), bearerSecret, other, 1), reloadDone); !strings.Contains(logged, "key=http_auth") {
		t.Errorf("logged:\n%s", logged)
	}
	for secret, want := range map[string]string{bearerSecret: "true", other: "show the secret"} {
		if got, _ := a.get(secret, carol); got != want {
			t.Errorf("with another secret in the settings: %q, want %q", got, want)
		}
	}
	if err := os.Remove(filepath.Join(a.dir, "users")); err != nil {
		t.Fatal(err)
	}
	if logged := a.reload(a.settings(), reloadRefused); !strings.Contains(logged, "users_file: cannot read") {
		t.Errorf("logged:\n%s", logged)
	}
	if got, _ := a.get(bearerSecret, carol); got != "true" {
		t.Errorf("behind a reload that was refused: %q", got)
	}
}

// Whoever asks while the settings are read, or the daemon lets nobody new in, is answered
// like at any other time: each good token is taken, once.
func TestAnswersDuringReloadsAndADrain(t *testing.T) {
	a := startAsked(t)
	client := admin.NewClient(a.socket)
	defer client.Close()
	both := func() error {
		for _, ask := range []func(extauth.Question) (bool, error){
			func(q extauth.Question) (bool, error) { return client.Answer(a.t.Context(), q) },
			func(q extauth.Question) (bool, error) {
				text, _, err := a.request(bearerSecret, q)
				return text == "true", err
			},
		} {
			token, err := a.issue("alice")
			if err != nil {
				return err
			}
			q := extauth.Question{Verb: extauth.CheckPassword, User: "alice", Server: "example.org", Password: token}
			for _, want := range []bool{true, false} {
				if yes, err := ask(q); yes != want || err != nil {
					return fmt.Errorf("%v, %v, want %v", yes, err, want)
				}
			}
		}
		return nil
	}
	reloaded, answered := make(chan struct{}), make(chan error, 1)
	go func() {
		for {
			if err := both(); err != nil {
				answered <- err
				return
			}
			select {
			case <-reloaded:
				answered <- nil
				return
			default:
			}
		}
	}()
	for range 5 {
		a.reload(a.settings(), reloadDone)
	}
	close(reloaded)
	if err := <-answered; err != nil {
		t.Errorf("while the settings are read: %v", err)
	}
	if _, err := client.Drain(t.Context()); err != nil {
		t.Fatal(err)
	}
	if status, err := client.Status(t.Context()); err != nil || !status.Draining {
		t.Errorf("status %+v, %v", status, err)
	}
	if err := both(); err != nil {
		t.Errorf("after a drain: %v", err)
	}
}
