package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"strings"

	"mellium.im/xmpp/jid"

	"xtokend/auth"
	"xtokend/component/link"
)

const (
	maxNameBytes  = 8 << 10 // of a line; the longest JID has 3 kB (RFC 7622 §3.1)
	progressEvery = 1000    // names
)

// eachName does something to the account of each name on standard input, a
// localpart or a bare JID of the domain on a line of its own. It goes on after
// a failure, unless the link is lost. act returns true if nothing was to do.
func (p *process) eachName(domain, done, idle string, act func(jid.JID) (bool, error)) error {
	var acted, idled, failed int
	lines := bufio.NewScanner(p.stdin)
	lines.Buffer(nil, maxNameBytes)
	n := 0
	fail := func(format string, args ...any) {
		failed++
		p.say("error", fmt.Sprintf("line %d: ", n)+fmt.Sprintf(format, args...), "")
	}
	var lost error
	for lost == nil && lines.Scan() {
		n++
		name := string(bytes.TrimSpace(lines.Bytes()))
		if name == "" || name[0] == '#' {
			continue
		}
		user, err := accountJID(domain, name)
		if err != nil {
			fail("%v", err)
			continue
		}
		nothing, err := act(user)
		switch {
		case errors.Is(err, link.ErrDown):
			lost = fmt.Errorf("line %d: %s: %w; what comes after it was not looked at", n, user, err)
			failed++
		case err != nil:
			fail("%s: %v", user, err)
		case nothing:
			idled++
		default:
			acted++
		}
		if total := acted + idled + failed; total%progressEvery == 0 {
			fmt.Fprintf(p.stderr, "xtokend: %d names\n", total)
		}
	}
	fmt.Fprintf(p.stdout, "%s: %d, %s: %d, failed: %d\n", done, acted, idle, idled, failed)
	if err := lines.Err(); err != nil {
		lost = fmt.Errorf("line %d of standard input: %w", n+1, err)
	}
	if lost == nil && failed > 0 {
		return &failure{status: exitFailure}
	}
	return lost
}

// accountJID returns the bare JID of a user of the domain, given by localpart
// or bare JID.
func accountJID(domain, name string) (jid.JID, error) {
	if at := strings.LastIndexByte(name, '@'); at >= 0 {
		given, err := jid.New("", name[at+1:], "")
		if err != nil || given.Domainpart() != domain {
			return jid.JID{}, fmt.Errorf("%q is not an account of %s", name, domain)
		}
		name = name[:at]
	}
	prepared, err := auth.PrepareName(name)
	if err != nil {
		return jid.JID{}, fmt.Errorf("%q cannot be the name of a user: %s", name, detail(err))
	}
	return jid.New(prepared.Localpart(), domain, "")
}
