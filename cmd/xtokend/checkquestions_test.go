package main

import (
	"encoding/base64"
	"net"
	"strings"
	"testing"
	"time"

	"xtokend/auth"
	"xtokend/cmd/xtokend/internal/doctor"
	"xtokend/internal/stockserver"
)

// keepClientsElsewhere gives the domain's clients to another server, which asks.
func (c *clinic) keepClientsElsewhere(t *testing.T) (at string) {
	t.Helper()
	if err := stockserver.FreeAddresses(c.host, &at); err != nil {
		t.Fatal(err)
	}
	c.Edit = func(settings map[string]any) {
		domain := settings["domain"].([]map[string]any)[0]
		domain["upstream"] = "none"
		delete(domain, "host")
		delete(settings, "listen")
		settings["http_auth"] = map[string]any{"listen": "http://" + at, "bearer_secret": bearerSecret}
	}
	return at
}

// A domain whose clients another server has is asked about as that server asks.
func TestCheckLiveAsksWhereOthersHaveTheClients(t *testing.T) {
	const answered = "says yes to a good token, and no to the same one again"
	t.Run("the running daemon", func(t *testing.T) {
		c := newClinic(t, nil)
		c.adminSocket(t)
		at := c.keepClientsElsewhere(t)
		c.run(t)
		found := c.examine(t)
		found.wantGood(t)
		found.want(t, doctor.OK, doctor.TopicLogin, "xtokend "+answered, "")
		found.want(t, doctor.OK, doctor.TopicLogin, "http://"+at+" "+answered, "")
		if strings.Contains(found.String(), bearerSecret) {
			t.Error("a finding shows the secret")
		}
	})
	t.Run("before it runs", func(t *testing.T) {
		c := newClinic(t, nil)
		c.keepClientsElsewhere(t)
		found := c.examine(t)
		found.wantGood(t)
		found.want(t, doctor.OK, doctor.TopicLogin, "xtokend "+answered, "")
		found.want(t, doctor.OK, doctor.TopicPorts, "are free", "")
	})
	t.Run("a daemon with another key and another secret", func(t *testing.T) {
		c := newClinic(t, nil)
		c.adminSocket(t)
		at := c.keepClientsElsewhere(t)
		c.run(t)
		before := c.Edit
		c.Edit = func(settings map[string]any) {
			before(settings)
			settings["http_auth"].(map[string]any)["bearer_secret"] = strings.Repeat("another", 6)
			settings["domain"].([]map[string]any)[0]["key"].([]map[string]any)[0]["token_secret"] = strings.Repeat("7", 32)
		}
		found := c.examine(t)
		found.want(t, doctor.Error, doctor.TopicLogin, "xtokend refuses a good token", "reload xtokend")
		found.want(t, doctor.Error, doctor.TopicLogin, "http://"+at+" does not answer about a token: HTTP status 401", "systemctl restart xtokend")
	})
	t.Run("a port that another program has", func(t *testing.T) {
		c := newClinic(t, nil)
		at := c.keepClientsElsewhere(t)
		l, err := net.Listen("tcp", at)
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		c.examine(t).want(t, doctor.Error, doctor.TopicPorts, "http_auth.listen: "+at+" cannot be opened", "another port")
	})
}

// The front that stands in for a daemon takes no token of a user's: it would be good
// at the daemon again.
func TestStandInTakesNoTokenOfAUser(t *testing.T) {
	c := newClinic(t, nil)
	cfg := c.settings(t)
	check := &liveCheck{cfg: cfg, options: c.options}
	defer check.close()
	if found := check.prepare(t.Context()); len(found) > 0 {
		t.Fatal(found)
	}
	name, err := auth.PrepareName("alice")
	if err != nil {
		t.Fatal(err)
	}
	token, err := issue(&cfg.Domains[0], name, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	s := dial(t, check.options.Targets[0].Address)
	inquire(t, s, "<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' to='example.org' version='1.0'>", "</stream:features>")
	message := base64.StdEncoding.EncodeToString([]byte("\x00alice\x00" + token))
	answer := inquire(t, s, "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='X-TOKEN'>"+message+"</auth>", ">")
	if !strings.Contains(answer, "<failure ") {
		t.Errorf("it answers %s", answer)
	}
}
