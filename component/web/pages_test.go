package web_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"xtokend/component/web"
)

// ask sends a request without a body to the listener in clear, as the host named
// and with an Origin unless that is empty, and returns the answer's status and text.
func (sc *scene) ask(t *testing.T, method, path, host, origin string) (status int, header http.Header, text string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, "http://"+sc.http+path, nil)
	must(t, err)
	r.Host = host
	if origin != "" {
		r.Header.Set("Origin", origin)
	}
	answer, err := sc.client(t).Do(r)
	must(t, err)
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	must(t, err)
	return answer.StatusCode, answer.Header, string(body)
}

func TestHosts(t *testing.T) {
	page := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "a page") })
	sc := (&scene{config: web.Config{Hosts: []string{"localhost", "127.0.0.1", "::1"}, Pages: page}}).start(t)
	paths := []string{"/", "/page", "/xmpp-websocket", "/http-bind", "/xtoken.js", "/.well-known/host-meta", "/.well-known/host-meta.json"}
	for host, ours := range map[string]bool{
		"localhost":             true,
		"localhost:5280":        true,
		"LOCALHOST:1":           true,
		"127.0.0.1":             true,
		"127.0.0.1:5280":        true,
		"[::1]":                 true,
		"[::1]:5280":            true,
		"[0:0:0:0:0:0:0:1]:80":  true,
		"example.org":           false,
		"example.org:5280":      false,
		"localhost.":            false,
		"localhost.example.org": false,
		"evil-localhost":        false,
		"127.0.0.2":             false,
		"127.1":                 false,
		"0x7f.0.0.1":            false,
		"0.0.0.0:5280":          false,
		"[::]:5280":             false,
		"[::ffff:127.0.0.1]":    false,
		"localhost:x":           false,
	} {
		for _, path := range paths {
			status, _, text := sc.ask(t, http.MethodGet, path, host, "")
			if misdirected := status == http.StatusMisdirectedRequest; misdirected == ours {
				t.Errorf("%s of %q: status %d, %q", path, host, status, text)
			}
		}
	}
	if _, _, text := sc.ask(t, http.MethodGet, "/", "example.org", ""); text != "this server answers to these names alone: 127.0.0.1, [::1], localhost\n" {
		t.Errorf("the answer is %q", text)
	}
}

// A page whose name was made to lead here has the origin that its requests name
// as our own: only the name gives it away.
func TestAReboundPageCannotConnect(t *testing.T) {
	sc := (&scene{config: web.Config{Hosts: []string{"localhost"}}}).start(t)
	for _, path := range []string{"/xmpp-websocket", "/http-bind"} {
		status, header, _ := sc.ask(t, http.MethodPost, path, "evil.example:5280", "http://evil.example:5280")
		if status != http.StatusMisdirectedRequest || header.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("%s: status %d, header %v", path, status, header)
		}
	}
}

func TestHostThatIsNone(t *testing.T) {
	sc := new(scene).start(t)
	for _, host := range []string{"", "local host", "localhost:5280", "[::1]"} {
		if _, err := web.New(web.Config{Front: sc.front, Hosts: []string{host}}); err == nil || !strings.Contains(err.Error(), "host") {
			t.Errorf("%q: error %v", host, err)
		}
	}
}

func TestPages(t *testing.T) {
	page := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "the page "+r.URL.Path) })
	own, listed := &scene{config: web.Config{Pages: page}}, &scene{config: web.Config{Pages: page, AllowedOrigins: []string{"http://app.example"}}}
	own.start(t)
	listed.start(t)
	for _, c := range []struct {
		name         string
		sc           *scene
		method, path string
		origin       string
		status       int
		text         string
		shared       string // Access-Control-Allow-Origin
	}{
		{"program", own, "GET", "/", "", 200, "the page /", ""},
		{"deeper", own, "GET", "/a/b", "", 200, "the page /a/b", ""},
		{"head", own, "HEAD", "/", "", 200, "", ""},
		{"own path", own, "GET", "/xtoken.js", "", 200, "export default", ""},
		{"endpoint", own, "GET", "/xmpp-websocket", "", 400, "subprotocol", ""},
		{"post", own, "POST", "/", "", 405, "GET and HEAD", ""},
		{"same origin", own, "GET", "/", "http://chat.example", 200, "the page", "http://chat.example"},
		{"foreign page", own, "GET", "/", "http://evil.example", 403, "may not connect", ""},
		{"foreign page, same name", own, "GET", "/", "http://chat.example:81", 403, "may not connect", ""},
		{"sandboxed page", own, "GET", "/", "null", 403, "may not connect", ""},
		{"listed page", listed, "GET", "/", "http://app.example", 200, "the page", "http://app.example"},
		{"preflight of a listed page", listed, "OPTIONS", "/", "http://app.example", 204, "", "http://app.example"},
		{"preflight of another", listed, "OPTIONS", "/", "http://evil.example", 403, "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			status, header, text := c.sc.ask(t, c.method, c.path, "chat.example", c.origin)
			if status != c.status || !strings.Contains(text, c.text) {
				t.Errorf("status %d, %q; want %d and %q", status, text, c.status, c.text)
			}
			if got := header.Get("Access-Control-Allow-Origin"); got != c.shared {
				t.Errorf("shared with %q, want %q", got, c.shared)
			}
		})
	}
}

func TestNoPages(t *testing.T) {
	sc := new(scene).start(t)
	if status, _, text := sc.ask(t, http.MethodGet, "/", "chat.example", ""); status != 404 || !strings.Contains(text, "/xmpp-websocket") {
		t.Errorf("status %d, %q", status, text)
	}
}
