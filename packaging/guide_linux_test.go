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
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"xtokend/auth"
	"xtokend/internal/stockserver"
	"xtokend/internal/testcert"
	"xtokend/internal/watch"
)

const (
	luaSeed   = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
	luaSecret = "MFRGGZDFMZTWQ2LKNNWG23TPOBYXE43U"
	luaFile   = "etc/prosody/prosody.cfg.lua"
)

// administrator follows the guide on a machine whose network is its own.
type administrator struct {
	*machine
	t       *testing.T
	ctx     context.Context
	guide   string
	before  string // Prosody's settings with the Lua modules
	prosody *stockserver.Server
	xtokend *exec.Cmd
	log     watch.Output
}

// The guide leads from Debian's Prosody with the settings of the Lua modules to a login
// of converse.js through xtokend, and back.
func TestTheGuideIsFollowed(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	deb := build(t, clone(t, "v0.1.0"))
	a := &administrator{machine: newMachine(t, deb, deb, "prosody"), t: t, ctx: ctx, guide: read(t, "../doc/guide.md")}
	aNetworkOfItsOwn(t)
	a.settingsOfTheLuaModules()

	steps := a.section("## From the Lua modules to xtokend", "**Back to the Lua modules.**")
	steps, _, _ = strings.Cut(steps, "\n7. ") // for when all has worked for a while
	a.follow(steps)
	a.logInByConverse()
	if log := string(a.log.Bytes()); !strings.Contains(log, "transport=websocket+tls domain=example.org user=alice@example.org mechanism=X-TOKEN") {
		t.Errorf("log:\n%s", log)
	}

	a.follow(a.section("**Back to the Lua modules.**", "\n## Two nodes"))
	if a.xtokend != nil || read(t, a.root, luaFile) != a.before {
		t.Error("it is not as it was before")
	}
	if !a.exists("var/lib/prosody/example%2eorg/roster/bob.dat") {
		t.Error("a contact list is gone")
	}
}

// aNetworkOfItsOwn gives the thread of the test, which ends with it, and whatever it
// starts, a network in which there is nobody else: the ports of the guide are free.
func aNetworkOfItsOwn(t *testing.T) {
	t.Helper()
	runtime.LockOSThread()
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		t.Fatal(err)
	}
	socket, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(socket)
	loopback, err := unix.NewIfreq("lo")
	if err != nil {
		t.Fatal(err)
	}
	loopback.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
	if err := unix.IoctlIfreq(socket, unix.SIOCSIFFLAGS, loopback); err != nil {
		t.Fatal(err)
	}
}

func (a *administrator) write(path, text string) {
	a.t.Helper()
	path = filepath.Join(a.root, path)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		a.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		a.t.Fatal(err)
	}
}

// settingsOfTheLuaModules adds to Debian's settings of Prosody what the modules' pages
// say, and users who were there before. The modules themselves are not needed.
func (a *administrator) settingsOfTheLuaModules() {
	a.t.Helper()
	text := read(a.t, a.root, luaFile)
	for before, behind := range map[string]string{
		"modules_enabled = {\n":                "modules_enabled = {\n\t\"auth_token\"; \"sasl_token\";\n",
		"--\"bosh\";":                          "\"bosh\";",
		"authentication = \"internal_hashed\"": "authentication = \"token\"\notp_seed = \"" + luaSeed + "\"\ntoken_secret = \"" + luaSecret + "\"",
		"\nVirtualHost \"localhost\"":          "\nVirtualHost \"example.org\"\n\nVirtualHost \"localhost\"",
	} {
		if strings.Count(text, before) != 1 {
			a.t.Fatalf("Debian's settings do not have %q once", before)
		}
		text = strings.Replace(text, before, behind, 1)
	}
	a.before = text
	if err := os.WriteFile(filepath.Join(a.root, luaFile), []byte(text), 0o640); err != nil { // which keeps its owner
		a.t.Fatal(err)
	}
	a.write("var/lib/prosody/example%2eorg/roster/bob.dat", "return {};\n")
	a.at(a.t, "chown", "-R", "prosody:prosody", "/var/lib/prosody")
	a.write("etc/hosts", "127.0.0.1 localhost\n::1 localhost\n")
}

// section is what the guide has from one text up to another.
func (a *administrator) section(from, to string) string {
	a.t.Helper()
	_, section, begun := strings.Cut(a.guide, from)
	section, _, ended := strings.Cut(section, to)
	if !begun || !ended {
		a.t.Fatalf("the guide has nothing from %q to %q", from, to)
	}
	return section
}

// shown is what the guide shows: an example of settings, or a command.
var shown = regexp.MustCompile("(?ms)^ *```([a-z]*)\n(.*?)^ *```$|^ {4,}(\\S[^\n]*)$")

// follow does what a part of the guide shows.
func (a *administrator) follow(part string) {
	a.t.Helper()
	for _, m := range shown.FindAllStringSubmatch(part, -1) {
		switch {
		case m[3] != "":
			a.enter(m[3])
		case m[1] == "toml":
			a.edit(m[2])
		default:
			a.t.Fatalf("the guide shows what this test does not know:\n%s", m[0])
		}
	}
}

// enter types a command. What systemd would do, the test does in its place.
func (a *administrator) enter(line string) {
	a.t.Helper()
	began := time.Now()
	defer func() { a.t.Logf("%s (%v)", line, time.Since(began).Round(time.Millisecond)) }()
	switch {
	case line == "make deb", strings.HasPrefix(line, "journalctl "):
	case strings.HasPrefix(line, "xtokend migrate --issuer "): // for who has the key elsewhere
	case line == "apt install ./bin/xtokend_*.deb":
		a.install(a.older)
	case line == "systemctl restart prosody":
		a.restartProsody()
	case line == "systemctl enable --now xtokend":
		a.startXtokend()
	case line == "systemctl disable --now xtokend.socket xtokend":
		a.stopXtokend()
	case strings.HasPrefix(line, "xtokend migrate --write "):
		out, err := try(a.t, "", "chroot", a.root, "sh", "-c", line)
		if err == nil || strings.Contains(strings.ReplaceAll(out, "error: tls.", ""), "error: ") {
			a.t.Fatalf("%s: with more than the certificate missing: %v\n%s", line, err, out)
		}
	case strings.HasPrefix(line, "xtokend "), strings.HasPrefix(line, "cp "):
		out := a.at(a.t, "sh", "-c", "set -e; "+line)
		if strings.Contains(line, "--live") && strings.Count(out, ": a token logs in at ") < 4 || strings.Contains(line, "explain") && !strings.HasPrefix(out, "ok\n") {
			a.t.Errorf("%s:\n%s", line, out)
		}
		if strings.Contains(line, "accounts add") && !strings.Contains(out, "made: 1,") {
			a.t.Errorf("%s:\n%s", line, out)
		}
	default:
		a.t.Fatalf("the guide has a line that this test does not know: %s", line)
	}
}

// edit makes the settings of the guide's example those of the file, and the certificate
// that they name.
func (a *administrator) edit(example string) {
	a.t.Helper()
	const file = "etc/xtokend/xtokend.toml"
	text := read(a.t, a.root, file)
	for line := range strings.Lines(example) {
		line = strings.TrimSpace(line)
		key, _, ok := strings.Cut(line, " = ")
		if !ok {
			continue
		}
		place := regexp.MustCompile(`(?m)^` + key + ` = .*$`)
		if len(place.FindAllString(text, -1)) != 1 {
			a.t.Fatalf("the settings do not have %s once:\n%s", key, text)
		}
		text = place.ReplaceAllLiteralString(text, line)
	}
	if err := os.WriteFile(filepath.Join(a.root, file), []byte(text), 0o640); err != nil { // which keeps its owner
		a.t.Fatal(err)
	}
	pair, err := testcert.New(testcert.Spec{Serial: 1, Names: []string{"example.org", "chat.example.org"}})
	if err != nil {
		a.t.Fatal(err)
	}
	a.write("etc/xtokend/fullchain.pem", string(pair.Certificate))
	a.write("etc/xtokend/privkey.pem", string(pair.Key))
	a.at(a.t, "chgrp", "xtokend", "/etc/xtokend/privkey.pem")
	a.at(a.t, "chmod", "640", "/etc/xtokend/privkey.pem")
	a.write("etc/ssl/certs/ca-certificates.crt", string(pair.Authority))
}

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
