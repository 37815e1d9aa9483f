package main

import (
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"xtokend/cmd/xtokend/internal/config"
	"xtokend/component"
	"xtokend/internal/testcert"
)

// load loads settings in dir: what stands at their top is given, and what their
// domain says of accounts.
func load(t *testing.T, dir, top, accounts string) *config.Config {
	t.Helper()
	text := fmt.Sprintf(`%s[[domain]]
name = "example.org"
[[domain.key]]
otp_seed = %q
token_secret = %q
[domain.server]
account_secret = "an-account-secret-of-32-or-more-characters"
%s[replay]
store = "memory"
`, top, vectorSeed, vectorSecret, accounts)
	path := filepath.Join(dir, "xtokend.toml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, err := config.Load(path, config.Options{Need: config.Everything})
	if err != nil {
		t.Fatal(err)
	}
	return &cfg
}

// RFC 8996 forbids what is older than TLS 1.2.
func TestClientsNeedTLS12(t *testing.T) {
	dir := t.TempDir()
	pair, err := testcert.New(testcert.Spec{Serial: 1, Names: []string{"example.org"}})
	if err != nil {
		t.Fatal(err)
	}
	if err := pair.Write(filepath.Join(dir, "certificate.pem"), filepath.Join(dir, "key.pem"), ""); err != nil {
		t.Fatal(err)
	}
	cfg := load(t, dir, `listen = ["xmpps://127.0.0.1:0"]
[tls]
certificate = "certificate.pem"
key = "key.pem"
`, "accounts = 'existing'\n")
	parts, err := build(cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer parts.close()
	listeners, err := listen(cfg.Listeners, nil)
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- parts.front.ServeTLS(listeners[0].Listener) }()

	for version, allowed := range map[uint16]bool{tls.VersionTLS10: false, tls.VersionTLS11: false, tls.VersionTLS12: true, tls.VersionTLS13: true} {
		dialer := tls.Dialer{
			NetDialer: &net.Dialer{Timeout: time.Minute},
			Config:    &tls.Config{RootCAs: pair.Roots, ServerName: "example.org", MinVersion: version, MaxVersion: version},
		}
		conn, err := dialer.DialContext(t.Context(), "tcp", listeners[0].Addr().String())
		if err == nil {
			conn.Close()
		}
		if allowed != (err == nil) || !allowed && !strings.Contains(err.Error(), "protocol version not supported") {
			t.Errorf("%s: error %v, allowed %t", tls.VersionName(version), err, allowed)
		}
	}
	if err := parts.front.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	if err := <-served; !errors.Is(err, component.ErrClosed) {
		t.Error(err)
	}
}
