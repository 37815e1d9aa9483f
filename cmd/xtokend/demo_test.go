package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
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
	c := &demoCommand{Listen: "localhost:0", Domain: "localhost", Converse: converseFolder(t), Log: "warn"}
	if edit != nil {
		edit(c)
	}
	var stdout watch.Output
	runDemo(t, c, &process{stdout: &stdout, stderr: io.Discard}, &stdout)
	url, _, _ := strings.Cut(string(stdout.Bytes()), "\n")
	return strings.TrimPrefix(url, "http://")
}

// runDemo runs the demonstration until the test ends. It returns when clients are
// served, as stdout, which is that of p, then tells.
func runDemo(t *testing.T, c *demoCommand, p *process, stdout *watch.Output) {
	t.Helper()
	d, err := c.prepare(p)
	if err != nil {
		t.Fatal(err)
	}
	signals, ended := make(chan os.Signal, 1), make(chan error, 1)
	go func() {
		ended <- d.run(p, signals, func() {})
		stdout.Close()
	}()
	t.Cleanup(func() {
		signals <- syscall.SIGTERM
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	if err := stdout.Wait(t.Context(), "Ctrl-C", 0); err != nil {
		t.Fatal(err)
	}
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

// The log is silent about what is as it should be; a level below tells why a login
// was refused.
func TestDemoTellsWhyALoginIsRefused(t *testing.T) {
	for level, want := range map[string]string{"warn": "", "info": "reason=malformed"} {
		t.Run(level, func(t *testing.T) {
			var stdout, stderr watch.Output
			c := &demoCommand{Listen: "localhost:0", XMPP: "127.0.0.1:0", Domain: "localhost", NoPage: true, Log: level}
			runDemo(t, c, &process{stdout: &stdout, stderr: &stderr}, &stdout)
			_, address, _ := strings.Cut(string(stdout.Bytes()), "xmpp://")
			address, _, _ = strings.Cut(address, "\n")
			conn, err := net.Dial("tcp", address)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			conn.SetDeadline(time.Now().Add(time.Minute))
			noToken := base64.StdEncoding.EncodeToString([]byte("\x00alice\x00password"))
			fmt.Fprintf(conn, "<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' to='localhost' version='1.0'>"+
				"<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>%s</auth></stream:stream>", noToken)
			if answer, err := io.ReadAll(conn); err != nil || !strings.Contains(string(answer), "<not-authorized/>") {
				t.Fatalf("%q, error %v", answer, err)
			}
			if log := string(stderr.Bytes()); !strings.Contains(log, want) || want == "" && log != "" {
				t.Errorf("the log has no %q:\n%s", want, log)
			}
		})
	}
}
