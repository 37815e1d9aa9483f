package main

import (
	"bufio"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"xtokend/cmd/xtokend/internal/config"
	"xtokend/cmd/xtokend/internal/doctor"
	"xtokend/cmd/xtokend/internal/doctor/dnstest"
	"xtokend/internal/prosody"
	"xtokend/internal/prosodytest"
	"xtokend/internal/stockserver"
	"xtokend/internal/stockserver/stockservertest"
	"xtokend/internal/testcert"
	"xtokend/internal/watch"
)

// noDNS has a server ask nobody for addresses: it looks for an SRV record of other
// servers' direct TLS even if their domain is an address.
const noDNS = `unbound = { resolvconf = false; hoststxt = false; options = { ["local-zone:"] = ". static" } }` + "\n"

// before is a server that verifies tokens by the Lua modules, with its ports. Its domain
// is an address, so that other servers find it without DNS, at the port of RFC 6120 §13.9.
const before = noDNS + `run_as_root = %t
data_path = %q
certificates = "certs"
log = { { levels = { min = "info" }, to = "file", filename = %q } }
interfaces = { "127.0.0.1" }
c2s_ports = { %s }
component_ports = { %s }
http_ports = { %s }
https_ports = {}
s2s_interfaces = { %q }
s2s_require_encryption = false
s2s_secure_auth = false
modules_enabled = {
	"roster"; "saslauth"; "tls"; "disco"; "carbons"; "dialback";
	"mam"; -- the archive
	"register"; -- passwords
	"auth_token"; "sasl_token"; -- tokens
}
plugin_paths = { %q }
c2s_require_encryption = false
allow_unencrypted_plain_auth = true
authentication = "token"
otp_seed = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
token_secret = "MFRGGZDFMZTWQ2LKNNWG23TPOBYXE43U"

VirtualHost %q
Component "share.example.org" "http_file_share"
`

// What users had is there after the migration, for whoever comes with a token to the
// port that clients have always used. HTTP and other servers reach it as before.
func TestMigratedServer(t *testing.T) {
	domain, other := ownAddress(), ownAddress()
	// Ports of 127.0.0.1, where the migration puts them.
	var clients, component, web, relay string
	if err := stockserver.FreeAddresses("127.0.0.1", &clients, &component, &web, &relay); err != nil {
		t.Fatal(err)
	}
	folder, own := t.TempDir(), t.TempDir()
	path := func(name string) string { return filepath.Join(folder, name) }
	write := func(name, text string) {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(path(name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path(name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	pair, err := testcert.New(testcert.Spec{Names: []string{domain}, Addresses: []net.IP{net.ParseIP(domain)}})
	if err != nil {
		t.Fatal(err)
	}
	write("certs/"+domain+".crt", string(pair.Certificate))
	write("certs/"+domain+".key", string(pair.Key))
	settings := path("prosody.cfg.lua")
	write("prosody.cfg.lua", fmt.Sprintf(before, os.Geteuid() == 0, path("data"), path("prosody.log"),
		stockserver.Port(clients), stockserver.Port(component), stockserver.Port(web), domain, prosodytest.TokenModules(t), domain))
	server := stockserver.New(folder, domain)
	server.C2S = clients
	program := prosody.Program{Settings: settings, Data: path("data"), Log: path("prosody.log"), Domain: domain}
	stockservertest.EndWith(t, server)
	if err := server.Start(t.Context(), program); err != nil {
		t.Fatal(err)
	}
	c := logIn(t, clients, domain, "PLAIN", "alice", "a token of before")
	inquire(t, c, "<iq type='set' id='r'><query xmlns='jabber:iq:roster'><item jid='bob@"+domain+"' name='Bob of before'/></query></iq>", "id='r'")
	inquire(t, c, "<message to='bob@"+domain+"' type='chat'><body>said before</body></message><iq type='get' id='p'><ping xmlns='urn:xmpp:ping'/></iq>", "id='p'")
	if err := server.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}

	xtokend(t, "", "migrate", "--write", "--folder", own, "--server-port", stockserver.Port(relay), settings)
	server.C2S, server.Component = relay, component
	if err := server.Start(t.Context(), program); err != nil {
		t.Fatal(err)
	}
	prosodytest.Start(t, prosody.Options{
		Domain: other, TLS: true,
		GlobalLines: noDNS + fmt.Sprintf("s2s_ports = { 5269 }; s2s_interfaces = { %q }\n", other) +
			"s2s_require_encryption = false; s2s_secure_auth = false\n",
		HostLines: `modules_enabled = { "dialback" }`,
	})

	// This machine's own folders are not a test's.
	file := filepath.Join(own, "xtokend.toml")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	moved := strings.NewReplacer("/var/lib/xtokend", own, "/run/xtokend", own).Replace(string(text))
	if err := os.WriteFile(file, []byte(moved), 0o600); err != nil {
		t.Fatal(err)
	}
	users := xtokend(t, "", "migrate", "--users", domain, settings)
	if users != "alice\nbob\n" {
		t.Fatalf("users %q, want alice and bob", users)
	}
	if made := xtokend(t, users, "accounts", "--config", file, "add"); made != "made: 2, there already: 0, failed: 0\n" {
		t.Fatalf("accounts add: %q", made)
	}
	serveMigrated(t, file)

	cfg, err := config.Load(file, config.Options{Need: config.Everything})
	if err != nil {
		t.Fatal(err)
	}
	found := findings(examine(t.Context(), &cfg, doctor.Options{Resolver: dnstest.Resolver(t, dnstest.Zone{}), Roots: pair.Roots}))
	found.want(t, doctor.OK, doctor.TopicLogin, "a token logs in at xmpp://"+clients, "")
	found.want(t, doctor.OK, doctor.TopicServer, "the server takes what clients send without delay", "")
	for _, f := range found {
		if f.Level == doctor.Error {
			t.Errorf("check --live finds: %s: %s", f.Topic, f.Text)
		}
	}

	token := strings.TrimSpace(xtokend(t, "", "token", "--config", file, "alice@"+domain))
	c = logIn(t, clients, domain, "X-TOKEN", "alice", token)
	if roster := inquire(t, c, "<iq type='get' id='r'><query xmlns='jabber:iq:roster'/></iq>", "</iq>"); !strings.Contains(roster, "Bob of before") {
		t.Errorf("the roster of before is not there:\n%s", roster)
	}
	if archive := inquire(t, c, "<iq type='set' id='m'><query xmlns='urn:xmpp:mam:2'/></iq>", "</iq>"); !strings.Contains(archive, "said before") {
		t.Errorf("the archive of before is not there:\n%s", archive)
	}
	// The answer comes over a stream of the other server's own.
	if version := inquire(t, c, "<iq type='get' id='v' to='"+other+"'><query xmlns='jabber:iq:version'/></iq>", "</iq>"); !strings.Contains(version, "<name>Prosody</name>") {
		t.Errorf("another server answers:\n%s", version)
	}
	answer, err := http.Get("http://" + web)
	if err != nil {
		t.Fatalf("Prosody's HTTP: %v", err)
	}
	answer.Body.Close()
}

// ownAddress picks an address of 127.0.0.0/8, all of which is this machine's own.
func ownAddress() string {
	var r [3]byte
	rand.Read(r[:])
	return net.IPv4(127, r[0], r[1], 1+r[2]%254).String()
}

// serveMigrated runs xtokend until the test ends.
func serveMigrated(t *testing.T, file string) {
	t.Helper()
	var log watch.Output
	daemon := exec.CommandContext(t.Context(), "xtokend", "serve", "--config", file)
	daemon.Stderr = &log
	if err := daemon.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		daemon.Wait()
		log.Close()
	}()
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("xtokend:\n%s", log.Bytes())
		}
	})
	if err := log.Wait(t.Context(), "msg=ready", 0); err != nil {
		t.Fatal(err)
	}
}

// xtokend runs a command that must succeed, and returns what it prints.
func xtokend(t *testing.T, stdin string, args ...string) string {
	t.Helper()
	command := exec.CommandContext(t.Context(), "xtokend", args...)
	var said strings.Builder
	command.Stdin, command.Stderr = strings.NewReader(stdin), &said
	out, err := command.Output()
	if err != nil {
		t.Fatalf("xtokend %s: %v\n%s%s", args[0], err, out, said.String())
	}
	return string(out)
}

// logIn logs a user in over loopback, where no TLS is needed, and binds a resource.
func logIn(t *testing.T, address, domain, mechanism, localpart, token string) *peer {
	t.Helper()
	header := "<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' to='" + domain + "' version='1.0'>"
	c := dial(t, address)
	inquire(t, c, header, "</stream:features>")
	message := base64.StdEncoding.EncodeToString([]byte("\x00" + localpart + "\x00" + token))
	inquire(t, c, "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='"+mechanism+"'>"+message+"</auth>", "<success")
	inquire(t, c, header, "</stream:features>")
	inquire(t, c, "<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>", "</iq>")
	return c
}

// peer is a connection that is read as a text.
type peer struct {
	net.Conn
	reader *bufio.Reader
}

func dial(t *testing.T, address string) *peer {
	t.Helper()
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(time.Minute))
	return &peer{c, bufio.NewReader(c)}
}

// inquire sends a text and returns the answer up to the end that is wanted.
func inquire(t *testing.T, c *peer, text, until string) string {
	t.Helper()
	if _, err := c.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	var answer strings.Builder
	for !strings.Contains(answer.String(), until) {
		piece, err := c.reader.ReadString('>')
		answer.WriteString(piece)
		if err != nil {
			t.Fatalf("no %s: %v\n%s", until, err, answer.String())
		}
	}
	return answer.String()
}
