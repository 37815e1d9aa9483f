package issuers

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// The guide's table of user ids says what becomes of them. A row has as many addresses as ids, or none if they are
// refused.
func TestTheGuideSaysWhatBecomesOfUserIDs(t *testing.T) {
	guide, err := os.ReadFile("../../doc/issuers.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, found := strings.Cut(string(guide), "| user id | address | |\n|---|---|---|\n")
	if !found {
		t.Fatal("the guide has no table of user ids")
	}
	table, _, _ = strings.Cut(table, "\n\n")
	quoted := regexp.MustCompile("`([^`]+)`")
	var requests []request
	var want []string // localparts; empty: refused
	for row := range strings.Lines(table) {
		cells := strings.Split(row, "|")
		if strings.Contains(row, "characters, the second") {
			continue // a page cannot show both forms
		}
		var localparts []string
		for _, address := range quoted.FindAllStringSubmatch(cells[2], -1) {
			if localpart, ok := strings.CutSuffix(address[1], "@"+domain); ok {
				localparts = append(localparts, localpart)
			}
		}
		refused := strings.HasPrefix(cells[2], " refused")
		for i, id := range quoted.FindAllStringSubmatch(cells[1], -1) {
			r := request{UserID: id[1], Domain: domain, Nonce: strings.Repeat("0", 32)}
			if refused {
				requests, want = append(requests, r), append(want, "")
				r.FoldCase = true
			}
			requests = append(requests, r)
			switch {
			case i < len(localparts):
				want = append(want, localparts[i])
			case refused && len(localparts) == 0:
				want = append(want, "")
			default:
				t.Fatalf("%q has no address", id[1])
			}
		}
	}
	if len(requests) < 15 {
		t.Errorf("the table says what becomes of %d user ids", len(requests))
	}
	for _, issuer := range issuers {
		t.Run(issuer.name, func(t *testing.T) {
			for i, a := range issue(t, issuer.command, requests) {
				if a.Localpart != want[i] {
					t.Errorf("%q, fold_case %t: %q, the guide says %q", requests[i].UserID, requests[i].FoldCase, a.Localpart, want[i])
				}
			}
		})
	}
}
