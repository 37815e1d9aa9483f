package main

import (
	"context"
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"

	"golang.org/x/sync/errgroup"

	"xtokend/internal/prosody"
	"xtokend/internal/stockserver"
)

// prosodyServer is a Prosody, running or not.
type prosodyServer struct {
	*stockserver.Server
	web string // host:port of WebSocket and BOSH
}

// commonLines are those of every Prosody: WebSocket and BOSH, in clear as HTTP servers in
// front of it want them, and no other servers.
const commonLines = `modules_disabled = { "s2s" }
http_interfaces = { %q }
http_ports = { %s }
https_ports = {}
http_default_host = %q
consider_websocket_secure = true
consider_bosh_secure = true
allow_unencrypted_plain_auth = true
`

// modulesLines say where the modules are, and the Lua libraries that they need: Prosody
// looks for those below installer_plugin_path as LuaRocks lays them out.
// mod_sasl_token lies in the folder of mod_auth_token.
const modulesLines = `installer_plugin_path = %q
plugin_paths = { %q }
`

// tokenLines are those of a host with the modules, as their documentation has them.
const tokenLines = `modules_enabled = { "bosh"; "websocket"; "sasl_token" }
authentication = "token"
otp_seed = %q
token_secret = %q
`

// startProsody starts one, with the data of its last run, and adds it to the target.
func (l *lab) startProsody(ctx context.Context, t *target, s subject) (*prosodyServer, error) {
	server, again := l.servers[s]
	if again {
		if err := server.Restart(ctx); err != nil {
			return nil, err
		}
	} else {
		var err error
		if server, err = l.newProsody(ctx, s); err != nil {
			return nil, err
		}
		l.servers[s] = server
	}
	t.pids = append(t.pids, server.PID())
	t.ends = append(t.ends, func() { server.Kill() }) // its sessions are over: nothing is lost
	t.addresses = map[string]string{
		"tcp": server.C2S, "starttls": server.C2S, "tls": server.DirectTLS,
		"ws": "ws://" + server.web + "/xmpp-websocket", "bosh": "http://" + server.web + "/http-bind",
	}
	switch s {
	case directSubject:
		t.client = l.passwords("SCRAM-SHA-1")
	case plainSubject:
		t.client = l.passwords("PLAIN")
	default:
		t.client = append(l.tokens(), "-http-host", domain)
	}
	return server, nil
}

// newProsody is tuned as the administrator's guide has it: the generational collector, no
// Nagle, and 10 MB a second of each client, where Prosody's own limit slows logins down.
// The subject that is called not tuned has Prosody's own collector, and Nagle's algorithm.
func (l *lab) newProsody(ctx context.Context, s subject) (*prosodyServer, error) {
	if _, err := exec.LookPath("prosody"); err != nil {
		return nil, notHere("Prosody is not installed: apt-get install prosody")
	}
	dir, err := l.file(s, "")
	if err != nil {
		return nil, err
	}
	var web string
	if err := stockserver.FreeAddresses(loopbackHost(), &web); err != nil {
		return nil, err
	}
	host, port, err := net.SplitHostPort(web)
	if err != nil {
		return nil, err
	}
	o := prosody.Options{
		Dir: dir, Domain: domain, TLS: true, PlainStorage: s == plainSubject, Untuned: s == stockSubject,
		GlobalLines: fmt.Sprintf(commonLines, host, port, domain),
	}
	o.HostLines = `modules_enabled = { "bosh"; "websocket" }`
	if s == modulesSubject || s == stockSubject {
		if l.modules == "" {
			return nil, notHere("no -modules were given")
		}
		o.GlobalLines += fmt.Sprintf(modulesLines, l.modules, filepath.Join(l.modules, "mod_auth_token"))
		o.HostLines = fmt.Sprintf(tokenLines, l.otpSeed, l.tokenSecret)
	} else if err := l.writeAccounts(filepath.Join(dir, "data"), s == plainSubject); err != nil {
		return nil, err
	}
	server, err := prosody.Start(ctx, o)
	if err != nil {
		return nil, err
	}
	if complaint := moduleError(server.Log()); complaint != "" {
		server.Kill()
		return nil, fmt.Errorf("the modules are not loaded, see bench/README.md for what -modules must hold: %s", complaint)
	}
	return &prosodyServer{server, web}, nil
}

// moduleError is the first line of Prosody's log that says one of the modules cannot be loaded;
// empty: both are. Prosody itself starts without them.
func moduleError(log string) string {
	for line := range strings.Lines(log) {
		if _, complaint, found := strings.Cut(line, "modulemanager\terror\t"); found && strings.Contains(complaint, "_token'") {
			return strings.TrimSpace(complaint)
		}
	}
	return ""
}

// iterations are as many as Prosody makes (default_iteration_count).
const iterations = 10000

// writeAccounts gives all users the passwords that xtokend derives for them, in the files
// of Prosody's internal storage.
func (l *lab) writeAccounts(data string, plain bool) error {
	folder := filepath.Join(data, "example%2eorg", "accounts")
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return err
	}
	var all errgroup.Group
	all.SetLimit(runtime.NumCPU())
	for i := range l.users {
		all.Go(func() error {
			user := fmt.Sprintf("u%d", i)
			text, err := account(l.password(user), plain)
			if err != nil {
				return err
			}
			return os.WriteFile(filepath.Join(folder, user+".dat"), []byte(text), 0o600)
		})
	}
	return all.Wait()
}

func (l *lab) password(user string) string {
	mac := hmac.New(sha256.New, []byte(l.accountSecret))
	fmt.Fprintf(mac, "xtokend account 1\x00%s@%s", user, domain)
	return base64.URLEncoding.EncodeToString(mac.Sum(nil))
}

// account is a file of Prosody's, for internal_plain or for internal_hashed (RFC 5802 §3).
func account(password string, plain bool) (string, error) {
	if plain {
		return fmt.Sprintf("return { [\"password\"] = %q; };\n", password), nil
	}
	salt := rand.Text()
	salted, err := pbkdf2.Key(sha1.New, password, []byte(salt), iterations, sha1.Size)
	if err != nil {
		return "", err
	}
	key := func(name string) []byte {
		mac := hmac.New(sha1.New, salted)
		mac.Write([]byte(name))
		return mac.Sum(nil)
	}
	stored := sha1.Sum(key("Client Key"))
	return fmt.Sprintf("return { [\"iteration_count\"] = %d; [\"salt\"] = %q; [\"stored_key\"] = \"%x\"; [\"server_key\"] = \"%x\"; };\n",
		iterations, salt, stored, key("Server Key")), nil
}
