package demo_test

import (
	"encoding/json"
	"errors"
	"html"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"xtokend/auth"
	"xtokend/auth/replay"
	"xtokend/cmd/xtokend/internal/demo"
)

const (
	seed   = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
	secret = "MFRGGZDFMZTWQ2LKNNWG23TPOBYXE43U"
)

var now = time.Unix(1551193138, 0)

// converse has what the pages need of the package, and a folder.
var converse = fstest.MapFS{
	"converse.min.js":  {Data: []byte("// converse.js")},
	"converse.min.css": {Data: []byte("/* converse.js */")},
	"sounds/msg.mp3":   {Data: []byte("ping")},
}

func newKey(t *testing.T) auth.Key {
	t.Helper()
	key, err := auth.NewKey(seed, secret, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// newSite returns the site of localhost, changed by edit.
func newSite(t *testing.T, edit func(*demo.Config)) http.Handler {
	key := newKey(t)
	c := demo.Config{
		Domain: "localhost", Rooms: "rooms.localhost", Converse: converse,
		Issue: func(name auth.Name) (string, error) { return key.Issue(name, "localhost", now) },
	}
	if edit != nil {
		edit(&c)
	}
	return demo.New(c)
}

// get asks for a path with header fields, name and value by turns.
func get(site http.Handler, path string, header ...string) (*http.Response, string) {
	r := httptest.NewRequest(http.MethodGet, "http://localhost:5280"+path, nil)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	site.ServeHTTP(w, r)
	answer := w.Result()
	body, _ := io.ReadAll(answer.Body)
	return answer, string(body)
}

func TestCredentials(t *testing.T) {
	site := newSite(t, nil)
	store := replay.NewMemory(replay.MemoryOptions{})
	defer store.Close()
	verifier, err := auth.NewVerifier(auth.Config{Domain: "localhost", Keys: []auth.Key{newKey(t)}, Skew: 1, Store: store, Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	for query, jid := range map[string]string{
		"alice":                    "alice@localhost",
		"JSmith":                   "jsmith@localhost",
		"%D1%8E%D0%BB%D0%B8%D1%8F": "юлия@localhost",
	} {
		answer, body := get(site, "/credentials?name="+query)
		var credentials struct{ JID, Password string }
		if err := json.Unmarshal([]byte(body), &credentials); err != nil || answer.StatusCode != 200 {
			t.Fatalf("status %d, %q: %v", answer.StatusCode, body, err)
		}
		if credentials.JID != jid {
			t.Errorf("the JID is %q, not %q", credentials.JID, jid)
		}
		localpart, _, _ := strings.Cut(jid, "@")
		name, err := auth.PrepareName(localpart)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := verifier.Verify(t.Context(), name, credentials.Password); err != nil {
			t.Errorf("%s: %v", jid, err)
		}
		header := answer.Header
		if header.Get("Content-Type") != "application/json" || header.Get("Cache-Control") != "no-store" || header.Get("X-Content-Type-Options") != "nosniff" ||
			header.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("header %v", header)
		}
	}
	_, first := get(site, "/credentials?name=alice")
	if _, second := get(site, "/credentials?name=alice"); first == second {
		t.Error("a token is handed out twice")
	}
}

func TestNamesThatAreNone(t *testing.T) {
	site := newSite(t, nil)
	for name, c := range map[string]struct{ query, complaint string }{
		"none":                 {"", "give a name"},
		"with a space":         {"alice+or+bob", "(U+0020)"},
		"address":              {"alice@localhost", "what stands before the @"},
		"read as another":      {"strau%C3%9F", "read the name as another one"},
		"not UTF-8":            {"%ff", "not UTF-8"},
		"too long":             {strings.Repeat("a", 1024), "1024 octets"},
		"control character":    {"a%00b", "(U+0000)"},
		"markup":               {"%3Cscript%3E", "(U+003C)"},
		"nothing but a letter": {"%E2%80%8D", "no RFC 7622 localpart"},
	} {
		t.Run(name, func(t *testing.T) {
			answer, body := get(site, "/credentials?name="+c.query)
			if answer.StatusCode != 400 || !strings.Contains(body, c.complaint) {
				t.Errorf("credentials: status %d, %q; want 400 and %q", answer.StatusCode, body, c.complaint)
			}
			answer, body = get(site, "/chat?name="+c.query)
			if answer.StatusCode != 400 || !strings.Contains(html.UnescapeString(body), c.complaint) || !strings.Contains(body, "<form") {
				t.Errorf("page: status %d, %q; want 400 and %q", answer.StatusCode, body, c.complaint)
			}
			if strings.Contains(body, "<script") {
				t.Errorf("the page holds what was typed:\n%s", body)
			}
		})
	}
}

func TestNoKeyIsLeft(t *testing.T) {
	site := newSite(t, func(c *demo.Config) {
		c.Issue = func(auth.Name) (string, error) { return "", errors.New("inner cause") }
	})
	answer, body := get(site, "/credentials?name=alice")
	if answer.StatusCode != 503 || strings.Contains(body, "inner cause") || !strings.Contains(body, "every key has ended") {
		t.Errorf("status %d, %q", answer.StatusCode, body)
	}
}

// Without an Origin a browser still tells where a request comes from.
func TestPagesOfOthersSendNobody(t *testing.T) {
	site := newSite(t, nil)
	paths := []string{"/credentials?name=alice", "/chat?name=alice", "/chat?name=alice&with=bob", "/chat.js", "/demo.css", "/converse/converse.min.js"}
	for from, allowed := range map[string]bool{"": true, "none": true, "same-origin": true, "same-site": false, "cross-site": false, "rubbish": false} {
		for _, path := range append(paths, "/") {
			var header []string
			if from != "" {
				header = []string{"Sec-Fetch-Site", from}
			}
			answer, body := get(site, path, header...)
			want := 200
			if !allowed && path != "/" { // anybody may link to the first page
				want = 403
			}
			if answer.StatusCode != want {
				t.Errorf("%s from %q: status %d, not %d", path, from, answer.StatusCode, want)
			}
			if want == 403 && strings.Contains(body, "password") {
				t.Errorf("%s from %q: %q", path, from, body)
			}
			if answer.Header.Get("Cross-Origin-Opener-Policy") != "same-origin" || answer.Header.Get("Cross-Origin-Resource-Policy") != "same-origin" ||
				answer.Header.Get("Referrer-Policy") != "no-referrer" || !strings.Contains(strings.Join(answer.Header.Values("Vary"), ","), "Sec-Fetch-Site") {
				t.Errorf("%s from %q: header %v", path, from, answer.Header)
			}
		}
	}
	// What has an Origin has been judged by it.
	if answer, _ := get(site, "/credentials?name=alice", "Sec-Fetch-Site", "same-site", "Origin", "http://localhost:8000"); answer.StatusCode != 200 {
		t.Errorf("an allowed page: status %d", answer.StatusCode)
	}
}

func TestPolicies(t *testing.T) {
	site := newSite(t, nil)
	for _, path := range []string{"/", "/chat?name=alice", "/chat?name=%00"} {
		answer, body := get(site, path)
		policy := answer.Header.Get("Content-Security-Policy")
		for _, part := range []string{"default-src 'none'", "base-uri 'none'", "frame-ancestors 'none'", "form-action 'self'"} {
			if !strings.Contains(policy, part) {
				t.Errorf("%s: the policy has no %s: %s", path, part, policy)
			}
		}
		for _, part := range []string{"http", "*", "unsafe-eval", "script-src 'self' 'unsafe-inline'"} {
			if strings.Contains(policy, part) {
				t.Errorf("%s: the policy has %s: %s", path, part, policy)
			}
		}
		if answer.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: header %v", path, answer.Header)
		}
		if !strings.Contains(body, "Anybody on this machine may log in as anybody.") {
			t.Errorf("%s does not say who may log in", path)
		}
	}
}
