package config

import (
	"fmt"
	"strings"

	"mellium.im/xmpp/jid"

	"xtokend/auth"
)

// maxUsersBytes is enough for a million names.
const maxUsersBytes = 32 << 20

// users reads the file that names who exists: localparts or bare JIDs, one a line, as
// `xtokend accounts add` takes them. One that nobody can have keeps no other from
// being used: what lists them is another program.
func (l *loader) users(key string, v value[string], domain string) map[string]struct{} {
	path := get(l, key, v, "")
	if path == "" || !l.need(AccountSecrets) || domain == "" {
		return nil
	}
	path = l.path(path)
	text, _, err := readFile(path, maxUsersBytes)
	if err != nil {
		l.fault(key, "the file must exist and be readable by the user that xtokend runs as", "cannot read %s: %v", path, err)
		return nil
	}
	users := make(map[string]struct{})
	n, unusable, first := 0, 0, ""
	for line := range strings.Lines(string(text)) {
		n++
		name := strings.TrimSpace(line)
		if name == "" || name[0] == '#' {
			continue
		}
		localpart, err := userOf(domain, name)
		if err != nil {
			if unusable++; unusable == 1 {
				first = fmt.Sprintf("line %d of %s: %v", n, path, err)
			}
			continue
		}
		users[localpart] = struct{}{}
	}
	if unusable > 0 {
		l.warn(key, "nobody can log in by such a name", "names that cannot be used: %d; the first is in %s", unusable, first)
	}
	if len(users) == 0 {
		l.warn(key, "write the names of users to it, one a line, or leave it out: then all who could log in exist", "%s names nobody", path)
	}
	return users
}

// userOf returns the prepared localpart of a user of the domain.
func userOf(domain, name string) (string, error) {
	if at := strings.LastIndexByte(name, '@'); at >= 0 {
		given, err := jid.New("", name[at+1:], "")
		if err != nil || given.Domainpart() != domain {
			return "", fmt.Errorf("%q is not a user of %s", name, domain)
		}
		name = name[:at]
	}
	prepared, err := auth.PrepareName(name)
	if err != nil {
		return "", fmt.Errorf("%q: %w", name, err)
	}
	return prepared.Localpart(), nil
}
