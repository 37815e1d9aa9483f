package e2e

import (
	"bytes"
	"encoding/json"
	"net"
	"os/exec"
	"strconv"
	"testing"
)

// slixmpp knows no X-TOKEN: it logs in by PLAIN, with the token as password.
func TestTwoUsersOfSlixmppChat(t *testing.T) {
	onEachUpstream(t, func(t *testing.T, behind upstream) {
		s := newSiteOn(t, behind, nil)
		for _, to := range s.tcpServices() {
			t.Run(to.name, func(t *testing.T) { s.slixmpp(t, to) })
		}
	})
}

// slixmpp plays testdata/slixmpp_chat.py. Debian's slixmpp is a module of Debian's
// own Python.
func (s *site) slixmpp(t *testing.T, to service) {
	t.Helper()
	host, port, err := net.SplitHostPort(to.address)
	if err != nil {
		t.Fatal(err)
	}
	number, err := strconv.Atoi(port)
	if err != nil {
		t.Fatal(err)
	}
	settings, err := json.Marshal(map[string]any{
		"host":       host,
		"port":       number,
		"direct_tls": to.scheme == "xmpps",
		"authority":  s.AuthorityFile(),
		"domain":     domain,
		"passwords":  map[string]string{"alice": s.issuer.token("alice"), "bob": s.issuer.token("bob")},
	})
	if err != nil {
		t.Fatal(err)
	}
	chat := exec.CommandContext(s.ctx, "/usr/bin/python3", "testdata/slixmpp_chat.py")
	chat.Stdin = bytes.NewReader(settings)
	if written, err := chat.CombinedOutput(); err != nil {
		t.Fatalf("slixmpp: %v\n%s", err, written)
	}
}
