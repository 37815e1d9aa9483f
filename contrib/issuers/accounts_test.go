package issuers

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// list asks for the names of accounts.
type list struct {
	UserIDs  []string `json:"user_ids"`
	FoldCase bool     `json:"fold_case"`
}

// Of what the issuers list each name can be given to `xtokend accounts add`, and no two
// users get one account.
func TestListsOfAccounts(t *testing.T) {
	text, err := os.ReadFile("testdata/lists.json")
	if err != nil {
		t.Fatal(err)
	}
	var cases []struct {
		Name string
		list
		Names    []string
		Problems []string // what each says, among other things
	}
	if err := json.Unmarshal(text, &cases); err != nil {
		t.Fatal(err)
	}
	requests := make([]list, len(cases))
	for i, c := range cases {
		requests[i] = c.list
	}
	for _, issuer := range issuers {
		t.Run(issuer.name, func(t *testing.T) {
			for i, line := range run(t, issuer.command, requests) {
				c := cases[i]
				var got struct{ Names, Problems []string }
				if err := json.Unmarshal([]byte(line), &got); err != nil {
					t.Fatal(err)
				}
				if !slices.Equal(got.Names, c.Names) {
					t.Errorf("%s: names %q, want %q", c.Name, got.Names, c.Names)
				}
				if len(got.Problems) != len(c.Problems) {
					t.Errorf("%s: problems %q, want %d", c.Name, got.Problems, len(c.Problems))
				}
				for _, problem := range c.Problems {
					if !slices.ContainsFunc(got.Problems, func(line string) bool { return strings.Contains(line, problem) }) {
						t.Errorf("%s: no problem says %q: %q", c.Name, problem, got.Problems)
					}
				}
			}
		})
	}
}

// What leave is given reaches its command as it is, whatever a shell would read in it.
// The add-on for Plone has a test of its own.
func TestLeave(t *testing.T) {
	type request struct {
		Command []string `json:"command"`
		Verb    string   `json:"verb"`
		Names   []string `json:"names"`
	}
	for _, issuer := range issuers {
		if issuer.name == "Python" {
			continue
		}
		t.Run(issuer.name, func(t *testing.T) {
			told := filepath.Join(t.TempDir(), "told")
			record := `printf '%s\n' "$@" >"$0"; cat >>"$0"`
			var answers []string
			for _, line := range run(t, issuer.command, []request{
				{[]string{"sh", "-c", record, told, "$(id)"}, "remove", []string{"alice", `space\20cadet`, "zoë", "a';b"}},
				{[]string{"sh", "-c", "echo no socket >&2; exit 3"}, "revoke", []string{"alice"}},
				{[]string{"/nonexistent/leave"}, "revoke", []string{"alice"}},
			}) {
				var a answer
				if err := json.Unmarshal([]byte(line), &a); err != nil {
					t.Fatal(err)
				}
				answers = append(answers, a.Error)
			}
			if answers[0] != "" {
				t.Errorf("refused: %s", answers[0])
			}
			text, err := os.ReadFile(told)
			if want := "$(id)\nremove\nalice\nspace\\20cadet\nzoë\na';b\n"; err != nil || string(text) != want {
				t.Errorf("the command was told %q, want %q (%v)", text, want, err)
			}
			if !strings.Contains(answers[1], "no socket") {
				t.Errorf("a failure says %q", answers[1])
			}
			if !strings.Contains(answers[2], "/nonexistent/leave") {
				t.Errorf("a command that is not there: %q", answers[2])
			}
		})
	}
}
