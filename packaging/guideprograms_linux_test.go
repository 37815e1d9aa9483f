package packaging

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"html/template"
	"io"
	"log"
	"net"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"xtokend/auth"
	"xtokend/internal/stockserver"
	"xtokend/internal/testcert"
)

// debianProsody is Prosody as the machine's systemd would start it.
type debianProsody struct{ *administrator }

func (p debianProsody) Name() string    { return "Debian's Prosody" }
func (p debianProsody) LogFile() string { return filepath.Join(p.root, "var/log/prosody/prosody.log") }
func (p debianProsody) Command() *exec.Cmd {
	return exec.Command("chroot", "--userspec=prosody:prosody", p.root, "prosody", "-F")
}

func (p debianProsody) Register(context.Context, string, string) error { return errors.ErrUnsupported }
func (p debianProsody) HasAccount(context.Context, string) (bool, error) {
	return false, errors.ErrUnsupported
}

func (a *administrator) restartProsody() {
	a.t.Helper()
	if a.prosody != nil {
		if err := a.prosody.Stop(a.ctx); err != nil {
			a.t.Fatal(err)
		}
	}
	a.at(a.t, "install", "-d", "-o", "prosody", "-g", "prosody", "/run/prosody")
	a.prosody = stockserver.New(a.t.TempDir(), "example.org")
	a.prosody.C2S = "127.0.0.1:5222"
	if strings.Contains(read(a.t, a.root, luaFile), "c2s_ports = { 5322 }") {
		a.prosody.C2S, a.prosody.Component = "127.0.0.1:5322", "127.0.0.1:5347"
	}
	if err := a.prosody.Start(a.ctx, debianProsody{a}); err != nil {
		a.t.Fatal(err)
	}
	a.t.Cleanup(func() { a.prosody.Kill() })
}

// startXtokend does what the unit says, and waits until clients are served.
func (a *administrator) startXtokend() {
	a.t.Helper()
	for _, folder := range []string{"/run/xtokend", "/var/lib/xtokend"} {
		a.at(a.t, "install", "-d", "-o", "xtokend", "-g", "xtokend", folder)
	}
	a.xtokend = exec.CommandContext(a.ctx, "chroot", "--userspec=xtokend:xtokend", a.root, "xtokend", "serve")
	a.xtokend.Stderr = &a.log
	a.xtokend.WaitDelay = time.Minute
	if err := a.xtokend.Start(); err != nil {
		a.t.Fatal(err)
	}
	a.t.Cleanup(a.stopXtokend)
	if err := a.log.Wait(a.ctx, "msg=ready", 0); err != nil {
		a.t.Fatalf("%v; log:\n%s", err, a.log.Bytes())
	}
}

func (a *administrator) stopXtokend() {
	if a.xtokend == nil {
		return
	}
	if err := a.xtokend.Process.Signal(syscall.SIGTERM); err != nil {
		a.t.Error(err)
	}
	if err := a.xtokend.Wait(); err != nil {
		a.t.Errorf("xtokend ended with %v; log:\n%s", err, a.log.Bytes())
	}
	a.xtokend = nil
}

// logInByConverse has converse.js log in on a page of https://www.example.org, with
// a token that the site signs by the key that Prosody had.
func (a *administrator) logInByConverse() {
	a.t.Helper()
	key, err := auth.NewKey(luaSeed, luaSecret, time.Time{})
	if err != nil {
		a.t.Fatal(err)
	}
	alice, err := auth.PrepareName("alice")
	if err != nil {
		a.t.Fatal(err)
	}
	page := template.Must(template.ParseFiles("../testdata/browser/page.html"))
	site := http.NewServeMux()
	site.HandleFunc("/chat", func(w http.ResponseWriter, _ *http.Request) {
		page.Execute(w, map[string]any{
			"XToken": "https://chat.example.org:5281/xtoken.js",
			"Settings": map[string]any{
				"authentication": "login", "auto_login": true, "credentials_url": "/@@xmpp-credentials", "discover_connection_methods": false,
				"websocket_url": "wss://chat.example.org:5281/xmpp-websocket", "assets_path": "/", "view_mode": "embedded",
			},
		})
	})
	site.HandleFunc("/@@xmpp-credentials", func(w http.ResponseWriter, _ *http.Request) {
		token, err := key.Issue(alice, "example.org", time.Now())
		if err != nil {
			a.t.Error(err)
		}
		w.Header().Set("Cache-Control", "no-store")
		json.NewEncoder(w).Encode(map[string]string{"jid": "alice@example.org", "password": token})
	})
	site.Handle("/", http.FileServer(http.Dir("../testdata/browser/node_modules/converse.js/dist")))
	pair, err := testcert.New(testcert.Spec{Serial: 2, Names: []string{"www.example.org"}})
	if err != nil {
		a.t.Fatal(err)
	}
	certificate, err := pair.TLS()
	if err != nil {
		a.t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:443")
	if err != nil {
		a.t.Fatal(err)
	}
	server := &http.Server{
		Handler: site, TLSConfig: &tls.Config{Certificates: []tls.Certificate{certificate}},
		ErrorLog: log.New(io.Discard, "", 0), // Chromium tries before it overlooks who has signed
	}
	go server.ServeTLS(l, "", "")
	defer server.Close()
	out, err := try(a.t, "", "node", "../testdata/browser/login.mjs", "https://www.example.org/chat",
		"MAP www.example.org 127.0.0.1", "MAP chat.example.org 127.0.0.1")
	if err != nil {
		a.t.Errorf("converse.js has not logged in: %v\n%s\nlog:\n%s", err, out, a.log.Bytes())
	}
}
