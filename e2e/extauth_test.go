package e2e

import (
	"encoding/json"
	"os"
	"regexp"
	"strings"
	"testing"

	"xtokend/internal/ejabberd"
	"xtokend/internal/ejabberdtest"
	"xtokend/internal/stockserver"
)

// askedSite is an xtokend that has no clients, but for the questions of a server.
func askedSite(t *testing.T, configure func(*site)) *site {
	t.Helper()
	return newSiteBehind(t, nil, func(s *site) {
		s.Edit = func(settings map[string]any) {
			delete(settings, "listen")
			domain := settings["domain"].([]map[string]any)[0]
			delete(domain, "host")
			domain["upstream"] = "none"
		}
		if configure != nil {
			configure(s)
		}
	})
}

var yamlLine = regexp.MustCompile(`^([a-z_]+): (.*?) *(?:#.*)?$`)

// guideSettings are those for ejabberd in the guide, each of which is JSON too.
func guideSettings(t *testing.T) map[string]any {
	t.Helper()
	guide, err := os.ReadFile("../doc/extauth.md")
	if err != nil {
		t.Fatal(err)
	}
	_, lines, begun := strings.Cut(string(guide), "```yaml\n")
	lines, _, ended := strings.Cut(lines, "```\n")
	if !begun || !ended {
		t.Fatal("the guide has no settings for ejabberd")
	}
	settings := make(map[string]any)
	for line := range strings.Lines(lines) {
		found := yamlLine.FindStringSubmatch(strings.TrimSuffix(line, "\n"))
		var value any
		if found == nil || json.Unmarshal([]byte(found[2]), &value) != nil {
			t.Fatalf("the guide has the line %q", line)
		}
		settings[found[1]] = value
	}
	return settings
}

// askingEjabberd is one whose clients are its own, and which asks s about them as the
// guide has it, but for what change does.
func askingEjabberd(t *testing.T, s *site, change func(settings map[string]any)) *stockserver.Server {
	t.Helper()
	settings := guideSettings(t)
	const program = "/usr/local/bin/xtokend extauth --socket /run/xtokend/admin.sock"
	if settings["extauth_program"] != program {
		t.Fatalf("the guide has the program %v", settings["extauth_program"])
	}
	settings["extauth_program"] = s.program + " extauth --socket " + s.Admin
	if change != nil {
		change(settings)
	}
	return ejabberdtest.Start(t, ejabberd.Options{TLS: true, TopLevel: settings})
}

// logInStraight logs in to a server without xtokend between, by PLAIN.
func (s *site) logInStraight(stock *stockserver.Server, authcid, token string) (*stream, error) {
	config := s.tls.Clone()
	config.RootCAs = stock.Roots()
	c, err := dialStream(s.ctx, service{name: "its own", scheme: "xmpps", address: stock.DirectTLS}, config)
	if err != nil {
		return nil, err
	}
	c.private = s.private
	s.t.Cleanup(c.close)
	if _, err := c.open(); err != nil {
		return nil, err
	}
	return c, c.authenticate("PLAIN", authcid, token)
}

func TestEjabberdAsksAboutItsOwnClients(t *testing.T) {
	s := askedSite(t, func(s *site) {
		edit := s.Edit
		s.Edit = func(settings map[string]any) {
			edit(settings)
			settings["domain"].([]map[string]any)[0]["fold_case"] = true
		}
	})
	stock := askingEjabberd(t, s, nil)
	for _, authcid := range []string{"alice", "jürgen"} {
		token := s.issuer.token(authcid)
		c, err := s.logInStraight(stock, authcid, token)
		if err != nil {
			t.Fatalf("%s: %v", authcid, err)
		}
		if bound, err := c.bind(); err != nil || bareJID(bound) != authcid+"@"+domain {
			t.Errorf("%s is bound to %q, %v", authcid, bound, err)
		}
		if _, err := s.logInStraight(stock, authcid, token); err != saslFailure("not-authorized") {
			t.Errorf("%s with the same token again: %v", authcid, err)
		}
	}
	for name, try := range map[string]struct{ authcid, token string }{
		"somebody else's token": {"alice", s.issuer.token("bob")},
		// ejabberd asks about the prepared name, so that the one which was signed is not known.
		"a token for the name in capitals": {"ALICE", s.issuer.token("ALICE")},
		"a password":                       {"alice", "correct horse"},
		"a token that is too old":          {"alice", s.issuer.issue(request{Authcid: "alice", Domain: domain, Ahead: -300})},
		"another domain's token":           {"alice", s.issuer.issue(request{Authcid: "alice", Domain: "example.com"})},
	} {
		if _, err := s.logInStraight(stock, try.authcid, try.token); err != saslFailure("not-authorized") {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, line := range []string{
		"msg=authenticated transport=extauth domain=example.org user=jürgen@example.org mechanism=PLAIN",
		"transport=extauth domain=example.org reason=replayed condition=not-authorized mechanism=PLAIN user=alice@example.org",
		"transport=extauth domain=example.org reason=expired condition=credentials-expired",
		"transport=extauth domain=example.org reason=bad-signature",
		"transport=extauth domain=example.org reason=malformed",
	} {
		s.awaitLog(line, 0)
	}

	// The server gets over xtokend's restart, and the token is still spent then.
	spent := s.issuer.token("alice")
	if _, err := s.logInStraight(stock, "alice", spent); err != nil {
		t.Fatal(err)
	}
	s.stopFront()
	if _, err := s.logInStraight(stock, "alice", s.issuer.token("alice")); err != saslFailure("not-authorized") {
		t.Errorf("while xtokend is down: %v", err)
	}
	s.startFront()
	if _, err := s.logInStraight(stock, "alice", spent); err != saslFailure("not-authorized") {
		t.Errorf("a spent token after the restart: %v", err)
	}
	if _, err := s.logInStraight(stock, "alice", s.issuer.token("alice")); err != nil {
		t.Errorf("after the restart: %v", err)
	}
}

// ejabberd keeps passwords that were right, and takes them again without asking: this is
// why the guide has auth_use_cache. If it stops doing so the guide can be shorter.
func TestEjabberdTakesATokenAgainFromItsCache(t *testing.T) {
	s := askedSite(t, nil)
	stock := askingEjabberd(t, s, func(settings map[string]any) { delete(settings, "auth_use_cache") })
	token := s.issuer.token("alice")
	for range 2 {
		if _, err := s.logInStraight(stock, "alice", token); err != nil {
			t.Fatal(err)
		}
	}
	if n := strings.Count(string(s.front.log.Bytes()), "msg=authenticated"); n != 1 {
		t.Errorf("xtokend was asked %d times", n)
	}
}

// A message to somebody who is offline waits if the user exists, and comes back if not.
func TestEjabberdAsksWhoExists(t *testing.T) {
	s := askedSite(t, func(s *site) {
		path := s.Dir + "/users"
		if err := os.WriteFile(path, []byte("alice\nBob@example.org\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		edit := s.Edit
		s.Edit = func(settings map[string]any) {
			edit(settings)
			settings["domain"].([]map[string]any)[0]["users_file"] = path
		}
	})
	stock := askingEjabberd(t, s, nil)
	alice, err := s.logInStraight(stock, "alice", s.issuer.token("alice"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := alice.bind(); err != nil {
		t.Fatal(err)
	}
	for _, to := range []string{"bob", "nobody"} {
		if err := alice.write("<message xmlns='jabber:client' type='chat' id='%s' to='%s@%s'><body>are you there?</body></message>", to, to, domain); err != nil {
			t.Fatal(err)
		}
	}
	bounced, err := alice.read()
	if err != nil || bounced.attribute("id") != "nobody" || bounced.attribute("type") != "error" {
		t.Errorf("back comes %v, %v", bounced, err)
	}
	bob, err := s.logInStraight(stock, "bob", s.issuer.token("bob"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := bob.bind(); err != nil {
		t.Fatal(err)
	}
	if err := bob.write("<presence xmlns='jabber:client'/>"); err != nil {
		t.Fatal(err)
	}
	for {
		e, err := bob.read()
		if err != nil {
			t.Fatal(err)
		}
		if e.XMLName.Local == "message" && e.attribute("id") == "bob" {
			break
		}
	}
}
