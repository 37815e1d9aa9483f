package main

import (
	"context"
	"crypto/x509"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"xtokend/cmd/xtokend/internal/admin"
	"xtokend/cmd/xtokend/internal/doctor"
	"xtokend/internal/ejabberd"
	"xtokend/internal/ejabberdtest"
	"xtokend/internal/prosody"
	"xtokend/internal/prosodytest"
	"xtokend/internal/stockserver"
	"xtokend/internal/testcert"
	"xtokend/internal/watch"
)

// run runs the daemon until the test ends.
func (c *clinic) run(t *testing.T) {
	t.Helper()
	cfg := c.settings(t)
	var log watch.Output
	ctx, stop := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() {
		served <- serve(ctx, cfg, slog.New(slog.NewTextHandler(&log, nil)))
		log.Close()
	}()
	t.Cleanup(func() {
		stop()
		if err := <-served; err != nil {
			t.Error(err)
		}
		if t.Failed() {
			t.Logf("the daemon's log:\n%s", log.Bytes())
		}
	})
	if err := log.Wait(t.Context(), "msg=ready", 0); err != nil {
		t.Fatal(err)
	}
}

// adminSocket gives the installation a socket; its path must be short.
func (c *clinic) adminSocket(t *testing.T) {
	t.Helper()
	dir, err := os.MkdirTemp("", "x")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	c.Admin = filepath.Join(dir, "a")
}

// publish gives the domain addresses for browsers, which lead to the installation's own
// listener, and so does the port of its web site.
func (c *clinic) publish() {
	at := c.Domain + c.HTTPS[strings.LastIndexByte(c.HTTPS, ':'):]
	c.PublicURLs = []string{"wss://" + at + "/xmpp-websocket", "https://" + at + "/http-bind"}
	c.zone.Addresses[c.Domain+"."] = []netip.Addr{netip.MustParseAddr(c.host)}
	c.options.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
		if address == c.host+":443" {
			address = c.HTTPS
		}
		return new(net.Dialer).DialContext(ctx, network, address)
	}
}

// The daemon that runs is examined itself, and the trial account made by its link.
func TestCheckLiveOfARunningDaemon(t *testing.T) {
	for name, start := range map[string]func() *stockserver.Server{
		"Prosody":  func() *stockserver.Server { return prosodytest.Start(t, prosody.Options{}) },
		"ejabberd": func() *stockserver.Server { return ejabberdtest.Start(t, ejabberd.Options{}) },
	} {
		t.Run(name, func(t *testing.T) {
			c := newClinic(t, start())
			c.adminSocket(t)
			c.publish()
			c.run(t)
			found := c.examine(t)
			found.wantGood(t)
			found.want(t, doctor.OK, doctor.TopicPorts, "xtokend runs", "")
			found.want(t, doctor.OK, doctor.TopicLink, "component link is up", "")
			for _, route := range []string{c.StartTLS, c.DirectTLS, c.HTTP + " (WebSocket)", c.HTTP + " (BOSH)", c.HTTPS + " (WebSocket)", c.HTTPS + " (BOSH)"} {
				found.want(t, doctor.OK, doctor.TopicLogin, route+", in ", "")
			}
			found.want(t, doctor.OK, doctor.TopicDNS, "_xmpp-client._tcp.example.org (chat.example.org port "+c.StartTLS[strings.LastIndexByte(c.StartTLS, ':')+1:]+") leads to xtokend", "")
			for _, url := range c.PublicURLs {
				found.want(t, doctor.OK, doctor.TopicLogin, url+" leads to xtokend", "")
			}
			for _, form := range []string{"host-meta", "host-meta.json"} {
				found.want(t, doctor.OK, doctor.TopicHostMeta, "https://example.org/.well-known/"+form+" names the addresses of the settings", "")
			}
			found.want(t, doctor.OK, doctor.TopicAccounts, "nothing is left of the trial account", "")
		})
	}
}

// Without a way to remove the account none is made.
func TestCheckLiveMakesNoAccountThatItCannotRemove(t *testing.T) {
	for name, c := range map[string]struct {
		configure func(*testing.T, *clinic)
		server    bool
		text      string
	}{
		"no admin socket":   {func(*testing.T, *clinic) {}, true, "the daemon has no admin socket"},
		"existing accounts": {func(t *testing.T, c *clinic) { c.adminSocket(t); edit("server", "accounts", "existing")(t, c) }, true, `accounts = "existing"`},
		"the host":          {func(t *testing.T, c *clinic) { c.adminSocket(t) }, false, "the host would keep the account"},
	} {
		t.Run(name, func(t *testing.T) {
			var server *stockserver.Server
			if c.server {
				server = prosodytest.Start(t, prosody.Options{})
			}
			clinic := newClinic(t, server)
			c.configure(t, clinic)
			clinic.run(t)
			found := clinic.examine(t)
			found.wantGood(t)
			found.want(t, doctor.Skipped, doctor.TopicLogin, "no login was tried: "+c.text, "")
			found.want(t, doctor.OK, doctor.TopicLogin, "xmpps://"+clinic.DirectTLS+" offers X-TOKEN", "")
		})
	}
}

// The daemon removes trial accounts alone.
func TestRemoveTrialIsForTrialAccounts(t *testing.T) {
	c := newClinic(t, prosodytest.Start(t, prosody.Options{}))
	c.adminSocket(t)
	if err := c.Server.Register(t.Context(), "carol", "her own password"); err != nil {
		t.Fatal(err)
	}
	c.run(t)
	client := admin.NewClient(c.Admin)
	defer client.Close()
	if err := client.RemoveTrial(t.Context(), "carol@example.org"); err == nil || !strings.Contains(err.Error(), "is no trial account") {
		t.Errorf("carol: %v", err)
	}
	if has, err := c.Server.HasAccount(t.Context(), "carol"); !has || err != nil {
		t.Errorf("carol has an account: %v, %v", has, err)
	}
	if err := client.RemoveTrial(t.Context(), doctor.TrialPrefix+"nobody@example.org"); err != nil {
		t.Errorf("nobody: %v", err)
	}
}

// What clients meet that know the domain alone.
func TestTrapsOnTheWayOfClients(t *testing.T) {
	server := prosodytest.Start(t, prosody.Options{TLS: true, Servers: true})
	inClear := prosodytest.Start(t, prosody.Options{Servers: true, HostLines: `modules_disabled = { "tls" }`})
	service := func(c *clinic, name string, records ...net.SRV) {
		c.zone.Services["_"+name+"._tcp.example.org."] = records
	}
	for _, c := range []struct {
		trap
		running bool
	}{
		{trap{name: "the record leads to the server", level: doctor.Error, topic: doctor.TopicDNS,
			text: "and not X-TOKEN", hint: "have the record name this machine and port",
			configure: func(t *testing.T, c *clinic) {
				c.zone.Addresses["server.example.org."] = []netip.Addr{netip.MustParseAddr(server.Host())}
				service(c, "xmpp-client", net.SRV{Target: "server.example.org.", Port: port(t, server.DirectTLS)})
				service(c, "xmpps-client", net.SRV{Target: "server.example.org.", Port: port(t, server.DirectTLS)})
			}}, true},
		{trap{name: "the record leads nowhere", level: doctor.Warning, topic: doctor.TopicDNS,
			text: "where no stream can be opened from here", hint: "or try from another network",
			configure: func(_ *testing.T, c *clinic) {
				service(c, "xmpp-client", net.SRV{Target: "chat.example.org.", Port: 1})
			}}, true},
		{trap{name: "a target without an address", level: doctor.Error, topic: doctor.TopicDNS,
			text: "the name nowhere.example.org has no address", hint: "add an A or AAAA record for nowhere.example.org",
			configure: func(_ *testing.T, c *clinic) {
				service(c, "xmpp-client", net.SRV{Target: "nowhere.example.org.", Port: 5222})
			}}, false},
		{trap{name: "no such service", level: doctor.Error, topic: doctor.TopicDNS,
			text: "says that there is no such service", hint: "have the record name this machine",
			configure: func(_ *testing.T, c *clinic) { service(c, "xmpp-client", net.SRV{Target: "."}) }}, false},
		{trap{name: "another port", level: doctor.Warning, topic: doctor.TopicDNS,
			text: "no xmpp:// listener has port 5299", hint: "have the record name this machine and port",
			configure: func(_ *testing.T, c *clinic) {
				service(c, "xmpp-client", net.SRV{Target: "chat.example.org.", Port: 5299})
			}}, false},
		{trap{name: "no record, and another port", level: doctor.Warning, topic: doctor.TopicDNS,
			text: "clients look at port 5222", hint: "add: _xmpp-client._tcp.example.org. IN SRV",
			configure: func(_ *testing.T, c *clinic) { delete(c.zone.Services, "_xmpp-client._tcp.example.org.") }}, false},
		{trap{name: "no record for direct TLS", level: doctor.Warning, topic: doctor.TopicDNS,
			text: "clients do not find the port for direct TLS", hint: "add: _xmpps-client._tcp.example.org. IN SRV",
			configure: func(_ *testing.T, c *clinic) { delete(c.zone.Services, "_xmpps-client._tcp.example.org.") }}, false},
		{trap{name: "a DNS server that fails", level: doctor.Warning, topic: doctor.TopicDNS,
			text: "cannot be looked up", hint: "see the DNS servers",
			configure: func(_ *testing.T, c *clinic) { c.zone.Refuse = true }}, false},
		{trap{name: "a listener for proxies", level: doctor.Skipped, topic: doctor.TopicLogin,
			text: "it is for the trusted proxies, of which this machine is none",
			configure: func(_ *testing.T, c *clinic) {
				c.HTTP = strings.Replace(c.HTTP, c.host, "0.0.0.0", 1)
				c.TrustedProxies = []string{"192.0.2.1"}
			}}, false},
		{trap{name: "other servers", level: doctor.OK, topic: doctor.TopicDNS,
			text:      "leads other servers to " + server.Servers + ", where they can connect",
			configure: func(t *testing.T, c *clinic) { c.federate(t, server.Servers) }}, false},
		{trap{name: "other servers shut out", level: doctor.Warning, topic: doctor.TopicDNS,
			text: "leads other servers to 127.0.0.1:1, where nobody answers", hint: "set c2s_interfaces and component_interfaces alone",
			configure: func(t *testing.T, c *clinic) { c.federate(t, "127.0.0.1:1") }}, false},
		{trap{name: "other servers without encryption", level: doctor.Warning, topic: doctor.TopicDNS,
			text: "No stream features to offer", hint: `do not disable the module "tls"`,
			configure: func(t *testing.T, c *clinic) { c.federate(t, inClear.Servers) }}, false},
		{trap{name: "an authority that nobody trusts", level: doctor.Error, topic: doctor.TopicCertificate,
			text: "throwaway authority", hint: "whole chain",
			configure: func(_ *testing.T, c *clinic) { c.options.Roots = x509.NewCertPool() }}, false},
		{trap{name: "an expired certificate", level: doctor.Error, topic: doctor.TopicCertificate,
			text: "has expired on", hint: "renew it",
			configure: func(t *testing.T, c *clinic) {
				c.certify(t, testcert.Spec{Names: []string{"example.org"}, NotBefore: time.Now().Add(-48 * time.Hour), NotAfter: time.Now().Add(-24 * time.Hour)})
			}}, false},
		{trap{name: "a certificate that expires soon", level: doctor.Warning, topic: doctor.TopicCertificate,
			text: "expires on", hint: "renew it",
			configure: func(t *testing.T, c *clinic) {
				c.certify(t, testcert.Spec{Names: []string{"example.org"}, NotAfter: time.Now().Add(24 * time.Hour)})
			}}, false},
		{trap{name: "a certificate for another name", level: doctor.Error, topic: doctor.TopicCertificate,
			text: "is not for example.org, but for www.example.org", hint: "have example.org added",
			configure: func(t *testing.T, c *clinic) { c.certify(t, testcert.Spec{Names: []string{"www.example.org"}}) }}, false},
		{trap{name: "a public name that the certificate has not", level: doctor.Error, topic: doctor.TopicCertificate,
			text: "is not for chat.example.org", hint: "have chat.example.org added",
			configure: func(_ *testing.T, c *clinic) {
				c.publish()
				c.PublicURLs[0] = strings.Replace(c.PublicURLs[0], "example.org", "chat.example.org", 1)
			}}, true},
		{trap{name: "a path that is not served", level: doctor.Error, topic: doctor.TopicLogin,
			text: "HTTP status 404", hint: "/xmpp-websocket and /http-bind",
			configure: func(_ *testing.T, c *clinic) {
				c.publish()
				c.PublicURLs[0] = strings.Replace(c.PublicURLs[0], "/xmpp-websocket", "/ws", 1)
			}}, true},
		{trap{name: "a web site behind which nobody answers yet", level: doctor.Skipped, topic: doctor.TopicHostMeta,
			text: "host-meta cannot be tried while xtokend does not run",
			configure: func(t *testing.T, c *clinic) {
				c.publish()
				site := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) }))
				t.Cleanup(site.Close)
				c.options.Dial = func(ctx context.Context, network, _ string) (net.Conn, error) {
					return new(net.Dialer).DialContext(ctx, network, site.Listener.Addr().String())
				}
			}}, false},
		{trap{name: "a web site without host-meta", level: doctor.Warning, topic: doctor.TopicHostMeta,
			text: "clients that know the domain alone do not find", hint: "have the web server of example.org pass the path on",
			configure: func(_ *testing.T, c *clinic) { c.publish(); c.options.Dial = nil }}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			clinic := newClinic(t, server)
			clinic.adminSocket(t)
			c.configure(t, clinic)
			if c.running {
				clinic.run(t)
			}
			clinic.examine(t).want(t, c.level, c.topic, c.text, c.hint)
		})
	}
}

// federate has the DNS lead other servers to an address.
func (c *clinic) federate(t *testing.T, address string) {
	t.Helper()
	at, err := netip.ParseAddrPort(address)
	if err != nil {
		t.Fatal(err)
	}
	c.zone.Addresses["federation.example.org."] = []netip.Addr{at.Addr()}
	c.zone.Services["_xmpp-server._tcp.example.org."] = []net.SRV{{Target: "federation.example.org.", Port: at.Port()}}
}

// certify gives the installation another certificate, of an authority that is trusted.
func (c *clinic) certify(t *testing.T, s testcert.Spec) {
	t.Helper()
	pair, err := testcert.New(s)
	if err != nil {
		t.Fatal(err)
	}
	if err := pair.Write(c.CertificateFile(), c.KeyFile(), ""); err != nil {
		t.Fatal(err)
	}
	c.options.Roots = pair.Roots
}
