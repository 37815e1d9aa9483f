package e2e

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"xtokend/internal/ejabberd"
	"xtokend/internal/ejabberdtest"
	"xtokend/internal/installation"
	"xtokend/internal/prosody"
	"xtokend/internal/prosodytest"
	"xtokend/internal/stockserver"
	"xtokend/internal/watch"
)

const (
	domain = "example.org"

	// What xtokend logs when its component link comes and goes.
	linkUp   = "component link is up"
	linkDown = "component link is down"

	// testTimeout bounds every wait of a test; reaching it is a failure.
	testTimeout = 90 * time.Second
)

// upstream says what serves the users of a site.
type upstream string

const (
	stockProsody  upstream = "Prosody"  // behind xtokend
	stockEjabberd upstream = "ejabberd" // behind xtokend
	builtInHost   upstream = "host"     // inside xtokend
)

var (
	stockServers = []upstream{stockProsody, stockEjabberd}
	upstreams    = append(stockServers[:len(stockServers):len(stockServers)], builtInHost)
)

// site is an installation: xtokend with what serves its users, and an issuer of
// tokens. When the test ends no log of xtokend may hold a secret or a token.
type site struct {
	*installation.Installation // settings are read at each startFront

	t       testing.TB
	ctx     context.Context
	tls     *tls.Config // of clients
	issuer  *issuer
	program string // xtokend
	// settings is the path of those that xtokend runs with; empty: the installation
	// writes them.
	settings string
	// prepare changes how xtokend is started; nil: nothing.
	prepare func(*exec.Cmd)
	front   *process
	fronts  []*process // the present one and those before
	// told is what xtokend has told those who watch it.
	told *watch.Output
	// private is what no log and no answer may hold, besides what forbidden gives.
	private *private
	// forbidden gives what no log and no answer may hold.
	forbidden []func() []string
}

// service is where a client connects.
type service struct {
	name    string
	scheme  string // of its URL
	address string // host:port
}

// service returns xtokend's own of that scheme: xmpp begins in clear, xmpps with
// TLS, ws and wss are WebSocket, http and https BOSH.
func (s *site) service(scheme string) service {
	switch scheme {
	case "xmpp":
		return service{name: "STARTTLS", scheme: scheme, address: s.StartTLS}
	case "xmpps":
		return service{name: "direct TLS", scheme: scheme, address: s.DirectTLS}
	case "ws":
		return service{name: "WebSocket", scheme: scheme, address: s.HTTP}
	case "wss":
		return service{name: "WebSocket over TLS", scheme: scheme, address: s.HTTPS}
	case "http":
		return service{name: "BOSH", scheme: scheme, address: s.HTTP}
	case "https":
		return service{name: "BOSH over TLS", scheme: scheme, address: s.HTTPS}
	}
	panic("e2e: no service " + scheme)
}

// tcpServices are those that every XMPP client knows.
func (s *site) tcpServices() []service {
	return []service{s.service("xmpp"), s.service("xmpps")}
}

// streamServices are those that carry a stream over one connection.
func (s *site) streamServices() []service {
	return append(s.tcpServices(), s.service("ws"), s.service("wss"))
}

// allServices are those of every kind of client.
func (s *site) allServices() []service {
	return append(s.streamServices(), s.service("http"), s.service("https"))
}

// webServices are those of browsers.
func (s *site) webServices() []service {
	return []service{s.service("ws"), s.service("wss"), s.service("http"), s.service("https")}
}

func (s service) webSocket() bool { return s.scheme == "ws" || s.scheme == "wss" }
func (s service) bosh() bool      { return s.scheme == "http" || s.scheme == "https" }

func (s service) url() string {
	path := ""
	switch {
	case s.webSocket():
		path = "/xmpp-websocket"
	case s.bosh():
		path = "/http-bind"
	}
	return s.scheme + "://" + s.address + path
}

// noOtherServers keeps Prosody from looking for the servers of other domains.
const noOtherServers = `modules_disabled = { "s2s" }`

// newSiteOn starts everything, with the default settings but for what configure,
// which may be nil, changes.
func newSiteOn(t *testing.T, behind upstream, configure func(*site)) *site {
	t.Helper()
	var server *stockserver.Server
	switch behind {
	case stockProsody:
		if os.Getenv("XTOKEND_MIGRATED") != "" {
			server = migratedServer(t)
		} else {
			server = prosodytest.Start(t, prosody.Options{TLS: true, GlobalLines: noOtherServers})
		}
	case stockEjabberd:
		server = ejabberdtest.Start(t, ejabberd.Options{TLS: true})
	}
	return newSiteBehind(t, server, configure)
}

// newSiteBehind starts xtokend before a server, nil for the built-in host.
func newSiteBehind(t *testing.T, server *stockserver.Server, configure func(*site)) *site {
	t.Helper()
	program, err := xtokend()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), testTimeout)
	t.Cleanup(cancel)
	i, err := installation.New(t.TempDir(), server, loopbackHost())
	if err != nil {
		t.Fatal(err)
	}
	i.LogLevel = "debug"
	i.Admin = filepath.Join(buildDir, rand.Text()[:8]) // the path of a socket must be short
	s := newSite(ctx, t, i, program)
	s.tls = s.clientTLS()
	s.issuer = newIssuer(t, i, "")
	s.forbid(i.Secrets)
	s.forbid(s.issuer.secrets)
	if server != nil {
		s.forbid(s.accountPasswords("alice", "bob"))
	}
	t.Cleanup(s.checkLogs)
	if configure != nil {
		configure(s)
	}
	s.startFront()
	return s
}

// newSite is a site of which nothing has been started.
func newSite(ctx context.Context, t testing.TB, i *installation.Installation, program string) *site {
	return &site{Installation: i, t: t, ctx: ctx, program: program, told: &watch.Output{}, private: newPrivate()}
}

// within is the same site, whose clients live no longer than ctx.
func (s *site) within(ctx context.Context) *site {
	bounded := *s
	bounded.ctx = ctx
	return &bounded
}

func (s *site) clientTLS() *tls.Config {
	s.t.Helper()
	authority, err := os.ReadFile(s.AuthorityFile())
	if err != nil {
		s.t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(authority)
	return &tls.Config{RootCAs: roots, ServerName: domain}
}

// forbid names texts that no log of xtokend may hold, and nothing that it tells
// those who watch it; they are asked for when the test ends.
func (s *site) forbid(texts func() []string) { s.forbidden = append(s.forbidden, texts) }

func (s *site) checkLogs() {
	var logged []byte
	for _, front := range s.fronts {
		logged = append(logged, front.log.Bytes()...)
	}
	texts := s.private.list()
	for _, more := range s.forbidden {
		texts = append(texts, more()...)
	}
	for _, text := range heldBy(logged, texts) {
		s.t.Errorf("a log of xtokend holds %q", text)
	}
	for _, text := range heldBy(s.told.Bytes(), texts) {
		s.t.Errorf("xtokend tells those who watch it %q", text)
	}
	for _, fault := range []string{"DATA RACE", "panic"} {
		if bytes.Contains(logged, []byte(fault)) {
			s.t.Errorf("a log of xtokend holds %q", fault)
		}
	}
}

// accountPasswords are those that xtokend gives the accounts of these users.
func (s *site) accountPasswords(users ...string) func() []string {
	return func() []string {
		var passwords []string
		for _, user := range users {
			hash := hmac.New(sha256.New, []byte(s.AccountSecret))
			hash.Write([]byte("xtokend account 1\x00" + user + "@" + domain))
			passwords = append(passwords, base64.URLEncoding.EncodeToString(hash.Sum(nil)))
		}
		return passwords
	}
}

// xtokend is the program, built once with the race detector.
var xtokend = sync.OnceValues(func() (string, error) {
	path := filepath.Join(buildDir, "xtokend")
	build := exec.Command("go", "build", "-race", "-o", path, "xtokend/cmd/xtokend")
	if written, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w\n%s", err, written)
	}
	return path, nil
})

var buildDir string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "xtokend-e2e-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	buildDir = dir
	status := m.Run()
	os.RemoveAll(dir)
	os.Exit(status)
}

// startFront starts xtokend with the site's settings, and returns once it
// listens and its component link, if it has one, is up.
func (s *site) startFront() {
	s.t.Helper()
	s.launchFront()
	if s.Server != nil {
		s.awaitLog(linkUp, 0)
	}
}

// launchFront does not wait for the component link.
func (s *site) launchFront() {
	s.t.Helper()
	settings := s.settings
	if settings == "" {
		var err error
		if settings, err = s.WriteSettings(); err != nil {
			s.t.Fatal(err)
		}
	}
	c := s.serveCommand(settings)
	if s.prepare != nil {
		s.prepare(c)
	}
	s.front = startProcess(s.t, "xtokend", c)
	s.fronts = append(s.fronts, s.front)
	s.t.Cleanup(s.keepAnswers) // before the process ends
	s.awaitLog("msg=ready", 0)
}

// serveCommand runs xtokend without the variables that are for the tests.
func (s *site) serveCommand(settings string) *exec.Cmd {
	cmd := exec.Command(s.program, "serve", "--config", settings)
	cmd.Env = slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "XTOKEND_") })
	return cmd
}

// awaitLog returns when xtokend has logged text behind the first offset bytes.
func (s *site) awaitLog(text string, offset int) {
	s.t.Helper()
	if err := s.front.log.Wait(s.ctx, text, offset); err != nil {
		s.t.Fatalf("xtokend: %v", err)
	}
}

func (s *site) restartServer() {
	s.t.Helper()
	if err := s.Server.Restart(s.ctx); err != nil {
		s.t.Fatal(err)
	}
}

// endFront ends xtokend by a signal and waits for its end.
func (s *site) endFront(signal syscall.Signal) {
	s.t.Helper()
	s.front.signal(s.t, signal)
	s.front.wait(s.ctx, s.t)
}

// stopFront ends xtokend as a service manager does.
func (s *site) stopFront() {
	s.t.Helper()
	s.keepAnswers()
	s.front.signal(s.t, syscall.SIGTERM)
	if status := s.front.wait(s.ctx, s.t); status != 0 {
		s.t.Fatalf("xtokend ended with exit status %d", status)
	}
}

// loopbackHost picks one of the addresses of 127.0.0.0/8, from which no
// connection comes. So no other process takes xtokend's ports between two of
// its starts, and no client that tries again meanwhile connects to itself.
func loopbackHost() net.IP {
	var random [3]byte
	rand.Read(random[:])
	return net.IPv4(127, 1+random[0]%254, random[1], 1+random[2]%254)
}

func bareJID(address string) string {
	bare, _, _ := strings.Cut(address, "/")
	return bare
}
