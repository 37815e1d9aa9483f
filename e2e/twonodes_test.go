package e2e

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"xtokend/auth/replay"
	"xtokend/internal/installation"
	"xtokend/internal/prosody"
	"xtokend/internal/prosodytest"
	"xtokend/internal/redistest"
)

// pair is two nodes of xtokend behind HAProxy, as contrib/two-nodes has them.
type pair struct {
	*site // their issuer, and what their clients trust; it has no front of its own
	redis *redistest.Server
	nodes [2]*node
	// Where HAProxy listens, for clients and for its administrator.
	services []service
	haproxy  string
}

// node is one of them.
type node struct {
	name     string
	settings string // of its file
	service  service
	metrics  string // host:port
	admin    string // path of its socket
	process  *process
}

// newPair starts everything, with a Redis that tells of no loss.
func newPair(t *testing.T) *pair {
	t.Helper()
	program, err := xtokend()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), testTimeout)
	t.Cleanup(cancel)
	const componentSecret = "a-component-secret"
	component := func(n int) string {
		return fmt.Sprintf("Component %q\ncomponent_secret = %q\n", componentName(n), componentSecret)
	}
	server := prosodytest.Start(t, prosody.Options{
		TLS: true, NotAdmin: true, GlobalLines: noOtherServers,
		HostLines: fmt.Sprintf("admins = { %q, %q }", componentName(1), componentName(2)),
		MoreHosts: component(1) + component(2),
	})
	i, err := installation.New(t.TempDir(), server, loopbackHost())
	if err != nil {
		t.Fatal(err)
	}
	p := &pair{
		site:  newSite(ctx, t, i, program),
		redis: redistest.Start(t, redistest.Options{TLS: true, Password: "a password of Redis"}),
	}
	p.tls = p.clientTLS()
	p.issuer = newIssuer(t, i, "")
	p.forbid(i.Secrets)
	p.forbid(p.issuer.secrets)
	p.forbid(func() []string { return []string{componentSecret, "a password of Redis"} })
	t.Cleanup(p.checkLogs)
	p.store(func() time.Time { return time.Unix(0, 0) }) // new long ago

	var http, xmpp [2]string
	for n := range p.nodes {
		http[n], xmpp[n] = freeAddress(t), freeAddress(t)
	}
	text := settle(t, contribution(t, "two-nodes/haproxy.cfg"),
		"10.0.0.11:5280", http[0], "10.0.0.12:5280", http[1], "10.0.0.11:5222", xmpp[0], "10.0.0.12:5222", xmpp[1],
		"127.0.0.1:5347", server.Component)
	dir := t.TempDir()
	p.haproxy = filepath.Join(dir, "admin.sock")
	text = "global\n    stats socket " + p.haproxy + " mode 600 level admin\n" + text // as Debian's has
	at := runHAProxyOn(t, p.site, dir, text, ":::443 v4v6", ":::5223 v4v6", ":::5222 v4v6", "10.0.0.10:5348")
	p.services = []service{
		{name: "BOSH", scheme: "https", address: at[0]}, {name: "WebSocket", scheme: "wss", address: at[0]},
		{name: "direct TLS", scheme: "xmpps", address: at[1]}, {name: "STARTTLS", scheme: "xmpp", address: at[2]},
	}
	for n := range p.nodes {
		p.nodes[n] = p.newNode(t, n, server.C2S, at[3], http[n], xmpp[n], componentSecret)
		p.start(p.nodes[n])
	}
	for _, n := range p.nodes {
		p.awaitNode(n, linkUp)
	}
	p.awaitHAProxy()
	return p
}

// awaitHAProxy returns when HAProxy knows that nodes are there: it was before them.
func (p *pair) awaitHAProxy() {
	p.t.Helper()
	again := time.NewTicker(lookAgain)
	defer again.Stop()
	for _, to := range p.services {
		for {
			session, err := p.open(to)
			if err == nil {
				session.end()
				session.close()
				break
			}
			select {
			case <-again.C:
			case <-p.ctx.Done():
				p.t.Fatalf("%s: %v", to.name, err)
			}
		}
	}
}

func componentName(n int) string { return fmt.Sprintf("xtoken%d.example.org", n) }

// newNode writes the file of a node, which is that of contrib with other
// addresses, and with the authorities of this test.
func (p *pair) newNode(t *testing.T, n int, server, component, http, xmpp, componentSecret string) *node {
	t.Helper()
	dir := t.TempDir()
	for name, content := range map[string]string{
		"otp_seed": p.OTPSeed, "token_secret": p.TokenSecret, "account_secret": p.AccountSecret,
		"component_secret": componentSecret, "redis_password": "a password of Redis",
		"fullchain.pem": readFile(t, p.CertificateFile()), "privkey.pem": readFile(t, p.KeyFile()),
		"redis_ca.pem": readFile(t, p.redis.CAFile),
		"ca.pem":       readFile(t, p.AuthorityFile()) + readFile(t, p.Server.CAFile()),
	} {
		writeFile(t, filepath.Join(dir, name), content)
	}
	name, metrics := fmt.Sprintf("n%d", n+1), freeAddress(t)
	admin := filepath.Join(buildDir, rand.Text()[:8]) // the path of a socket must be short
	text := settle(t, contribution(t, "two-nodes/xtokend.toml"),
		`node = "n1"`, fmt.Sprintf("node = %q\nmetrics = %q", name, metrics), "/run/xtokend/admin.sock", admin,
		"10.0.0.11:5222", xmpp, "10.0.0.11:5280", http,
		`["10.0.0.10"]`, `["127.0.0.1"]`,
		componentName(1), componentName(n+1),
		"10.0.0.10:5322", server, "10.0.0.10:5348", component, "10.0.0.10:6380", p.redis.Address,
		`tls = "starttls"`, "tls = \"starttls\"\nca_file = \"/etc/xtokend/ca.pem\"",
		"/etc/xtokend", dir) + "[log]\nlevel = \"debug\"\n"
	return &node{
		name: name, settings: writeFile(t, filepath.Join(dir, "xtokend.toml"), text),
		service: service{name: name, scheme: "xmpp", address: xmpp}, metrics: metrics, admin: admin,
	}
}

func readFile(t testing.TB, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// start starts a node, and returns once it listens.
func (p *pair) start(n *node) {
	p.t.Helper()
	n.process = startProcess(p.t, n.name, p.serveCommand(n.settings))
	p.fronts = append(p.fronts, n.process)
	process := n.process
	p.t.Cleanup(func() { p.keepAnswersOf(process, n.metrics, n.admin) }) // before the process ends
	p.awaitNode(n, "msg=ready")
}

func (p *pair) awaitNode(n *node, text string) {
	p.t.Helper()
	if err := n.process.log.Wait(p.ctx, text, 0); err != nil {
		p.t.Fatalf("%s: %v", n.name, err)
	}
}

// kill ends a node as a loss of power would, and returns when it is gone.
func (p *pair) kill(n *node) {
	p.t.Helper()
	n.process.signal(p.t, syscall.SIGKILL)
	n.process.wait(p.ctx, p.t)
}

// store is the nodes' own, as a third node.
func (p *pair) store(now func() time.Time) *replay.Redis {
	p.t.Helper()
	store, err := replay.OpenRedis(p.ctx, replay.RedisOptions{
		Addresses: []string{p.redis.Address}, Password: "a password of Redis", TLS: &tls.Config{RootCAs: p.redis.Pair.Roots}, Now: now,
	})
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { store.Close() })
	return store
}

// wantRefusal logs alice in with a token that is to be refused.
func (p *pair) wantRefusal(t *testing.T, to service, token string, want saslFailure) {
	t.Helper()
	if err := p.logInAt(to, "alice", token); err != want {
		t.Errorf("at %s: %v, want %v", to.name, err, want)
	}
}

func TestTwoNodes(t *testing.T) {
	p := newPair(t)
	here, there := p.nodes[0], p.nodes[1]

	t.Run("a token used at one is refused at the other", func(t *testing.T) {
		for _, first := range []*node{here, there} {
			token := p.issuer.token("alice")
			if err := p.logInAt(first.service, "alice", token); err != nil {
				t.Fatal(err)
			}
			for _, second := range p.nodes {
				p.wantRefusal(t, second.service, token, "not-authorized")
			}
			for _, through := range p.services {
				p.wantRefusal(t, through, token, "not-authorized")
			}
		}
	})
	t.Run("a BOSH session stays at its node", func(t *testing.T) {
		began := map[string]int{}
		for len(began) < len(p.nodes) { // until each has had one
			session, err := p.open(p.services[0])
			if err != nil {
				t.Fatal(err)
			}
			sid := session.framing.(*boshFraming).sid
			if err := session.authenticate("X-TOKEN", "alice", p.issuer.token("alice")); err != nil {
				t.Fatal(err)
			}
			if _, err := session.bind(); err != nil {
				t.Fatal(err)
			}
			for range 4 {
				p.ping(t, session)
			}
			session.end()
			name, _, _ := strings.Cut(sid, "-")
			began[name]++
		}
	})
	t.Run("a revocation at one ends sessions at both", func(t *testing.T) {
		var sessions []*stream
		for _, n := range p.nodes {
			session := p.mustBind("carol", n.service)
			sessions = append(sessions, session)
		}
		token := p.issuer.token("carol")
		revoke := exec.CommandContext(p.ctx, p.program, "revoke", "--config", here.settings, "carol@"+domain)
		if said, err := revoke.CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, said)
		}
		for n, session := range sessions {
			if _, err := session.read(); err != streamError("reset") {
				t.Errorf("at %s: %v", p.nodes[n].name, err)
			}
		}
		if err := p.logInAt(there.service, "carol", token); err != saslFailure("credentials-expired") {
			t.Errorf("a token from before: %v", err)
		}
	})
	t.Run("a node is taken out by HAProxy", func(t *testing.T) {
		var resident *stream
		for resident == nil {
			session := p.mustBind("alice", p.services[0])
			if strings.HasPrefix(session.framing.(*boshFraming).sid, "n1-") {
				resident = session
			}
		}
		offset := here.process.log.Len()
		p.tellHAProxy(t, "drain")
		for _, to := range p.services {
			for range 3 {
				if err := p.logInAt(to, "alice", p.issuer.token("alice")); err != nil {
					t.Errorf("%s: %v", to.name, err)
				}
			}
		}
		p.ping(t, resident)
		if strings.Contains(string(here.process.log.Bytes()[offset:]), "msg=authenticated") {
			t.Error("new clients are passed on to it")
		}
		p.tellHAProxy(t, "ready")
	})
	t.Run("nobody logs in without Redis, nor when it is wiped", func(t *testing.T) {
		resident := p.mustBind("bob", here.service)
		p.redis.Freeze()
		p.wantRefusal(t, here.service, p.issuer.token("alice"), "temporary-auth-failure")
		p.redis.Thaw()
		if err := p.logInAt(there.service, "alice", p.issuer.token("alice")); err != nil {
			t.Error(err)
		}
		used := p.issuer.token("alice")
		if err := p.logInAt(here.service, "alice", used); err != nil {
			t.Fatal(err)
		}
		p.redis.Command("FLUSHALL")
		for _, n := range p.nodes {
			p.wantRefusal(t, n.service, used, "temporary-auth-failure")
			p.wantRefusal(t, n.service, p.issuer.token("alice"), "temporary-auth-failure")
		}
		p.ping(t, resident)
	})
}

// tellHAProxy sets the state of n1 everywhere, as README.md says.
func (p *pair) tellHAProxy(t *testing.T, state string) {
	t.Helper()
	for _, backend := range []string{"xtokend", "xtokend_behind_tls", "xtokend_starttls"} {
		conn, err := net.Dial("unix", p.haproxy)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(conn, "set server %s/n1 state %s\n", backend, state)
		answer, err := io.ReadAll(conn)
		conn.Close()
		if err != nil || strings.TrimSpace(string(answer)) != "" {
			t.Fatalf("HAProxy: %s, %v", answer, err)
		}
	}
}

// ping has the server answer (XEP-0199), so that the session is known to be alive.
func (p *pair) ping(t *testing.T, session *stream) {
	t.Helper()
	if err := pinged(session); err != nil {
		t.Fatal(err)
	}
}

func pinged(session *stream) error {
	err := session.write("<iq xmlns='jabber:client' type='get' id='ping' to='%s'><ping xmlns='urn:xmpp:ping'/></iq>", domain)
	for err == nil {
		var answer element
		if answer, err = session.read(); err == nil && answer.attribute("id") == "ping" {
			return nil
		}
	}
	return err
}
