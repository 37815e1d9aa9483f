package e2e

import (
	"os"
	"strings"
	"testing"

	"xtokend/internal/ejabberd"
	"xtokend/internal/ejabberdtest"
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
	s := newSiteBehind(t, ejabberdtest.Start(t, ejabberd.Options{GuideLines: lines}), nil)
	for range 2 {
		if err := s.round("alice", s.service("xmpp")); err != nil {
			t.Error(err)
		}
	}
}
