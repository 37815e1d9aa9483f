package packaging

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

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
