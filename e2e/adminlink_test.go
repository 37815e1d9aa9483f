package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"xtokend/internal/installation"
	"xtokend/internal/prosody"
	"xtokend/internal/prosodytest"
)

// An administrator asks, ends a user's sessions and revokes a user in slixmpp;
// everybody else may not.
func TestAdminsUseTheCommandsOfTheComponentLink(t *testing.T) {
	onEachServer(t, func(t *testing.T, behind upstream) {
		s := newSiteOn(t, behind, func(s *site) { s.Admins = []string{"ops@" + domain} })
		s.administer(t, "admin", []string{s.Server.ComponentName}, []string{s.DirectTLS}, map[string]int{"ops": 1, "alice": 3})
		for _, told := range []string{"revoked by an admin", "sessions ended by an admin", "admin=ops@" + domain} {
			s.awaitLog(told, 0)
		}
	})
}

// Two nodes are two components of one server. What an administrator asks of one
// concerns that one.
func TestAdminsAskOneOfTwoComponentLinks(t *testing.T) {
	program, err := xtokend()
	if err != nil {
		t.Fatal(err)
	}
	const first, second = "xtoken.example.org", "xtoken2.example.org"
	server := prosodytest.Start(t, prosody.Options{
		TLS: true, NotAdmin: true, GlobalLines: noOtherServers, HostLines: `admins = { "` + first + `", "` + second + `" }`,
		MoreHosts: `Component "` + second + `"` + "\ncomponent_secret = \"the-secret-of-the-second\"\n",
	})
	i, err := installation.New(t.TempDir(), server, loopbackHost())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), testTimeout)
	t.Cleanup(cancel)
	s := newSite(ctx, t, i, program)
	s.tls, s.issuer = s.clientTLS(), newIssuer(t, i, "")
	s.Admins, s.LogLevel = []string{"ops@" + domain}, "debug"
	s.forbid(i.Secrets)
	t.Cleanup(s.checkLogs)
	s.startFront()

	written, err := s.WriteSettings()
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(written)
	if err != nil {
		t.Fatal(err)
	}
	direct := freeAddress(t)
	other := strings.NewReplacer(s.DirectTLS, direct, s.StartTLS, freeAddress(t), s.HTTP, freeAddress(t), s.HTTPS, freeAddress(t),
		s.Metrics, freeAddress(t),
		first, second, server.ComponentSecret, "the-secret-of-the-second", "replay.db", "replay2.db").Replace(string(text))
	settings := filepath.Join(s.Dir, "second.toml")
	if err := os.WriteFile(settings, []byte(other), 0o600); err != nil {
		t.Fatal(err)
	}
	node := startProcess(t, "the second xtokend", exec.Command(s.program, "serve", "--config", settings))
	s.fronts = append(s.fronts, node)
	for _, wanted := range []string{"msg=ready", linkUp} {
		if err := node.log.Wait(s.ctx, wanted, 0); err != nil {
			t.Fatal(err)
		}
	}
	s.administer(t, "two links", []string{first, second}, []string{s.DirectTLS, direct}, map[string]int{"ops": 1, "bob": 1})
}

// administer plays testdata/slixmpp_admin.py with as many tokens of each user as
// there are to be logins.
func (s *site) administer(t *testing.T, play string, components, nodes []string, logins map[string]int) {
	t.Helper()
	version, err := exec.Command(s.program, "version").Output()
	if err != nil {
		t.Fatal(err)
	}
	tokens := make(map[string][]string)
	for user, n := range logins {
		for range n {
			tokens[user] = append(tokens[user], s.issuer.token(user))
		}
	}
	var addresses [][]any
	for _, node := range nodes {
		address, err := net.ResolveTCPAddr("tcp", node)
		if err != nil {
			t.Fatal(err)
		}
		addresses = append(addresses, []any{address.IP.String(), address.Port})
	}
	settings, err := json.Marshal(map[string]any{
		"play": play, "domain": domain, "authority": s.AuthorityFile(), "components": components, "nodes": addresses, "tokens": tokens,
		"version": strings.TrimPrefix(strings.SplitN(string(version), "\n", 2)[0], "xtokend "),
	})
	if err != nil {
		t.Fatal(err)
	}
	client := exec.CommandContext(s.ctx, "/usr/bin/python3", "testdata/slixmpp_admin.py")
	client.Stdin = bytes.NewReader(settings)
	if written, err := client.CombinedOutput(); err != nil {
		t.Fatalf("slixmpp: %v\n%s", err, written)
	}
}
