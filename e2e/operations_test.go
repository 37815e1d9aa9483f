package e2e

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const loremIpsum = "Lorem ipsum dolor sit amet"

// An administrator sees who is logged in, ends a user's sessions for good, and
// takes a node out of service without ending anybody else's.
func TestOperations(t *testing.T) {
	onEachUpstream(t, func(t *testing.T, behind upstream) {
		s := newSiteOn(t, behind, nil)
		s.mustAsk(t, "/healthz", 200)
		s.mustAsk(t, "/readyz", 200)
		if info, err := os.Stat(s.Admin); err != nil || info.Mode() != fs.ModeSocket|0o660 {
			t.Errorf("the socket has mode %v, %v", info.Mode(), err)
		}

		bob := s.mustBind("bob", s.service("xmpps"))
		services := s.allServices()
		var alice []*stream
		var addresses []string
		for _, to := range services {
			stream := s.mustOpen(to)
			if err := stream.authenticate("X-TOKEN", "alice", s.issuer.token("alice")); err != nil {
				t.Fatal(err)
			}
			address, err := stream.bind()
			if err != nil {
				t.Fatal(err)
			}
			if !to.bosh() {
				s.enable(t, stream)
			}
			alice, addresses = append(alice, stream), append(addresses, address)
		}
		used := s.issuer.token("bob")
		s.mustLogIn("bob", used)
		s.mustRefuse("bob", used, "not-authorized")
		s.say(t, bob, "alice")

		s.seeSessions(t, services)
		s.seeMetrics(t, behind)
		s.seeStatus(t, behind)
		s.revoke(t, alice)
		for _, address := range addresses { // a session that waits to be resumed would be silent
			if answer := askFor(t, bob, address); answer.attribute("type") != "error" {
				t.Errorf("%s answers %v", address, answer)
			}
		}
		s.ping(t, bob)
		s.drain(t, bob)
	})
}

// enable makes a session resumable, and its id a secret.
func (s *site) enable(t *testing.T, of *stream) {
	t.Helper()
	if err := of.write("<enable xmlns='%s' resume='true'/>", nsSM); err != nil {
		t.Fatal(err)
	}
	answer, err := of.read()
	if err != nil || !answer.is(nsSM, "enabled") {
		t.Fatalf("<enable/> is answered by %v, %v", answer, err)
	}
}

// say sends a message with a body that nobody else may see.
func (s *site) say(t *testing.T, from *stream, to string) {
	t.Helper()
	if err := from.write("<message xmlns='jabber:client' type='chat' to='%s@%s'><body>%s</body></message>", to, domain, loremIpsum); err != nil {
		t.Fatal(err)
	}
	s.ping(t, from)
}

// ping returns when the server has answered one.
func (s *site) ping(t *testing.T, of *stream) {
	t.Helper()
	if answer := askFor(t, of, domain); answer.attribute("from") != domain && answer.attribute("from") != "" {
		t.Errorf("a ping is answered by %v", answer)
	}
}

// askFor asks an address for a ping and returns the answer, an error or not.
func askFor(t *testing.T, of *stream, to string) element {
	t.Helper()
	if err := of.write("<iq xmlns='jabber:client' type='get' id='asked' to='%s'><ping xmlns='urn:xmpp:ping'/></iq>", to); err != nil {
		t.Fatal(err)
	}
	for {
		e, err := of.read()
		if err != nil {
			t.Fatal(err)
		}
		if e.attribute("id") == "asked" {
			return e
		}
	}
}

func (s *site) seeSessions(t *testing.T, services []service) {
	t.Helper()
	transports := map[string]string{
		"xmpp": "tcp+starttls", "xmpps": "tcp+tls", "ws": "websocket", "wss": "websocket+tls", "http": "bosh", "https": "bosh+tls",
	}
	var got []struct {
		User, Address, Transport, Mechanism string
		FromClient                          int `json:"bytes_from_client"`
		ToClient                            int `json:"bytes_to_client"`
	}
	text, _ := s.command(t, 0, "sessions", "--json")
	if err := json.Unmarshal([]byte(text), &got); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	var want []string
	for _, to := range services {
		want = append(want, transports[to.scheme])
	}
	var seen []string
	for _, session := range got {
		if session.Mechanism != "X-TOKEN" || !net.ParseIP(session.Address).IsLoopback() || session.FromClient == 0 || session.ToClient == 0 {
			t.Errorf("a session is said to be %+v", session)
		}
		if session.User == "alice@"+domain {
			seen = append(seen, session.Transport)
		}
	}
	if !slices.Equal(seen, want) {
		t.Errorf("alice's sessions are %q, want %q", seen, want)
	}
	if table, _ := s.command(t, 0, "sessions"); !strings.HasPrefix(table, "USER ") || strings.Count(table, "alice@"+domain) != len(want) {
		t.Errorf("the table is\n%s", table)
	}
}

func (s *site) seeMetrics(t *testing.T, behind upstream) {
	t.Helper()
	text := s.mustAsk(t, "/metrics", 200)
	lines := []string{
		`xtokend_logins_total{domain="example.org",mechanism="X-TOKEN",reason="ok",transport="bosh+tls"} 1`,
		`xtokend_logins_total{domain="example.org",mechanism="X-TOKEN",reason="replayed",transport="tcp+starttls"} 1`,
		`xtokend_sessions{domain="example.org",transport="websocket"} 1`,
		`xtokend_key_used_total{domain="example.org",key="0"} 8`,
		`xtokend_token_skew_seconds_count{domain="example.org"} 8`,
		`xtokend_upstream_up{domain="example.org"} 1`,
		"xtokend_replay_store_up 1",
		`xtokend_replay_store_duration_seconds_count{operation="use"} 9`,
		"xtokend_panics_total 0",
		"xtokend_draining 0",
	}
	if behind != builtInHost {
		lines = append(lines, `xtokend_component_link_up{domain="example.org"} 1`)
	}
	for _, line := range lines {
		if !strings.Contains(text, line+"\n") {
			t.Errorf("the metrics lack %s", line)
		}
	}
	if strings.Contains(text, "alice") || strings.Contains(text, "127.0.0.1") {
		t.Error("the metrics hold a user's name or an address")
	}
	if t.Failed() {
		t.Log(text)
	}
}

func (s *site) seeStatus(t *testing.T, behind upstream) {
	t.Helper()
	text, _ := s.command(t, 0, "status")
	kind, link := "host", ""
	if behind != builtInHost {
		kind, link = "server", ", component link: up"
	}
	for _, line := range []string{
		"ready", "domain: example.org, " + kind + ": up" + link, "sessions: 7, not logged in yet: 0", "replay store: file, up", "logins: 8 accepted, 1 refused",
	} {
		if !strings.Contains(text, "\n"+line+"\n") {
			t.Errorf("the status lacks %q:\n%s", line, text)
		}
	}
}

// revoke ends alice's sessions, and her unused token.
func (s *site) revoke(t *testing.T, alice []*stream) {
	t.Helper()
	unused := s.issuer.token("alice")
	text, _ := s.command(t, 0, "revoke", "ALICE@"+domain)
	if want := fmt.Sprintf("revoked: alice@%s, sessions ended: %d\n", domain, len(alice)); text != want {
		t.Errorf("revoking says %q, want %q", text, want)
	}
	for i, stream := range alice {
		for {
			_, err := stream.read()
			if err == nil {
				continue
			}
			if reason := streamError(""); !errors.As(err, &reason) || reason != "reset" && reason != "remote-stream-error" {
				t.Errorf("session %d ended with %v", i, err)
			}
			stream.close()
			break
		}
	}
	s.mustRefuse("alice", unused, "credentials-expired")
	for user, why := range map[string]string{
		"alice": "that is no user's address", "alice@example.net": "example.net is not served here",
		"alice@" + domain + "/home": "the address has a resource", "strauß@" + domain: "nobody can log in by that name",
	} {
		if _, complaint := s.command(t, 2, "revoke", user); !strings.Contains(complaint, "xtokend: error: "+why) {
			t.Errorf("revoking %s says %q", user, complaint)
		}
	}
	for offset := 0; len(alice) > 0; alice = alice[1:] {
		s.awaitLog("reason=reset", offset)
		offset += bytes.Index(s.front.log.Bytes()[offset:], []byte("reason=reset")) + 1
	}
}

// drain takes the node out of service, while bob goes on.
func (s *site) drain(t *testing.T, bob *stream) {
	t.Helper()
	if text, _ := s.command(t, 0, "drain"); text != "draining, sessions left: 1\n" {
		t.Errorf("draining says %q", text)
	}
	if text := s.mustAsk(t, "/readyz", 503); text != "draining: nobody new is let in\n" {
		t.Errorf("/readyz says %q", text)
	}
	for _, to := range s.allServices() {
		if stream, err := s.open(to); err == nil {
			stream.close()
			t.Errorf("%s lets somebody in", to.name)
		}
	}
	if text, _ := s.command(t, 0, "status"); !strings.Contains(text, "\nnot ready: draining: nobody new is let in\n") {
		t.Errorf("the status is\n%s", text)
	}
	if text, _ := s.command(t, 0, "drain"); text != "draining already, sessions left: 1\n" {
		t.Errorf("draining again says %q", text)
	}
	s.ping(t, bob)
	waiting := startProcess(t, "xtokend drain", exec.Command(s.program, "drain", "--wait", "--socket", s.Admin))
	if err := waiting.log.Wait(s.ctx, "sessions left: 1", 0); err != nil {
		t.Fatal(err)
	}
	if err := bob.end(); err != nil {
		t.Fatal(err)
	}
	if status := waiting.wait(s.ctx, t); status != 0 {
		t.Errorf("drain --wait ended with exit status %d", status)
	}
}

// A node whose server is gone says so, and not for ever: only a login can find
// out that it is back.
func TestReadiness(t *testing.T) {
	onEachServer(t, func(t *testing.T, behind upstream) {
		s := newSiteOn(t, behind, nil)
		s.mustLogIn("alice", s.issuer.token("alice"))
		if err := s.Server.Stop(s.ctx); err != nil {
			t.Fatal(err)
		}
		s.mustRefuse("alice", s.issuer.token("alice"), "temporary-auth-failure")
		if text := s.mustAsk(t, "/readyz", 503); text != "the server of "+domain+" does not answer\n" {
			t.Errorf("/readyz says %q", text)
		}
		s.mustAsk(t, "/healthz", 200)
		if text := s.mustAsk(t, "/metrics", 200); !strings.Contains(text, `xtokend_upstream_up{domain="example.org"} 0`+"\n") {
			t.Error("the metrics have the server up")
		}
		s.restartServer()
		s.mustLogIn("alice", s.issuer.token("alice"))
		s.mustAsk(t, "/readyz", 200)
	})
}
