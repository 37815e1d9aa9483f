package main

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/coder/websocket"

	"xtokend/internal/watch"
)

// startDemo runs the demonstration with a page until the test ends, and returns its
// address, host:port.
func startDemo(t *testing.T, edit func(*demoCommand)) (address string) {
	t.Helper()
	c := &demoCommand{Listen: "localhost:0", Domain: "localhost", Converse: converseFolder(t)}
	if edit != nil {
		edit(c)
	}
	var out watch.Output
	p := &process{stdout: &out, stderr: io.Discard}
	d, err := c.prepare(p)
	if err != nil {
		t.Fatal(err)
	}
	signals, ended := make(chan os.Signal, 1), make(chan error, 1)
	go func() {
		ended <- d.run(p, signals, func() {})
		out.Close()
	}()
	t.Cleanup(func() {
		signals <- syscall.SIGTERM
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	if err := out.Wait(t.Context(), "Ctrl-C", 0); err != nil {
		t.Fatal(err)
	}
	url, _, _ := strings.Cut(string(out.Bytes()), "\n")
	return strings.TrimPrefix(url, "http://")
}

// converseFolder is a package converse.js as far as the server sees it.
func converseFolder(t *testing.T) string {
	t.Helper()
	folder := t.TempDir()
	if err := os.Mkdir(filepath.Join(folder, "dist"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"converse.min.js", "converse.min.css"} {
		if err := os.WriteFile(filepath.Join(folder, "dist", name), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return folder
}

// ask sends a request to the demonstration at address, as the host named, with
// header fields, name and value by turns.
func ask(t *testing.T, address, method, path, host string, header ...string) (*http.Response, string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, method, "http://"+address+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Host = host
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	transport := &http.Transport{DisableKeepAlives: true}
	answer, err := transport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer, string(body)
}

var demoPaths = []string{"/", "/chat?name=alice", "/credentials?name=alice", "/chat.js", "/converse/converse.min.js",
	"/xtoken.js", "/xmpp-websocket", "/http-bind", "/.well-known/host-meta", "/nothing"}

func TestDemoAnswersToItsNamesAlone(t *testing.T) {
	address := startDemo(t, nil)
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range demoPaths {
		for _, host := range []string{"localhost:" + port, "127.0.0.1:" + port, "[::1]:" + port, "localhost"} {
			if answer, body := ask(t, address, "GET", path, host); answer.StatusCode == http.StatusMisdirectedRequest {
				t.Errorf("%s of %s: %q", path, host, body)
			}
		}
		// A page of that name has been made to lead here, and says so in its Origin.
		for _, host := range []string{"evil.example:" + port, "localhost.evil.example:" + port, "127.0.0.1.evil.example", "192.0.2.1:" + port, "0.0.0.0:" + port} {
			answer, body := ask(t, address, "GET", path, host, "Origin", "http://"+host, "Sec-Fetch-Site", "same-origin")
			if answer.StatusCode != http.StatusMisdirectedRequest || strings.Contains(body, "password") {
				t.Errorf("%s of %s: status %d, %q", path, host, answer.StatusCode, body)
			}
		}
	}
}

// No page of another origin gets a token or a chat, whatever way it tries.
func TestDemoKeepsForeignPagesOut(t *testing.T) {
	address := startDemo(t, nil)
	for _, origin := range []string{"https://evil.example", "http://localhost:1", "http://127.0.0.1", "https://" + address, "null"} {
		for _, path := range demoPaths {
			if path == "/.well-known/host-meta" { // is for every page, and says nothing here
				continue
			}
			answer, body := ask(t, address, "GET", path, address, "Origin", origin, "Sec-Fetch-Site", "cross-site")
			if answer.StatusCode != http.StatusForbidden || answer.Header.Get("Access-Control-Allow-Origin") != "" {
				t.Errorf("%s for %s: status %d, %q, header %v", path, origin, answer.StatusCode, body, answer.Header)
			}
		}
		if answer, _ := ask(t, address, "OPTIONS", "/http-bind", address, "Origin", origin, "Access-Control-Request-Method", "POST"); answer.StatusCode != http.StatusForbidden {
			t.Errorf("preflight for %s: status %d", origin, answer.StatusCode)
		}
		if err := dialDemo(t, address, origin); err == nil {
			t.Errorf("a WebSocket of %s is open", origin)
		}
	}
	// Pictures, scripts, frames and links of a page have no Origin.
	for _, path := range []string{"/chat?name=alice", "/credentials?name=alice"} {
		for _, site := range []string{"cross-site", "same-site"} {
			if answer, _ := ask(t, address, "GET", path, address, "Sec-Fetch-Site", site); answer.StatusCode != http.StatusForbidden {
				t.Errorf("%s for a page of %s: status %d", path, site, answer.StatusCode)
			}
		}
	}
	if err := dialDemo(t, address, "http://"+address); err != nil {
		t.Errorf("its own page: %v", err)
	}
}

// dialDemo opens a WebSocket as a page of origin would.
func dialDemo(t *testing.T, address, origin string) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	ws, _, err := websocket.Dial(ctx, "ws://"+address+"/xmpp-websocket", &websocket.DialOptions{
		HTTPHeader: http.Header{"Origin": {origin}}, Subprotocols: []string{"xmpp"}})
	if err == nil {
		ws.CloseNow()
	}
	return err
}

func TestDemoAllowsListedPages(t *testing.T) {
	const listed = "http://localhost:8000"
	address := startDemo(t, func(c *demoCommand) { c.AllowOrigin = []string{listed, "https://App.example:443"} })
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	for origin, allowed := range map[string]bool{
		listed:                        true,
		"https://app.example":         true,
		"http://localhost:" + port:    true,
		"http://127.0.0.1:" + port:    true,
		"http://[::1]:" + port:        true,
		"http://localhost:8001":       false,
		"https://localhost:8000":      false,
		"http://evil.example:" + port: false,
	} {
		answer, body := ask(t, address, "GET", "/credentials?name=alice", address, "Origin", origin, "Sec-Fetch-Site", "same-site")
		var credentials struct{ JID string }
		got := answer.StatusCode == 200 && json.Unmarshal([]byte(body), &credentials) == nil && credentials.JID == "alice@localhost" &&
			answer.Header.Get("Access-Control-Allow-Origin") == origin
		if got != allowed {
			t.Errorf("credentials for %s: status %d, %q, header %v", origin, answer.StatusCode, body, answer.Header)
		}
		if err := dialDemo(t, address, origin); (err == nil) != allowed {
			t.Errorf("WebSocket of %s: %v", origin, err)
		}
	}
	// A listed page may ask for a token, not send somebody to the chat.
	if answer, _ := ask(t, address, "GET", "/chat?name=alice", address, "Sec-Fetch-Site", "same-site"); answer.StatusCode != http.StatusForbidden {
		t.Errorf("a link of a listed page: status %d", answer.StatusCode)
	}
}
