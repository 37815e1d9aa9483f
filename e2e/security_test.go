package e2e

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	namedTest = regexp.MustCompile("`([a-z0-9/]+)\\.((?:Test|Fuzz)[A-Za-z0-9]+)`")
	runTest   = regexp.MustCompile(`go test \./([a-z0-9/]+) -run '?(Test[A-Za-z0-9]+)`)
)

// What SECURITY.md and the page on conformance claim is shown by tests that exist,
// and each threat by one at least.
func TestPagesNameTestsThatExist(t *testing.T) {
	for _, tt := range []struct {
		page  string
		least int // tests that it names
	}{
		{"SECURITY.md", 50},
		{"doc/conformance.md", 5},
	} {
		text, err := os.ReadFile(filepath.Join("..", tt.page))
		if err != nil {
			t.Fatal(err)
		}
		named := namedTest.FindAllStringSubmatch(string(text), -1)
		if len(named) < tt.least {
			t.Errorf("%s names %d tests alone", tt.page, len(named))
		}
		for _, name := range named {
			if !hasTest(t, name[1], name[2]+"(") {
				t.Errorf("%s names %s, which is not in %s", tt.page, name[2], name[1])
			}
		}
		for _, command := range runTest.FindAllStringSubmatch(string(text), -1) {
			if !hasTest(t, command[1], command[2]) { // the beginning of a name is enough
				t.Errorf("%s says %s, which runs nothing", tt.page, command[0])
			}
		}
	}
}

func TestEachThreatIsShownByATest(t *testing.T) {
	text, err := os.ReadFile("../SECURITY.md")
	if err != nil {
		t.Fatal(err)
	}
	_, threats, found := strings.Cut(string(text), "\n## Who can do what")
	threats, _, ended := strings.Cut(threats, "\n## ")
	if !found || !ended {
		t.Fatal("SECURITY.md has no threats")
	}
	rows := 0
	for line := range strings.Lines(threats) {
		cells := strings.Split(line, "|")
		if len(cells) != 5 || strings.HasPrefix(cells[1], "---") || strings.TrimSpace(cells[1]) == "threat" {
			continue
		}
		rows++
		if !namedTest.MatchString(cells[3]) {
			t.Errorf("no test shows what stops: %s", strings.TrimSpace(cells[1]))
		}
	}
	if rows < 20 {
		t.Errorf("SECURITY.md has %d threats", rows)
	}
}

// hasTest says whether a folder of the module has a test or fuzz target whose
// declaration goes on with that.
func hasTest(t *testing.T, folder, declaration string) bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("..", folder, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(text), "\nfunc "+declaration) {
			return true
		}
	}
	return false
}
