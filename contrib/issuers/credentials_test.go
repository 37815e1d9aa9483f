package issuers

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"xtokend/internal/watch"
)

// site is a web site with a credentials URL, as an issuer's example has it.
type site struct {
	t      *testing.T
	url    string
	keys   string // folder of the key's files
	log    *watch.Output
	logIn  func(r *http.Request, userID string) // as the site's own login does
	client http.Client
}

var listening = regexp.MustCompile(`http://127\.0\.0\.1:[1-9][0-9]*`)

// startSite starts a command that says at which address it listens.
func startSite(t *testing.T, foldCase bool, command string, arguments ...string) *site {
	t.Helper()
	dir := t.TempDir()
	env := append(os.Environ(), "XMPP_DOMAIN="+domain, "PORT=0")
	for variable, text := range map[string]string{"OTP_SEED_FILE": seed, "TOKEN_SECRET_FILE": secret} {
		file := filepath.Join(dir, variable)
		if err := os.WriteFile(file, []byte(text+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		env = append(env, variable+"="+file)
	}
	if foldCase {
		env = append(env, "FOLD_CASE=1")
	}
	s := &site{t: t, keys: dir, log: new(watch.Output), client: http.Client{Timeout: commandTimeout}}
	s.logIn = func(r *http.Request, userID string) { r.Header.Set("X-Remote-User", userID) }
	cmd := exec.Command(command, arguments...)
	cmd.Env, cmd.Stdout, cmd.Stderr = env, s.log, s.log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		s.client.CloseIdleConnections()
		cmd.Process.Kill()
		cmd.Wait()
		if t.Failed() {
			t.Logf("log:\n%s", s.log.Bytes())
		}
	})
	s.awaitLog("http://127.0.0.1:")
	s.awaitLog("\n")
	s.url = listening.FindString(string(s.log.Bytes()))
	return s
}

// awaitLog returns when the command has said text.
func (s *site) awaitLog(text string) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), commandTimeout)
	defer cancel()
	if err := s.log.Wait(ctx, text, 0); err != nil {
		s.t.Fatal(err)
	}
}

func startPHP(t *testing.T, foldCase bool) *site {
	t.Helper()
	sessions := t.TempDir()
	s := startSite(t, foldCase, "php", "-d", "session.save_path="+sessions, "-S", "127.0.0.1:0", "-t", "php")
	s.url += "/credentials.php"
	n := 0
	s.logIn = func(r *http.Request, userID string) {
		n++
		id := fmt.Sprintf("session%d", n)
		session := fmt.Sprintf("user_id|s:%d:\"%s\";", len(userID), userID)
		if err := os.WriteFile(filepath.Join(sessions, "sess_"+id), []byte(session), 0o600); err != nil {
			t.Fatal(err)
		}
		r.AddCookie(&http.Cookie{Name: "PHPSESSID", Value: id})
	}
	return s
}

var sites = []struct {
	name  string
	start func(t *testing.T, foldCase bool) *site
}{
	{"Node", func(t *testing.T, foldCase bool) *site { return startSite(t, foldCase, "node", "node/server.mjs") }},
	{"PHP", startPHP},
	{"Go", func(t *testing.T, foldCase bool) *site {
		program := filepath.Join(t.TempDir(), "issuer")
		if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", program, "./go/cmd").CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		return startSite(t, foldCase, program)
	}},
}

// ask asks for credentials as this user, "" for nobody; headers are a browser's.
func (s *site) ask(method, userID string, headers ...string) (status int, body map[string]string) {
	s.t.Helper()
	request, err := http.NewRequestWithContext(s.t.Context(), method, s.url, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	if userID != "" {
		s.logIn(request, userID)
	}
	response, err := s.client.Do(request)
	if err != nil {
		s.t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	if err := json.Unmarshal(text, &body); err != nil {
		s.t.Fatalf("%d %q: %v", response.StatusCode, text, err)
	}
	for name, want := range map[string]string{
		"Content-Type": "application/json; charset=utf-8", "Cache-Control": "no-store",
		"X-Content-Type-Options": "nosniff", "Access-Control-Allow-Origin": "", "Set-Cookie": "",
	} {
		if got := response.Header.Get(name); got != want {
			s.t.Errorf("%s %q: %s: %q, want %q", method, userID, name, got, want)
		}
	}
	return response.StatusCode, body
}

func (s *site) mustRefuse(status int, method, userID string, headers ...string) {
	s.t.Helper()
	if got, body := s.ask(method, userID, headers...); got != status || body["password"] != "" || body["error"] == "" {
		s.t.Errorf("%s as %q, %v: %d %v, want %d", method, userID, headers, got, body, status)
	}
}

func TestCredentialsURL(t *testing.T) {
	for _, c := range sites {
		t.Run(c.name, func(t *testing.T) {
			s := c.start(t, true)
			tokens := make(map[string]bool)
			for userID, address := range map[string]string{
				"alice": "alice@example.org", "JSmith": "jsmith@example.org", "alice@example.com": `alice\40example.com@example.org`,
				"Zoë Müller@Köln": `zoë\20müller\40köln@example.org`, "愛麗絲": "愛麗絲@example.org",
			} {
				for range 2 {
					status, body := s.ask(http.MethodGet, userID, "Sec-Fetch-Site", "same-origin")
					if status != http.StatusOK || body["jid"] != address || len(body) != 2 {
						t.Fatalf("%q: %d %v", userID, status, body)
					}
					if tokens[body["password"]] {
						t.Errorf("%q gets a token a second time", userID)
					}
					tokens[body["password"]] = true
					localpart := strings.TrimSuffix(address, "@"+domain)
					if got := verdict(t, localpart, body["password"], time.Now()); got != "ok" {
						t.Errorf("%q: xtokend says %s", userID, got)
					}
				}
			}
			s.mustRefuse(http.StatusForbidden, http.MethodGet, "")
			s.mustRefuse(http.StatusForbidden, http.MethodGet, "strauß")
			s.mustRefuse(http.StatusForbidden, http.MethodGet, "alice", "Sec-Fetch-Site", "cross-site")
			s.mustRefuse(http.StatusForbidden, http.MethodGet, "alice", "Sec-Fetch-Site", "same-site")
			s.mustRefuse(http.StatusMethodNotAllowed, http.MethodPost, "alice")

			s.awaitLog("strauß") // who is refused
			log := s.log.Bytes()
			hidden := []string{seed, secret}
			for token := range tokens {
				hidden = append(hidden, token[:40], token[41:], url.QueryEscape(token))
			}
			for _, text := range hidden {
				if bytes.Contains(log, []byte(text)) {
					t.Error("the log holds a secret or a token")
				}
			}
		})
	}
}

func TestUserIDsThatXMPPChangesAreRefusedByDefault(t *testing.T) {
	for _, c := range sites {
		t.Run(c.name, func(t *testing.T) {
			s := c.start(t, false)
			if status, body := s.ask(http.MethodGet, "jsmith"); status != http.StatusOK {
				t.Errorf("jsmith: %d %v", status, body)
			}
			s.mustRefuse(http.StatusForbidden, http.MethodGet, "JSmith")
			s.mustRefuse(http.StatusForbidden, http.MethodGet, "zoe\u0308")
		})
	}
}

// PHP reads the key at each request: what is wrong with it is said in the log alone.
func TestPHPKeepsFaultsToTheLog(t *testing.T) {
	s := startPHP(t, false)
	if err := os.WriteFile(filepath.Join(s.keys, "OTP_SEED_FILE"), []byte("no-seed-1"), 0o600); err != nil {
		t.Fatal(err)
	}
	response, err := s.client.Get(s.url)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusInternalServerError || len(text) > 0 {
		t.Errorf("%d %q, %v", response.StatusCode, text, err)
	}
	s.awaitLog("not base32")
	if bytes.Contains(s.log.Bytes(), []byte("no-seed")) {
		t.Error("the log holds the seed")
	}
}
