package main

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"mellium.im/xmpp/jid"

	"xtokend/component/link"
)

// eachName is run on names with act, and what it wrote is returned.
func eachName(names string, act func(jid.JID) (bool, error)) (stdout, stderr string, err error) {
	var out, said strings.Builder
	p := &process{stdin: strings.NewReader(names), stdout: &out, stderr: &said}
	err = p.eachName("example.org", "made", "there already", act)
	return out.String(), said.String(), err
}

func TestLongListsShowProgress(t *testing.T) {
	var list strings.Builder
	for i := range 2*progressEvery + 1 {
		fmt.Fprintf(&list, "user%d\n", i)
	}
	n := 0
	stdout, stderr, err := eachName(list.String(), func(jid.JID) (bool, error) {
		n++
		return n%2 == 0, nil
	})
	if err != nil || stdout != "made: 1001, there already: 1000, failed: 0\n" || stderr != "xtokend: 1000 names\nxtokend: 2000 names\n" {
		t.Errorf("%q, %q, %v", stdout, stderr, err)
	}
}

// Where the rest of a list has to be given again is told.
func TestLostLinkEndsTheList(t *testing.T) {
	var seen []string
	stdout, _, err := eachName("alice\n# a comment\nbob\ncarol\n", func(user jid.JID) (bool, error) {
		seen = append(seen, user.String())
		if user.Localpart() == "bob" {
			return false, fmt.Errorf("add-user: %w", link.ErrDown)
		}
		return false, nil
	})
	if len(seen) != 2 || stdout != "made: 1, there already: 0, failed: 1\n" {
		t.Errorf("seen %q, %q", seen, stdout)
	}
	if !errors.Is(err, link.ErrDown) || !strings.HasPrefix(err.Error(), "line 3: bob@example.org: ") {
		t.Errorf("error %v", err)
	}
}

func TestEmptyListIsNoFailure(t *testing.T) {
	for _, names := range []string{"", "\n\n", "# nobody\n"} {
		stdout, stderr, err := eachName(names, func(user jid.JID) (bool, error) { return false, errors.New("called") })
		if err != nil || stdout != "made: 0, there already: 0, failed: 0\n" || stderr != "" {
			t.Errorf("%q: %q, %q, %v", names, stdout, stderr, err)
		}
	}
}
