package main

import (
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"xtokend/auth"
	"xtokend/cmd/xtokend/internal/config"
	"xtokend/internal/stockserver"
	"xtokend/internal/watch"
)

const (
	reloadDone    = "the settings were read again"
	reloadRefused = "the settings cannot be used: all stays as it was"

	secondSeed   = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
	secondSecret = "MFRGGZDFMZTWQ2LKNNWG23TPOBYXE43U"
)

var needsRestart = regexp.MustCompile(`restart to use|until a restart`)

// reloaded is a daemon whose settings a test changes while it runs.
type reloaded struct {
	t      *testing.T
	path   string
	level  *slog.LevelVar
	log    watch.Output
	hangup chan os.Signal
}

// startReloaded serves the settings until the test ends, and looks for what is left
// of it then.
func startReloaded(t *testing.T, dir, settings string) *reloaded {
	t.Helper()
	alive := goleak.IgnoreCurrent()
	r := &reloaded{t: t, path: filepath.Join(dir, "xtokend.toml"), level: new(slog.LevelVar), hangup: make(chan os.Signal)}
	write(t, r.path, []byte(settings))
	cfg, err := config.Load(r.path, config.Options{Need: config.Everything})
	if err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.NewTextHandler(&r.log, &slog.HandlerOptions{Level: r.level}))
	ctx, stop := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() {
		served <- (&daemon{log: log, level: r.level, hangup: r.hangup, stopping: func() {}}).serve(ctx, &cfg)
		r.log.Close()
	}()
	t.Cleanup(func() {
		stop()
		if err := <-served; err != nil {
			t.Error(err)
		}
		goleak.VerifyNone(t, alive)
		if t.Failed() {
			t.Logf("log:\n%s", r.log.Bytes())
		}
	})
	r.await("msg=ready", 0)
	return r
}

func (r *reloaded) await(text string, offset int) {
	r.t.Helper()
	if err := r.log.Wait(r.t.Context(), text, offset); err != nil {
		r.t.Fatalf("%v; log:\n%s", err, r.log.Bytes())
	}
}

// reload has the daemon read other settings, and returns what it logs of that.
func (r *reloaded) reload(settings, outcome string) string {
	r.t.Helper()
	write(r.t, r.path, []byte(settings))
	offset := r.log.Len()
	r.hangup <- syscall.SIGHUP
	r.await("path="+r.path, offset)
	logged := string(r.log.Bytes()[offset:])
	if !strings.Contains(logged, outcome) {
		r.t.Fatalf("logged:\n%s", logged)
	}
	return logged
}

// logIn says a dialogue up to the answer to a token, and returns that answer, or what
// the stream ends with. The connection stays open if the token is accepted.
func (r *reloaded) logIn(address, domain, seed, secret string) (answer string, _ net.Conn) {
	r.t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		return err.Error(), nil
	}
	r.t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(time.Minute))
	key, err := auth.NewKey(seed, secret, time.Time{})
	if err != nil {
		r.t.Fatal(err)
	}
	name, err := auth.PrepareName("alice")
	if err != nil {
		r.t.Fatal(err)
	}
	token, err := key.Issue(name, domain, time.Now())
	if err != nil {
		r.t.Fatal(err)
	}
	fmt.Fprintf(conn, "<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' to='%s' version='1.0'>", domain)
	if got := until(conn, "</stream:features>", "</stream:error>"); strings.Contains(got, "</stream:error>") {
		return got, nil
	}
	fmt.Fprintf(conn, "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='X-TOKEN'>%s</auth>",
		base64.StdEncoding.EncodeToString([]byte("\x00alice\x00"+token)))
	return until(conn, "<success", "</failure>", "</stream:error>"), conn
}

// until reads up to one of the texts or the end.
func until(conn net.Conn, texts ...string) string {
	var got strings.Builder
	for buf := make([]byte, 4096); ; {
		n, err := conn.Read(buf)
		got.Write(buf[:n])
		for _, text := range texts {
			if strings.Contains(got.String(), text) {
				return got.String()
			}
		}
		if err != nil {
			return got.String() + err.Error()
		}
	}
}

func (r *reloaded) mustLogIn(address, domain, seed, secret string) net.Conn {
	r.t.Helper()
	answer, conn := r.logIn(address, domain, seed, secret)
	if !strings.Contains(answer, "<success") {
		r.t.Fatalf("the login is answered by %s", answer)
	}
	return conn
}

// goesOn fails the test unless the session behind a login goes on.
func (r *reloaded) goesOn(conn net.Conn, domain string) {
	r.t.Helper()
	fmt.Fprintf(conn, "<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' to='%s' version='1.0'>", domain)
	if got := until(conn, "</stream:features>"); !strings.Contains(got, "urn:ietf:params:xml:ns:xmpp-bind") {
		r.t.Errorf("the session gets %q", got)
	}
}

// freeAddress is one where nobody listens.
func freeAddress(t *testing.T) (address string) {
	t.Helper()
	if err := stockserver.FreeAddresses("127.0.0.1", &address); err != nil {
		t.Fatal(err)
	}
	return address
}

// hostDomain is the table of a domain of the host.
func hostDomain(name, more string, keys ...string) string {
	text := fmt.Sprintf("[[domain]]\nname = %q\nupstream = 'host'\n", name)
	for i := 0; i < len(keys); i += 2 {
		text += fmt.Sprintf("[[domain.key]]\notp_seed = %q\ntoken_secret = %q\n", keys[i], keys[i+1])
	}
	return text + more
}

const memoryStore = "[replay]\nstore = 'memory'\n"

func listenTo(uris ...string) string { return "listen = ['" + strings.Join(uris, "', '") + "']\n" }

func TestReload(t *testing.T) {
	xmpp, other, watched := freeAddress(t), freeAddress(t), freeAddress(t)
	metricsLine := fmt.Sprintf("metrics = %q\n", watched)
	org := hostDomain("example.org", "", vectorSeed, vectorSecret)
	first := listenTo("xmpp://"+xmpp) + metricsLine + org + memoryStore
	r := startReloaded(t, t.TempDir(), first)
	stays := r.mustLogIn(xmpp, "example.org", vectorSeed, vectorSecret)

	both := hostDomain("example.org", "", vectorSeed, vectorSecret, secondSeed, secondSecret)
	second := hostDomain("example.net", "", vectorSeed, vectorSecret)
	logged := r.reload(listenTo("xmpp://"+xmpp, "xmpp://"+other)+metricsLine+both+second+memoryStore, reloadDone)
	if !strings.Contains(logged, "msg=listening address="+other) || !strings.Contains(logged, "keys of a domain have changed") {
		t.Errorf("logged:\n%s", logged)
	}
	left := r.mustLogIn(other, "example.net", vectorSeed, vectorSecret)
	r.mustLogIn(xmpp, "example.org", secondSeed, secondSecret)
	r.mustLogIn(xmpp, "example.org", vectorSeed, vectorSecret)
	for _, want := range []string{`xtokend_key_used_total{domain="example.org",key="1"} 1`, `domain="example.net"`, `xtokend_settings_reloads_total{result="ok"} 1`} {
		if text := scrape(t, watched); !strings.Contains(text, want) {
			t.Errorf("metrics without %s", want)
		}
	}

	// Nothing has changed.
	logged = r.reload(listenTo("xmpp://"+xmpp, "xmpp://"+other)+metricsLine+both+second+memoryStore, reloadDone)
	if strings.Contains(logged, "keys of a domain have changed") {
		t.Errorf("logged:\n%s", logged)
	}
	if text := scrape(t, watched); !strings.Contains(text, `xtokend_key_used_total{domain="example.org",key="1"} 1`) {
		t.Error("the use of keys that have stayed is forgotten")
	}

	// The listener goes, so does the domain, and the first key.
	only := hostDomain("example.org", "", secondSeed, secondSecret)
	logged = r.reload(listenTo("xmpp://"+xmpp)+metricsLine+only+memoryStore+"[log]\nlevel = 'debug'\n", reloadDone)
	for _, want := range []string{"msg=\"listening no more\" address=" + other, "a domain is served no more; who is logged in stays so\" domain=example.net"} {
		if !strings.Contains(logged, want) {
			t.Errorf("%s is not logged:\n%s", want, logged)
		}
	}
	for _, c := range []struct{ name, address, domain, seed, secret, want string }{
		{"a listener that is gone", other, "example.org", secondSeed, secondSecret, "connection refused"},
		{"a domain that is gone", xmpp, "example.net", vectorSeed, vectorSecret, "<host-unknown "},
		{"a key that is gone", xmpp, "example.org", vectorSeed, vectorSecret, "<not-authorized/>"},
	} {
		if answer, _ := r.logIn(c.address, c.domain, c.seed, c.secret); !strings.Contains(answer, c.want) {
			t.Errorf("%s: %s", c.name, answer)
		}
	}
	r.goesOn(stays, "example.org")
	r.goesOn(left, "example.net")
	if r.level.Level() != slog.LevelDebug {
		t.Errorf("the level is %v", r.level.Level())
	}
	left.Close()
	for strings.Contains(scrape(t, watched), `domain="example.net"`) { // once its last session has ended
	}
}

// scrape reads the metrics.
func scrape(t *testing.T, address string) string {
	t.Helper()
	transport := &http.Transport{DisableKeepAlives: true}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+address+"/metrics", nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := transport.RoundTrip(request)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

// A used token stays used, a session of the host stays, whatever else is reloaded, and
// nothing is left behind however often that happens.
func TestReloadManyTimes(t *testing.T) {
	xmpp, other, watched := freeAddress(t), freeAddress(t), freeAddress(t)
	plain := listenTo("xmpp://"+xmpp) + fmt.Sprintf("metrics = %q\n", watched) + hostDomain("example.org", "", vectorSeed, vectorSecret) + memoryStore
	r := startReloaded(t, t.TempDir(), plain)
	stays := r.mustLogIn(xmpp, "example.org", vectorSeed, vectorSecret)
	r.goesOn(stays, "example.org")
	descriptors := regexp.MustCompile(`(?m)^process_open_fds (.*)$`)
	goroutines := regexp.MustCompile(`(?m)^go_goroutines (.*)$`)
	count := func(text string, m *regexp.Regexp) float64 {
		value, err := strconv.ParseFloat(m.FindStringSubmatch(text)[1], 64)
		if err != nil {
			t.Fatal(err)
		}
		return value
	}
	r.reload(plain, reloadDone)
	before := scrape(t, watched)
	for i := range 50 {
		gone := fmt.Sprintf("d%d.example", i)
		r.reload(listenTo("xmpp://"+xmpp, "xmpp://"+other)+plain[strings.Index(plain, "\n")+1:]+
			hostlessDomain(gone), reloadDone)
		answer, conn := r.logIn(other, gone, vectorSeed, vectorSecret)
		if !strings.Contains(answer, "<temporary-auth-failure/>") {
			t.Fatalf("a login to a server that is down is answered by %s", answer)
		}
		conn.Close()
		r.reload(plain, reloadDone)
	}
	fmt.Fprint(stays, "<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>")
	if got := until(stays, "</iq>"); !strings.Contains(got, "<jid>alice@example.org/") {
		t.Errorf("the session gets %q", got)
	}
	ctx, done := context.WithTimeout(t.Context(), 20*time.Second)
	defer done()
	for { // the last connections may still be on their way out, as those of another test may have been before
		text := scrape(t, watched)
		if count(text, descriptors) <= count(before, descriptors) && count(text, goroutines) <= count(before, goroutines) &&
			strings.Count(text, "\n") <= strings.Count(before, "\n") {
			return
		}
		if ctx.Err() != nil {
			t.Fatalf("before:\n%s\nafter:\n%s", before, text)
		}
	}
}

// hostlessDomain is a domain whose server is down.
func hostlessDomain(name string) string {
	return fmt.Sprintf("[[domain]]\nname = %q\n[[domain.key]]\notp_seed = %q\ntoken_secret = %q\n"+
		"[domain.server]\naddresses = ['127.0.0.1:1']\naccount_secret = 'an-account-secret-of-32-or-more-characters'\naccounts = 'component'\n"+
		"[domain.component]\naddress = '127.0.0.1:1'\nname = 'xtoken.%s'\nsecret = 'a-component-secret'\n", name, vectorSeed, vectorSecret, name)
}

// Whatever is wrong with settings, they change nothing, and the log says what to do.
func TestReloadRefused(t *testing.T) {
	dir := t.TempDir()
	tls := &config.TLS{CertificatePath: filepath.Join(dir, "certificate.pem"), KeyPath: filepath.Join(dir, "key.pem")}
	writePair(t, tls, 1)
	xmpp, watched, fresh := freeAddress(t), freeAddress(t), freeAddress(t)
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	const tlsTable = "[tls]\ncertificate = 'certificate.pem'\nkey = 'key.pem'\n"
	metricsLine := fmt.Sprintf("metrics = %q\n", watched)
	org := hostDomain("example.org", "", vectorSeed, vectorSecret)
	rotated := hostDomain("example.org", "", secondSeed, secondSecret)
	second := func(path string) string {
		return hostDomain("example.net", "[domain.host]\npath = '"+path+"'\n", vectorSeed, vectorSecret)
	}
	good := listenTo("xmpp://"+xmpp) + metricsLine + org + memoryStore + tlsTable
	r := startReloaded(t, dir, good)
	stays := r.mustLogIn(xmpp, "example.org", vectorSeed, vectorSecret)
	for _, c := range []struct {
		name, settings string
		before         func()
		logged, hint   string
	}{
		{"no TOML", "listen = [", nil, "settings: ", "hint="},
		{"an unknown key", strings.Replace(good, "metrics", "metrix", 1), nil, "metrix: unknown key", "did you mean metrics?"},
		{"several faults", strings.NewReplacer("metrics", "metrix", "xmpp:", "xmp:").Replace(good), nil, "metrix: unknown key", "listen[0]"},
		{"a port that is taken", listenTo("xmpp://"+xmpp, "xmpp://"+fresh, "xmpp://"+taken.Addr().String()) + metricsLine + rotated + second("one.db") + memoryStore + tlsTable,
			nil, "cannot listen on xmpp://" + taken.Addr().String(), "another program has this port"},
		{"an address that overlaps", listenTo("xmpp://0.0.0.0:"+xmpp[strings.LastIndexByte(xmpp, ':')+1:]) + metricsLine + rotated + memoryStore + tlsTable,
			nil, "cannot listen on xmpp://0.0.0.0:", "with a second SIGHUP"},
		{"a secret that cannot be read", strings.Replace(good, "token_secret = \""+vectorSecret+"\"", "token_secret_file = 'nowhere'", 1),
			nil, "cannot read", "must exist and be readable"},
		{"a host whose file is damaged", listenTo("xmpp://"+xmpp, "xmpp://"+fresh) + metricsLine + rotated + second("damaged.db") + memoryStore + tlsTable,
			func() { write(t, filepath.Join(dir, "damaged.db"), []byte("no database")) }, "example.net: ", ""},
		{"a certificate of another key", strings.Replace(good, "xmpp://", "xmpps://", 1), func() {
			write(t, filepath.Join(dir, "key.pem"), []byte("-----BEGIN"))
		}, "do not make a pair", "is that one's private key"},
		{"no file", "", func() { os.Remove(r.path) }, "", ""},
	} {
		if c.before != nil {
			c.before()
		}
		logged := r.reload(c.settings, reloadRefused)
		if !strings.Contains(logged, c.logged) || !strings.Contains(logged, c.hint) || !strings.Contains(logged, "mend them, and send SIGHUP again") {
			t.Errorf("%s: logged:\n%s", c.name, logged)
		}
		if strings.Contains(logged, vectorSecret) || strings.Contains(logged, secondSecret) {
			t.Errorf("%s: a secret is logged:\n%s", c.name, logged)
		}
		r.mustLogIn(xmpp, "example.org", vectorSeed, vectorSecret)
		if answer, _ := r.logIn(fresh, "example.org", vectorSeed, vectorSecret); !strings.Contains(answer, "refused") {
			t.Errorf("%s: at the new listener: %s", c.name, answer)
		}
		if answer, _ := r.logIn(xmpp, "example.net", vectorSeed, vectorSecret); !strings.Contains(answer, "<host-unknown ") {
			t.Errorf("%s: at the new domain: %s", c.name, answer)
		}
		if text := scrape(t, watched); !strings.Contains(text, "xtokend_settings_last_reload_successful 0") || strings.Contains(text, "example.net") {
			t.Errorf("%s: the metrics say otherwise", c.name)
		}
	}
	r.goesOn(stays, "example.org")

	// What was refused has left nothing that is in the way of better settings.
	writePair(t, tls, 2)
	logged := r.reload(listenTo("xmpp://"+xmpp, "xmpp://"+fresh)+metricsLine+org+second("two.db")+memoryStore+tlsTable, reloadDone)
	if needsRestart.MatchString(logged) {
		t.Errorf("logged:\n%s", logged)
	}
	r.mustLogIn(fresh, "example.net", vectorSeed, vectorSecret)
	if text := scrape(t, watched); !strings.Contains(text, "xtokend_settings_last_reload_successful 1") {
		t.Error("the metrics say otherwise")
	}
}

// What waits for a restart is named, at each reload until then, and goes on as it was.
func TestReloadNamesWhatNeedsARestart(t *testing.T) {
	xmpp, watched := freeAddress(t), freeAddress(t)
	dir := t.TempDir()
	good := listenTo("xmpp://"+xmpp) + fmt.Sprintf("metrics = %q\n", watched) + hostDomain("example.org", "[domain.host]\npath = 'a.db'\n", vectorSeed, vectorSecret) + memoryStore
	r := startReloaded(t, dir, good)
	for _, c := range []struct{ name, old, new, want string }{
		{"nothing", "", "", ""},
		{"the store", "store = 'memory'", "path = 'replay.db'", "key=replay"},
		{"the node", "metrics", "node = 'n1'\nmetrics", "key=node"},
		{"the metrics", "metrics", "# metrics", "key=metrics"},
		{"the socket", "metrics", "admin = 'unix:" + filepath.Join(dir, "s") + "'\nmetrics", "key=admin"},
		{"the log's format", "[replay]", "[log]\nformat = 'json'\n[replay]", "key=log.format"},
		{"the host's file", "a.db", "b.db", "key=domain.host"},
		{"the host's rooms", "path =", "rooms = 'rooms.example.org'\npath =", "key=domain.host"},
		{"what the host takes", "[replay]", "[limits]\nelement_bytes = 20000\n[replay]", "limits.element_bytes"},
	} {
		for range 2 {
			logged := r.reload(strings.Replace(good, c.old, c.new, 1), reloadDone)
			named := strings.Contains(logged, c.want)
			if warnings := len(needsRestart.FindAllString(logged, -1)); !named || (warnings > 0) != (c.want != "") || warnings > 1 {
				t.Errorf("%s: logged:\n%s", c.name, logged)
			}
		}
		if !strings.Contains(scrape(t, watched), "xtokend_build_info") {
			t.Errorf("%s: the metrics are gone", c.name)
		}
		r.mustLogIn(xmpp, "example.org", vectorSeed, vectorSecret)
	}
	if logged := r.reload(good, reloadDone); needsRestart.MatchString(logged) {
		t.Errorf("at last: logged:\n%s", logged)
	}
}

// An address keeps its socket when what is spoken there changes, so that nobody is
// refused; and nobody is served in clear where TLS is meant.
func TestReloadOfAScheme(t *testing.T) {
	dir := t.TempDir()
	tls := &config.TLS{CertificatePath: filepath.Join(dir, "certificate.pem"), KeyPath: filepath.Join(dir, "key.pem")}
	writePair(t, tls, 1)
	address := freeAddress(t)
	rest := hostDomain("example.org", "", vectorSeed, vectorSecret) + memoryStore + "[tls]\ncertificate = 'certificate.pem'\nkey = 'key.pem'\n"
	r := startReloaded(t, dir, listenTo("xmpp://"+address)+rest)
	stays := r.mustLogIn(address, "example.org", vectorSeed, vectorSecret)
	for _, scheme := range []string{"xmpps", "https", "http", "xmpps", "xmpp"} {
		r.reload(listenTo(scheme+"://"+address)+rest, reloadDone)
		if answer, _ := r.logIn(address, "example.org", vectorSeed, vectorSecret); strings.Contains(answer, "<success") != (scheme == "xmpp") {
			t.Errorf("over %s a login is answered by %q", scheme, answer)
		}
	}
	r.goesOn(stays, "example.org")
}
