package issuer

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"os/exec"
	"slices"
	"strings"
)

// Localparts returns the names for `xtokend accounts add`, and a line for each user id that is not among them. Of ids
// that would share an account none gets a name.
func (i *Issuer) Localparts(userIDs []string) (names, problems []string) {
	owners := make(map[string][]string)
	for _, userID := range userIDs {
		name, err := i.name(userID)
		if err != nil {
			problems = append(problems, err.Error())
			continue
		}
		owner := name.Localpart()
		if !slices.Contains(owners[owner], userID) {
			owners[owner] = append(owners[owner], userID)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(owners)) {
		switch {
		case len(owners[name]) > 1:
			problems = append(problems, fmt.Sprintf("the user ids %q would share the account %s", owners[name], name))
		case strings.HasPrefix(name, "#"): // a comment to `accounts add`
			problems = append(problems, fmt.Sprintf("the account of %s can be made at its first login alone", name))
		default:
			names = append(names, name)
		}
	}
	return names, problems
}

// Leave has users leave the chat: it runs contrib/issuers/leave, as command, with verb, which is revoke or remove, and
// with names as Localparts returns them. It takes seconds, which ctx bounds. The error says what the command complains
// of, if not all is done. Names that have left already do no harm.
func Leave(ctx context.Context, command []string, verb string, names []string) error {
	cmd := exec.CommandContext(ctx, command[0], append(slices.Clone(command[1:]), verb)...)
	cmd.Stdin = strings.NewReader(strings.Join(names, "\n") + "\n")
	var complaint bytes.Buffer
	cmd.Stderr = &complaint
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s: %w: %s", verb, err, bytes.TrimSpace(complaint.Bytes()[:min(complaint.Len(), 500)]))
	}
	return nil
}
