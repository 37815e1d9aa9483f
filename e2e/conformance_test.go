package e2e

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
)

// What Prosody says of itself and the host does not is what the host lacks. The page
// that lists that must not fall behind.
func TestConformanceNamesWhatTheHostLacks(t *testing.T) {
	page, err := os.ReadFile("../doc/conformance.md")
	if err != nil {
		t.Fatal(err)
	}
	prosody, host := announced(t, stockProsody), announced(t, builtInHost)
	if len(prosody) < 50 {
		t.Fatalf("Prosody announces %q alone", prosody)
	}
	for _, feature := range prosody {
		if !slices.Contains(host, feature) && !slices.Contains(lacking(string(page)), feature) {
			t.Errorf("doc/conformance.md does not say that the host lacks %s", feature)
		}
	}
	for _, feature := range lacking(string(page)) {
		if !slices.Contains(prosody, feature) || slices.Contains(host, feature) {
			t.Errorf("doc/conformance.md says that Prosody has %s and the host has not", feature)
		}
	}
}

// lacking are the features in the first column of the page's table of them.
func lacking(page string) []string {
	_, section, _ := strings.Cut(page, "\n## What the host lacks\n")
	section, _, _ = strings.Cut(section, "\n## ")
	var features []string
	for line := range strings.Lines(section) {
		if cells := strings.Split(line, "|"); len(cells) > 2 {
			for i, text := range strings.Split(cells[1], "`") {
				if i%2 == 1 {
					features = append(features, text)
				}
			}
		}
	}
	return features
}

// announced are the features of streams, and those that the server, an account, the
// room service and a room name when they are asked (XEP-0030).
func announced(t *testing.T, behind upstream) []string {
	t.Helper()
	s := newSiteOn(t, behind, nil)
	stream := s.mustOpen(s.service("xmpp"))
	if err := stream.authenticate("X-TOKEN", "alice", s.issuer.token("alice")); err != nil {
		t.Fatal(err)
	}
	offered, err := stream.open()
	if err != nil {
		t.Fatal(err)
	}
	var features []string
	for _, feature := range offered.Children {
		features = append(features, feature.XMLName.Space)
	}
	if _, err := stream.bindResource(); err != nil {
		t.Fatal(err)
	}
	if err := stream.write("<presence xmlns='jabber:client' to='%s/Alice'><x xmlns='http://jabber.org/protocol/muc'/></presence>", room); err != nil {
		t.Fatal(err)
	}
	for i, address := range []string{domain, "alice@" + domain, s.Rooms, room} {
		id := fmt.Sprint("info-", i)
		err := stream.write("<iq xmlns='jabber:client' type='get' id='%s' to='%s'><query xmlns='http://jabber.org/protocol/disco#info'/></iq>", id, address)
		if err != nil {
			t.Fatal(err)
		}
		for answer := (element{}); answer.attribute("id") != id; {
			if answer, err = stream.read(); err != nil {
				t.Fatal(err)
			}
			info, _ := answer.child("query")
			for _, feature := range info.Children {
				if feature.XMLName.Local == "feature" {
					features = append(features, feature.attribute("var"))
				}
			}
		}
	}
	slices.Sort(features)
	return slices.Compact(features)
}
