package issuer

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestListsOfAccounts(t *testing.T) {
	text, err := os.ReadFile("../testdata/lists.json")
	if err != nil {
		t.Fatal(err)
	}
	var cases []struct {
		Name     string
		UserIDs  []string `json:"user_ids"`
		FoldCase bool     `json:"fold_case"`
		Names    []string
		Problems []string // what each says, among other things
	}
	if err := json.Unmarshal(text, &cases); err != nil {
		t.Fatal(err)
	}
	for _, c := range cases {
		t.Run(c.Name, func(t *testing.T) {
			i := newIssuer(t)
			i.FoldCase = c.FoldCase
			names, problems := i.Localparts(c.UserIDs)
			if !slices.Equal(names, c.Names) {
				t.Errorf("names %q, want %q", names, c.Names)
			}
			if len(problems) != len(c.Problems) {
				t.Errorf("problems %q, want %d", problems, len(c.Problems))
			}
			for _, want := range c.Problems {
				if !slices.ContainsFunc(problems, func(line string) bool { return strings.Contains(strings.ToLower(line), want) }) {
					t.Errorf("no problem says %q: %q", want, problems)
				}
			}
		})
	}
}

func TestLeave(t *testing.T) {
	told := filepath.Join(t.TempDir(), "told")
	record := []string{"sh", "-c", `printf '%s\n' "$@" >"$0"; cat >>"$0"`, told, "$(id)"}
	if err := Leave(t.Context(), record, "remove", []string{"alice", `space\20cadet`, "zoë"}); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(told)
	if want := "$(id)\nremove\nalice\nspace\\20cadet\nzoë\n"; err != nil || string(text) != want {
		t.Errorf("the command was told %q, want %q (%v)", text, want, err)
	}
	err = Leave(t.Context(), []string{"sh", "-c", "echo no socket >&2; exit 3"}, "revoke", []string{"alice"})
	if err == nil || !strings.Contains(err.Error(), "no socket") || !strings.Contains(err.Error(), "exit status 3") {
		t.Errorf("a failure says %v", err)
	}
	if err := Leave(t.Context(), []string{"/nonexistent/leave"}, "revoke", []string{"alice"}); err == nil {
		t.Error("a command that is not there has run")
	}
}
