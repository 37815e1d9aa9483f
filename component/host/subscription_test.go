package host_test

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"xtokend/component/host"
)

// roster asks for the roster and returns its items in short: "bob both", say, with
// an asterisk if the contact was asked.
func (c *client) roster() []string {
	c.t.Helper()
	c.send("<iq type='get' id='roster'><query xmlns='jabber:iq:roster'/></iq>")
	answer := c.expect("<iq type='result' id='roster' …")
	var items []string
	for _, m := range regexp.MustCompile(`<item jid="([^"@]*)@[^>]*?subscription="([a-z]*)"([^>]*)>`).FindAllStringSubmatch(answer, -1) {
		asked := ""
		if strings.Contains(m[3], `ask="subscribe"`) {
			asked = "*"
		}
		items = append(items, m[1]+" "+m[2]+asked)
	}
	return items
}

func (c *client) wantRoster(want ...string) {
	c.t.Helper()
	if got := c.roster(); !slices.Equal(got, want) {
		c.t.Errorf("%s has the roster %q, wants %q", c.name, got, want)
	}
}

// all reads what has come, in short: the type and sender of presence, pushes as
// "push: item".
func (c *client) all() []string {
	c.t.Helper()
	var seen []string
	c.send("<iq type='get' id='all' to='example.org'><ping xmlns='urn:xmpp:ping'/></iq>")
	for {
		unit := c.next()
		attribute := func(name string) string {
			if m := regexp.MustCompile(` ` + name + `=['"]([^'"]*)['"]`).FindStringSubmatch(unit); m != nil {
				return m[1]
			}
			return ""
		}
		switch {
		case strings.HasPrefix(unit, "<iq type='result' id='all'"):
			slices.Sort(seen)
			return seen
		case strings.HasPrefix(unit, "<presence"):
			kind := attribute("type")
			if kind == "" {
				kind = "available"
			}
			seen = append(seen, kind+" "+strings.Replace(attribute("from"), "@example.org", "", 1))
		case strings.HasPrefix(unit, "<iq type='set'"):
			asked := ""
			if attribute("ask") != "" {
				asked = "*"
			}
			seen = append(seen, "push "+strings.TrimSuffix(attribute("jid"), "@example.org")+" "+attribute("subscription")+asked)
		default:
			seen = append(seen, unit)
		}
	}
}

func (c *client) wantAll(want ...string) {
	c.t.Helper()
	slices.Sort(want)
	if got := c.all(); !slices.Equal(got, want) {
		c.t.Errorf("%s has seen %q, wants %q", c.name, got, want)
	}
}

// pair is alice and bob, both available and interested in their rosters, in the
// state that the steps lead to.
func pair(t *testing.T, steps string) (alice, bob *client) {
	t.Helper()
	h := newHost(t, host.Config{})
	alice, bob = online(t, h, "alice/a"), online(t, h, "bob/b")
	alice.roster()
	bob.roster()
	for step := range strings.FieldsSeq(steps) {
		name, kind, _ := strings.Cut(step, ":")
		if name == "alice" {
			alice.send("<presence type='%s' to='bob@example.org'/>", kind)
		} else {
			bob.send("<presence type='%s' to='alice@example.org'/>", kind)
		}
	}
	alice.all()
	bob.all()
	return alice, bob
}

const (
	toBob = "alice:subscribe bob:subscribed"
	both  = toBob + " bob:subscribe alice:subscribed"
)

// Each transition of RFC 6121 appendix A that two users of one server can make.
// alice does it, before and behind it the rosters are those named.
func TestSubscriptions(t *testing.T) {
	for _, tc := range []struct {
		name, before, does string
		alice, bob         string // the rosters behind it
		aliceSees, bobSees []string
	}{
		{"none, subscribe", "", "subscribe", "bob none*", "", []string{"push bob none*"}, []string{"subscribe alice"}},
		{"none + out, subscribe again", "alice:subscribe", "subscribe", "bob none*", "", []string{"push bob none*"}, nil},
		{"none + in, subscribe", "bob:subscribe", "subscribe", "bob none*", "alice none*", []string{"push bob none*"}, []string{"subscribe alice"}},
		{"to, subscribe again", toBob, "subscribe", "bob to", "alice from", []string{"push bob to"}, nil},
		{"from, subscribe", "bob:subscribe alice:subscribed", "subscribe", "bob from*", "alice to", []string{"push bob from*"}, []string{"subscribe alice"}},

		{"none, subscribed", "", "subscribed", "", "", nil, nil},
		{"none + out, subscribed", "alice:subscribe", "subscribed", "bob none*", "", nil, nil},
		{"none + in, subscribed", "bob:subscribe", "subscribed", "bob from", "alice to", []string{"push bob from"},
			[]string{"subscribed alice", "push alice to", "available alice/a"}},
		{"none + out and in, subscribed", "bob:subscribe alice:subscribe", "subscribed", "bob from*", "alice to", []string{"push bob from*"},
			[]string{"subscribed alice", "push alice to", "available alice/a"}},
		{"to + in, subscribed", toBob + " bob:subscribe", "subscribed", "bob both", "alice both", []string{"push bob both"},
			[]string{"subscribed alice", "push alice both", "available alice/a"}},
		{"both, subscribed", both, "subscribed", "bob both", "alice both", nil, nil},

		{"none, unsubscribe", "", "unsubscribe", "", "", nil, nil},
		{"none + out, unsubscribe", "alice:subscribe", "unsubscribe", "bob none", "", []string{"push bob none"}, []string{"unsubscribe alice"}},
		{"to, unsubscribe", toBob, "unsubscribe", "bob none", "alice none", []string{"push bob none", "unavailable bob/b"},
			[]string{"unsubscribe alice", "push alice none"}},
		{"both, unsubscribe", both, "unsubscribe", "bob from", "alice to", []string{"push bob from", "unavailable bob/b"},
			[]string{"unsubscribe alice", "push alice to"}},
		{"from, unsubscribe", "bob:subscribe alice:subscribed", "unsubscribe", "bob from", "alice to", nil, nil},
		{"from + out, unsubscribe", "bob:subscribe alice:subscribed alice:subscribe", "unsubscribe", "bob from", "alice to", []string{"push bob from"},
			[]string{"unsubscribe alice"}},

		{"none, unsubscribed", "", "unsubscribed", "", "", nil, nil},
		{"none + in, unsubscribed", "bob:subscribe", "unsubscribed", "", "alice none", nil, []string{"unsubscribed alice", "push alice none"}},
		{"from, unsubscribed", "bob:subscribe alice:subscribed", "unsubscribed", "bob none", "alice none", []string{"push bob none"},
			[]string{"unsubscribed alice", "push alice none", "unavailable alice/a"}},
		{"both, unsubscribed", both, "unsubscribed", "bob to", "alice from", []string{"push bob to"},
			[]string{"unsubscribed alice", "push alice from", "unavailable alice/a"}},
		{"to, unsubscribed", toBob, "unsubscribed", "bob to", "alice from", nil, nil},
		{"to + in, unsubscribed", toBob + " bob:subscribe", "unsubscribed", "bob to", "alice from", nil, []string{"unsubscribed alice", "push alice from"}},

		{"none + out, removal", "alice:subscribe", "remove", "", "", []string{"push bob remove"}, []string{"unsubscribe alice"}},
		{"to, removal", toBob, "remove", "", "alice none", []string{"push bob remove", "unavailable bob/b"}, []string{"unsubscribe alice", "push alice none"}},
		{"from, removal", "bob:subscribe alice:subscribed", "remove", "", "alice none", []string{"push bob remove"},
			[]string{"unsubscribed alice", "push alice none", "unavailable alice/a"}},
		{"both, removal", both, "remove", "", "alice none", []string{"push bob remove", "unavailable bob/b"},
			[]string{"unsubscribe alice", "unsubscribed alice", "push alice to", "push alice none", "unavailable alice/a"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			alice, bob := pair(t, tc.before)
			if tc.does == "remove" {
				alice.send("<iq type='set' id='r'><query xmlns='jabber:iq:roster'><item jid='bob@example.org' subscription='remove'/></query></iq>")
				tc.aliceSees = append(tc.aliceSees, "<iq type='result' id='r' to='alice@example.org/a'/>")
			} else {
				alice.send("<presence type='%s' to='bob@example.org/b'/>", tc.does) // the resource is of no account
			}
			alice.wantAll(tc.aliceSees...)
			bob.wantAll(tc.bobSees...)
			if got := strings.Join(alice.roster(), " "); got != tc.alice {
				t.Errorf("alice's roster is %q, wants %q", got, tc.alice)
			}
			if got := strings.Join(bob.roster(), " "); got != tc.bob {
				t.Errorf("bob's roster is %q, wants %q", got, tc.bob)
			}
		})
	}
}

func TestARequestWaitsForItsUser(t *testing.T) {
	h := newHost(t, host.Config{})
	login(t, h, "bob/b").send("</stream:stream>")
	alice := online(t, h, "alice/a")
	alice.send("<presence type='subscribe' to='bob@example.org' id='s'><status>it is me</status></presence>")
	alice.expectNothing()
	for range 2 { // until it is answered
		bob := online(t, h, "bob/b")
		bob.expect("<presence type='subscribe' id='s' from='alice@example.org' to='bob@example.org'><status>it is me</status></presence>")
		bob.send("</stream:stream>")
	}
	bob := online(t, h, "bob/b")
	bob.next()
	bob.send("<presence type='subscribed' to='alice@example.org'/>")
	alice.wantAll("subscribed bob", "available bob/b")
	again := online(t, h, "bob/c")
	again.wantAll("available bob/b")
}

func TestARequestToNobodyIsRefused(t *testing.T) {
	h := newHost(t, host.Config{})
	alice := online(t, h, "alice/a")
	alice.roster()
	alice.send("<presence type='subscribe' to='nobody@example.org'/>")
	alice.wantAll("push nobody none*", "push nobody none", "unsubscribed nobody")
	alice.send("<presence type='subscribe' to='bob@example.com'/>")
	alice.wantAll("error bob@example.com")
	alice.send("<presence type='subscribe' to='alice@example.org'/><presence type='subscribe' to='example.org'/><presence type='subscribe'/>")
	alice.wantAll()
	alice.wantRoster("nobody none")
}

func TestPresenceIsSeenByThoseWhoMay(t *testing.T) {
	alice, bob := pair(t, toBob) // alice sees bob
	bob.send("<presence><show>away</show></presence>")
	alice.wantAll("available bob/b")
	bob.wantAll("available bob/b")
	alice.send("<presence><show>away</show></presence>")
	bob.wantAll()
	bob.send("<presence type='unavailable'/>")
	alice.wantAll("available alice/a", "unavailable bob/b")
	bob.send("<presence/>")
	alice.wantAll("available bob/b")
	bob.drop()
	alice.wantAll("unavailable bob/b")
}

func TestPresenceIsThereAtLogin(t *testing.T) {
	h := newHost(t, host.Config{})
	bob := online(t, h, "bob/b")
	alice := online(t, h, "alice/a")
	alice.send("<presence type='subscribe' to='bob@example.org'/>")
	bob.send("<presence type='subscribed' to='alice@example.org'/>")
	second := online(t, h, "alice/b")
	second.wantAll("available alice/a", "available bob/b")
	bob.all()
	bob.wantAll()
	mallory := online(t, h, "mallory/m")
	mallory.send("<presence type='probe' to='bob@example.org'/>")
	mallory.wantAll()
}

func TestDirectedPresenceEndsWithTheSession(t *testing.T) {
	for _, end := range []string{"</stream:stream>", "<presence type='unavailable'/>", ""} {
		t.Run(fmt.Sprintf("%q", end), func(t *testing.T) {
			h := newHost(t, host.Config{})
			bob := online(t, h, "bob/b")
			alice := login(t, h, "alice/a")
			alice.send("<presence to='bob@example.org/b'><status>hi</status></presence>")
			bob.expect("<presence from='alice@example.org/a' to='bob@example.org/b'><status>hi</status></presence>")
			if end == "" {
				alice.drop()
			} else {
				alice.send(end)
			}
			bob.expect("<presence type='unavailable' from='alice@example.org/a' to='bob@example.org/b'/>")
			bob.expectNothing()
		})
	}
}

func TestDirectedPresenceIsBounded(t *testing.T) {
	h := newHost(t, host.Config{Limits: host.Limits{DirectedTo: 1}})
	alice := login(t, h, "alice/a")
	alice.send("<presence to='bob@example.org/b'/><presence to='bob@example.org/b'/><presence to='bob@example.org/c' id='2'/>")
	alice.expect("<presence type='error' id='2' from='bob@example.org/c' …resource-constraint…</presence>")
	alice.send("<presence to='bob@example.org/b' type='unavailable'/><presence to='bob@example.org/c'/>")
	alice.expectNothing()
}

// Only a subscription shows presence: an item in a roster does not.
func TestProbesNeedASubscription(t *testing.T) {
	alice, bob := pair(t, toBob) // alice sees bob, who has her in his roster
	bob.send("<presence type='probe' to='alice@example.org'/>")
	bob.wantAll()
	bob.send("<presence type='unavailable'/>")
	alice.all()
	bob.all()
	bob.send("<presence/>") // at which contacts are probed
	bob.wantAll("available bob/b")
	alice.send("<presence type='probe' to='bob@example.org'/>")
	alice.wantAll("available bob/b", "available bob/b")
}

// What was said to have gone is not said again at the end.
func TestDirectedPresenceEndsOnce(t *testing.T) {
	h := newHost(t, host.Config{})
	bob, alice := online(t, h, "bob/b"), online(t, h, "alice/a")
	alice.send("<presence to='bob@example.org/b'/>")
	bob.wantAll("available alice/a")
	alice.send("<presence type='unavailable'/>")
	bob.wantAll("unavailable alice/a")
	alice.drop()
	bob.wantAll()
	alice, bob = pair(t, toBob+" bob:subscribe alice:subscribed")
	alice.send("<presence to='bob@example.org'/><presence to='bob@example.org/b'/>")
	bob.all()
	alice.drop()
	bob.wantAll("unavailable alice/a")
}
