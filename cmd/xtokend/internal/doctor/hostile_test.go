package doctor_test

import (
	"net"
	"slices"
	"strings"
	"testing"
	"unicode"

	"go.uber.org/goleak"

	"xtokend/cmd/xtokend/internal/config"
	"xtokend/cmd/xtokend/internal/doctor"
	"xtokend/cmd/xtokend/internal/doctor/dnstest"
	"xtokend/internal/peertest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	header   = "<?xml version='1.0'?><stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' id='1' from='localhost' version='1.0'>"
	features = "<stream:features><mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><mechanism>%</mechanism></mechanisms></stream:features>"
)

// Whatever a server says, there is one finding of it, in a text that is fit for a
// terminal and has a bound.
func TestHostileServers(t *testing.T) {
	for _, c := range []struct {
		name, says, text string
	}{
		{"nothing", "", "the connection was closed"},
		{"no XML", "SSH-2.0-OpenSSH_9.2\r\n", "xmlsplit"},
		{"another XML", "<html><body/></html>", "no XMPP stream"},
		{"a stream for servers", strings.Replace(header, "jabber:client", "jabber:server", 1), "a stream of another kind"},
		{"an endless element", header + "<stream:features>" + strings.Repeat("<a/>", 200_000), "too long"},
		{"too deep an element", header + strings.Repeat("<a>", 100), "too deep"},
		{"an entity", header + "<!DOCTYPE a [<!ENTITY b 'c'>]>", "restricted"},
		{"a long stream error", header + "<stream:error><host-unknown xmlns='urn:ietf:params:xml:ns:xmpp-streams'/><text xmlns='urn:ietf:params:xml:ns:xmpp-streams'>" +
			strings.Repeat("x", 10_000) + "</text></stream:error>", "host-unknown"},
		{"control characters", header + strings.Replace(features, "%", "\u009b31m&#x85;\nFAKE", 1), "offers no SCRAM-SHA-1"},
		{"a long mechanism", header + strings.Replace(features, "%", strings.Repeat("M", 100_000), 1), "offers no SCRAM-SHA-1"},
		{"another element", header + "<message/>", "expected <features/>"},
	} {
		t.Run(c.name, func(t *testing.T) {
			address := peertest.Serve(t, func(p *peertest.Peer) {
				p.Expect("<stream:stream[^>]*>")
				p.Send(c.says)
			})
			domain := &config.Domain{Name: "localhost", Upstream: config.UpstreamServer, Mechanisms: []string{"X-TOKEN"}}
			domain.Server = config.Server{Addresses: []string{address}, TLS: config.Plaintext, Accounts: config.AccountsExisting}
			found := doctor.Examine(t.Context(), doctor.Options{
				Domains:  []doctor.Domain{{Domain: domain, NoLogin: "nothing is served"}},
				Resolver: dnstest.Resolver(t, dnstest.Zone{}),
			})
			var said []string
			for _, f := range found {
				if f.Topic != doctor.TopicServer || f.Level != doctor.Error {
					continue
				}
				said = append(said, f.Text)
				if strings.ContainsFunc(f.Text, func(r rune) bool { return !unicode.IsPrint(r) }) || len(f.Text) > 4000 || f.Hint == "" {
					t.Errorf("%.200q, hint %q", f.Text, f.Hint)
				}
			}
			if len(said) != 1 || !strings.Contains(said[0], c.text) {
				t.Errorf("found %.300q, want one with %q", said, c.text)
			}
		})
	}
}

// A Redis that nobody has started is named, and one that is there.
func TestRedis(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	found := doctor.Examine(t.Context(), doctor.Options{Redis: []string{l.Addr().String(), "127.0.0.1:1"}, Resolver: dnstest.Resolver(t, dnstest.Zone{})})
	var got []string
	for _, f := range found {
		if f.Topic == doctor.TopicReplay {
			got = append(got, string(f.Level)+" "+f.Text)
		}
	}
	want := []string{"ok somebody answers at " + l.Addr().String() + ", where Redis should be", "error 127.0.0.1:1: dial: connect: connection refused"}
	if !slices.Equal(got, want) {
		t.Errorf("found %q, want %q", got, want)
	}
}

// A port that is taken, by whatever keeps silent about itself, is named.
func TestTakenPort(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	at := l.Addr().(*net.TCPAddr).AddrPort()
	for _, scheme := range []config.Scheme{config.HTTP, config.HTTPS} {
		found := doctor.Examine(t.Context(), doctor.Options{
			Listeners: []config.Listener{{Scheme: scheme, Address: at, Loopback: true}}, Resolver: dnstest.Resolver(t, dnstest.Zone{}),
		})
		if len(found) != 1 || found[0].Level != doctor.Error || found[0].Topic != doctor.TopicPorts || !strings.Contains(found[0].Hint, "http_ports") {
			t.Errorf("%s: %v", scheme, found)
		}
	}
}
