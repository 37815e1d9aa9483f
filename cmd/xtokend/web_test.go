package main

import (
	"context"
	"crypto/tls"
	"io"
	"log/slog"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"xtokend/internal/testcert"
	"xtokend/internal/watch"
)

// Each kind of listener for browsers is served by what its scheme promises.
func TestServeBrowsers(t *testing.T) {
	dir := t.TempDir()
	pair, err := testcert.New(testcert.Spec{Serial: 1, Names: []string{"example.org"}})
	if err != nil {
		t.Fatal(err)
	}
	if err := pair.Write(filepath.Join(dir, "certificate.pem"), filepath.Join(dir, "key.pem"), ""); err != nil {
		t.Fatal(err)
	}
	const tlsTable = "[tls]\ncertificate = 'certificate.pem'\nkey = 'key.pem'\n"
	for _, c := range []struct {
		name, top    string
		scheme, path string
		origin       string
		status       int
		text         string
	}{
		{"http on loopback", "listen = ['http://127.0.0.1:0']\n", "http", "/xtoken.js", "", 200, "export default"},
		{"https", "listen = ['https://127.0.0.1:0']\n" + tlsTable, "https", "/xtoken.js", "", 200, "export default"},
		{"http for proxies", "listen = ['http://0.0.0.0:0']\ntrusted_proxies = ['192.0.2.1']\n", "http", "/xtoken.js", "", 403, "trusted_proxies"},
		{"http for proxies, of which this is one", "listen = ['http://0.0.0.0:0']\ntrusted_proxies = ['192.0.2.1', '127.0.0.1']\n", "http", "/xtoken.js", "", 200, "export default"},
		{"http for everybody", "listen = ['http+insecure://0.0.0.0:0']\ntrusted_proxies = ['192.0.2.1']\n", "http", "/xtoken.js", "", 200, "export default"},
		{"origin", "listen = ['http://127.0.0.1:0']\nallowed_origins = ['https://www.example.org']\n", "http", "/xtoken.js", "https://www.example.org", 200, "export default"},
		{"other origin", "listen = ['http://127.0.0.1:0']\nallowed_origins = ['https://www.example.org']\n", "http", "/xtoken.js", "https://www.example.net", 403, "allowed_origins"},
		{"WebSocket", "listen = ['http://127.0.0.1:0']\n", "http", "/xmpp-websocket", "", 400, "subprotocol"},
		{"no host-meta", "listen = ['http://127.0.0.1:0']\n", "http", "/.well-known/host-meta", "", 404, "public_urls"},
		{"xmpp beside it", "listen = ['http://127.0.0.1:0', 'xmpp://127.0.0.1:0']\n", "http", "/xtoken.js", "", 200, "export default"},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg := load(t, dir, c.top, "accounts = 'existing'\n")
			var log watch.Output
			ctx, stop := context.WithCancel(t.Context())
			served := make(chan error, 1)
			go func() {
				served <- serve(ctx, cfg, slog.New(slog.NewTextHandler(&log, nil)))
				log.Close()
			}()
			defer func() {
				stop()
				if err := <-served; err != nil {
					t.Error(err)
				}
			}()
			if err := log.Wait(t.Context(), "msg=ready", 0); err != nil {
				t.Fatal(err)
			}
			r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, c.scheme+"://127.0.0.1:"+listeningPort(t, log.Bytes())+c.path, nil)
			if err != nil {
				t.Fatal(err)
			}
			if c.origin != "" {
				r.Header.Set("Origin", c.origin)
			}
			transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pair.Roots, ServerName: "example.org"}}
			defer transport.CloseIdleConnections()
			answer, err := transport.RoundTrip(r)
			if err != nil {
				t.Fatal(err)
			}
			defer answer.Body.Close()
			body, err := io.ReadAll(answer.Body)
			if err != nil {
				t.Fatal(err)
			}
			if answer.StatusCode != c.status || !strings.Contains(string(body), c.text) {
				t.Errorf("status %d, body %q; want %d, body with %q", answer.StatusCode, body, c.status, c.text)
			}
		})
	}
}

// listeningPort is the port of the first listener in the log.
func listeningPort(t *testing.T, log []byte) string {
	t.Helper()
	_, rest, _ := strings.Cut(string(log), "msg=listening address=")
	address, _, found := strings.Cut(rest, " ")
	if !found {
		t.Fatalf("no listener in the log:\n%s", log)
	}
	return address[strings.LastIndexByte(address, ':')+1:]
}
