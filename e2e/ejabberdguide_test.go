package e2e

import (
	"os"
	"strings"
	"testing"

	"mellium.im/xmpp/jid"

	"xtokend/component/server"
	"xtokend/internal/ejabberd"
	"xtokend/internal/ejabberdtest"
	"xtokend/internal/stockserver"
)

func TestTheLinesOfTheGuideServe(t *testing.T) {
	guide, err := os.ReadFile("../doc/ejabberd.md")
	if err != nil {
		t.Fatal(err)
	}
	_, lines, begun := strings.Cut(string(guide), "```yaml\n")
	lines, _, ended := strings.Cut(lines, "```\n")
	if !begun || !ended {
		t.Fatal("the guide has no settings")
	}
	stock := ejabberdtest.Start(t, ejabberd.Options{GuideLines: lines})
	failManyLogins(t, stock)
	s := newSiteBehind(t, stock, nil)
	for range 2 {
		if err := s.round("alice", s.service("xmpp")); err != nil {
			t.Error(err)
		}
	}
}

// failManyLogins fails more attempts than mod_fail2ban lets an address have: those
// to accounts that do not exist yet fail too.
func failManyLogins(t *testing.T, stock *stockserver.Server) {
	t.Helper()
	direct, err := server.New(server.Config{
		Domain: stock.Domain, Addresses: []string{stock.C2S}, AccountSecret: []byte("the secret of nobody's account"),
	})
	if err != nil {
		t.Fatal(err)
	}
	for range 25 {
		if _, err := direct.Open(t.Context(), jid.MustParse("nobody@"+stock.Domain)); err == nil {
			t.Fatal("there is an account that should not exist")
		}
	}
}
