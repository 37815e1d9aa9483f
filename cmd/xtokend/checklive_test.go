package main

import (
	"context"
	"crypto/rand"
	"crypto/x509"
	"net"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"xtokend/cmd/xtokend/internal/config"
	"xtokend/cmd/xtokend/internal/doctor"
	"xtokend/cmd/xtokend/internal/doctor/dnstest"
	"xtokend/internal/ejabberd"
	"xtokend/internal/ejabberdtest"
	"xtokend/internal/installation"
	"xtokend/internal/prosody"
	"xtokend/internal/prosodytest"
	"xtokend/internal/stockserver"
)

// clinic is an installation to be examined.
type clinic struct {
	*installation.Installation
	host    string // IP address of its listeners
	options doctor.Options
	zone    dnstest.Zone
}

// newClinic makes an installation in front of a server, nil for the host, that is in
// order, and whose daemon does not run.
func newClinic(t *testing.T, server *stockserver.Server) *clinic {
	t.Helper()
	// An address of its own, lest another program takes a port that is free now.
	var random [3]byte
	rand.Read(random[:])
	host := net.IPv4(127, 1+random[0]%254, random[1], 1+random[2]%254)
	i, err := installation.New(t.TempDir(), server, host)
	if err != nil {
		t.Fatal(err)
	}
	c := &clinic{Installation: i, host: host.String()}
	text, err := os.ReadFile(i.AuthorityFile())
	if err != nil {
		t.Fatal(err)
	}
	c.options.Roots = x509.NewCertPool()
	c.options.Roots.AppendCertsFromPEM(text)
	target := "chat." + i.Domain + "."
	c.zone = dnstest.Zone{
		Addresses: map[string][]netip.Addr{target: {netip.MustParseAddr(c.host)}},
		Services: map[string][]net.SRV{
			"_xmpp-client._tcp." + i.Domain + ".":  {{Target: target, Port: port(t, i.StartTLS)}},
			"_xmpps-client._tcp." + i.Domain + ".": {{Target: target, Port: port(t, i.DirectTLS)}},
		},
	}
	return c
}

func port(t *testing.T, address string) uint16 {
	t.Helper()
	at, err := netip.ParseAddrPort(address)
	if err != nil {
		t.Fatal(err)
	}
	return at.Port()
}

// settings loads what the installation writes.
func (c *clinic) settings(t *testing.T) *config.Config {
	t.Helper()
	path, err := c.WriteSettings()
	if err != nil {
		t.Fatal(err)
	}
	cfg, err := config.Load(path, config.Options{Need: config.Everything})
	if err != nil {
		t.Fatal(err)
	}
	return &cfg
}

// examine returns the findings, which hold no secret. Nothing is left on the server.
func (c *clinic) examine(t *testing.T) findings {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if c.options.Resolver == nil {
		c.options.Resolver = dnstest.Resolver(t, c.zone)
	}
	found := findings(examine(ctx, c.settings(t), c.options))
	for _, f := range found {
		for _, secret := range c.Secrets() {
			if strings.Contains(f.Text+f.Hint, secret) {
				t.Errorf("a finding shows a secret: %v", f)
			}
		}
		if (f.Level == doctor.Error || f.Level == doctor.Warning) && f.Hint == "" {
			t.Errorf("no word on what to do: %v", f)
		}
		if name, ok := trialName(f.Text); ok && c.Server != nil {
			if has, err := c.Server.HasAccount(t.Context(), name); has || err != nil {
				t.Errorf("the account %s is there still (%v)", name, err)
			}
		}
	}
	return found
}

// trialName is the name of a trial account in a text.
func trialName(text string) (string, bool) {
	_, rest, ok := strings.Cut(text, doctor.TrialPrefix)
	name, _, at := strings.Cut(rest, "@")
	return doctor.TrialPrefix + name, ok && at
}

type findings []doctor.Finding

// want fails the test if there is no such finding.
func (f findings) want(t *testing.T, level doctor.Level, topic doctor.Topic, text, hint string) {
	t.Helper()
	for _, found := range f {
		if found.Level == level && found.Topic == topic && strings.Contains(found.Text, text) && strings.Contains(found.Hint, hint) {
			return
		}
	}
	t.Errorf("no %s about %s with %q and the hint %q in:\n%s", level, topic, text, hint, f)
}

// wantGood fails the test if anything is not in order.
func (f findings) wantGood(t *testing.T) {
	t.Helper()
	for _, found := range f {
		if found.Level == doctor.Error || found.Level == doctor.Warning {
			t.Errorf("%s: %s: %s (%s)", found.Level, found.Topic, found.Text, found.Hint)
		}
	}
}

func (f findings) String() string {
	var b strings.Builder
	for _, found := range f {
		b.WriteString(string(found.Level) + ": " + string(found.Topic) + ": " + found.Text + " (" + found.Hint + ")\n")
	}
	return b.String()
}

// An installation that is in order has nothing to complain of, and every way to log in
// is tried.
func TestCheckLiveFindsNothingWrong(t *testing.T) {
	for name, start := range map[string]func() *stockserver.Server{
		"Prosody": func() *stockserver.Server { return prosodytest.Start(t, prosody.Options{}) },
		"ejabberd": func() *stockserver.Server {
			return ejabberdtest.Start(t, ejabberd.Options{Modules: map[string]any{"mod_time": map[string]any{}}})
		},
		"the host": func() *stockserver.Server { return nil },
	} {
		t.Run(name, func(t *testing.T) {
			c := newClinic(t, start())
			found := c.examine(t)
			found.wantGood(t)
			found.want(t, doctor.OK, doctor.TopicPorts, "the ports of the settings are free", "")
			for _, route := range []string{
				"xmpp://" + c.StartTLS, "xmpps://" + c.DirectTLS,
				"http://" + c.HTTP + " (WebSocket)", "http://" + c.HTTP + " (BOSH)", "https://" + c.HTTPS + " (WebSocket)", "https://" + c.HTTPS + " (BOSH)",
			} {
				found.want(t, doctor.OK, doctor.TopicLogin, "a token logs in at "+route+", in ", "")
			}
			found.want(t, doctor.OK, doctor.TopicCertificate, "is good for "+c.Domain, "")
			found.want(t, doctor.OK, doctor.TopicDNS, "_xmpp-client._tcp."+c.Domain, "")
			found.want(t, doctor.OK, doctor.TopicDNS, "_xmpps-client._tcp."+c.Domain, "")
			if c.Server != nil {
				found.want(t, doctor.OK, doctor.TopicServer, "SCRAM-SHA-1", "")
				found.want(t, doctor.OK, doctor.TopicLink, "makes and changes accounts", "")
				found.want(t, doctor.OK, doctor.TopicTime, "agree", "")
				found.want(t, doctor.OK, doctor.TopicAccounts, "nothing is left of the trial account", "")
			}
		})
	}
}

// Nothing is left behind by an examination that is broken off when it has made its
// account.
func TestCheckLiveInterrupted(t *testing.T) {
	c := newClinic(t, prosodytest.Start(t, prosody.Options{}))
	ctx, interrupt := context.WithCancel(t.Context())
	defer interrupt()
	c.options.Resolver = dnstest.Resolver(t, c.zone)
	c.options.Now = func() time.Time { // first asked for the certificate, on the way to the first login
		interrupt()
		return time.Now()
	}
	found := findings(examine(ctx, c.settings(t), c.options))
	found.want(t, doctor.Error, doctor.TopicSettings, "was ended before everything was looked at", "run it again")
	found.want(t, doctor.OK, doctor.TopicLink, "makes and changes accounts", "")
	for _, f := range found {
		if name, ok := trialName(f.Text); ok {
			if has, err := c.Server.HasAccount(t.Context(), name); has || err != nil {
				t.Errorf("the account %s is there still (%v)", name, err)
			}
			return
		}
	}
	t.Errorf("no word on the trial account in:\n%s", found)
}
