package issuers

import (
	"context"
	"os/exec"
	"regexp"
	"testing"
)

// The tests of the Plone add-on are in Python; plone/tests/standins.py says what of Plone is real in them.
func TestPlone(t *testing.T) {
	ran := regexp.MustCompile(`(?m)^Ran [1-9][0-9]* tests? in .*\n\nOK$`)
	for _, file := range []string{"test_plone.py", "test_leaving.py", "test_xtoken.py"} {
		t.Run(file, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), commandTimeout)
			defer cancel()
			// -B: no bytecode is left in the tree.
			cmd := exec.CommandContext(ctx, "/usr/bin/python3", "-B", "-W", "error::ResourceWarning", file)
			cmd.Dir = "plone/tests"
			out, err := cmd.CombinedOutput()
			if err != nil || !ran.Match(out) {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
}
