package e2e

import (
	"fmt"
	"slices"
	"testing"
)

// standing is how a user stands to a contact (RFC 6121 A.1).
type standing struct {
	subscription string // none, subTo, from or both
	out, in      bool   // a request that waits for the contact, and one that waits for the user
}

func (s standing) String() string {
	text := s.subscription
	if s.out {
		text += " + pending out"
	}
	if s.in {
		text += " + pending in"
	}
	return text
}

// contacts is how the contact stands to the user.
func (s standing) contacts() standing {
	mirrored := map[string]string{"none": "none", "to": "from", "from": "to", "both": "both"}
	return standing{mirrored[s.subscription], s.in, s.out}
}

// The nine standings.
var (
	subNone      = standing{"none", false, false}
	subNoneOut   = standing{"none", true, false}
	subNoneIn    = standing{"none", false, true}
	subNoneOutIn = standing{"none", true, true}
	subTo        = standing{"to", false, false}
	subToIn      = standing{"to", false, true}
	subFrom      = standing{"from", false, false}
	subFromOut   = standing{"from", true, false}
	subBoth      = standing{"both", false, false}
)

// subscriptionSteps says how alice comes to each, by what she and bob send.
var subscriptionSteps = map[standing][]string{
	subNone:      {},
	subNoneOut:   {"alice subscribe"},
	subNoneIn:    {"bob subscribe"},
	subNoneOutIn: {"alice subscribe", "bob subscribe"},
	subTo:        {"alice subscribe", "bob subscribed"},
	subToIn:      {"alice subscribe", "bob subscribed", "bob subscribe"},
	subFrom:      {"bob subscribe", "alice subscribed"},
	subFromOut:   {"bob subscribe", "alice subscribed", "alice subscribe"},
	subBoth:      {"alice subscribe", "bob subscribed", "bob subscribe", "alice subscribed"},
}

// The tables of RFC 6121 A.2, and §2.5.2 for the removal of an item: what is not
// there changes nothing.
var subscriptionChanges = map[string]map[standing]standing{
	"subscribe":    {subNone: subNoneOut, subNoneIn: subNoneOutIn, subFrom: subFromOut},
	"unsubscribe":  {subNoneOut: subNone, subNoneOutIn: subNoneIn, subTo: subNone, subToIn: subNoneIn, subFromOut: subFrom, subBoth: subFrom},
	"subscribed":   {subNoneIn: subFrom, subNoneOutIn: subFromOut, subToIn: subBoth},
	"unsubscribed": {subNoneIn: subNone, subNoneOutIn: subNoneOut, subToIn: subTo, subFrom: subNone, subFromOut: subNoneOut, subBoth: subTo},
	"remove":       {subNoneOut: subNone, subTo: subNone, subFrom: subNone, subFromOut: subNone, subBoth: subNone},
}

func TestSubscriptionsChangeAsTheTablesSay(t *testing.T) {
	onEachUpstream(t, func(t *testing.T, behind upstream) {
		s := newDialoguesSite(t, behind)
		number := 0
		for sent, changes := range subscriptionChanges {
			for before := range subscriptionSteps {
				after, changed := changes[before]
				if !changed {
					after = before
				}
				if sent == "remove" && (before.in || before == subNone) {
					continue // there is no item, or what becomes of the request is left open
				}
				if behind == stockEjabberd && (sent == "remove" && before.out || sent == "subscribed" && before == subTo) {
					continue // it leaves the request with the contact; it subscribes a contact who has not asked
				}
				number++
				// The number gives the dialogue users of its own.
				d := dialogue{file: "states", lines: []dialogueLine{{number: number}}}
				t.Run(fmt.Sprintf("%s, %s", before, sent), func(t *testing.T) {
					t.Parallel()
					p := newPlayer(t, s, d, "xmpp")
					users := map[string]*speaker{"alice": p.appear(p.logIn("alice/desk")), "bob": p.appear(p.logIn("bob/desk"))}
					for _, step := range append(slices.Clone(subscriptionSteps[before]), "alice "+sent) {
						p.changeStanding(users, step)
					}
					if got := p.standing("alice", users["bob"].account); got != after {
						t.Errorf("alice stands to bob: %v, not %v", got, after)
					}
					if got := p.standing("bob", users["alice"].account); got != after.contacts() {
						t.Errorf("bob stands to alice: %v, not %v", got, after.contacts())
					}
				})
			}
		}
	})
}

// changeStanding has one of the two send what a step names.
func (p *player) changeStanding(users map[string]*speaker, step string) {
	p.t.Helper()
	var who, what string
	if _, err := fmt.Sscan(step, &who, &what); err != nil {
		p.t.Fatal(err)
	}
	user, contact := users[who], users["bob"]
	if who == "bob" {
		contact = users["alice"]
	}
	if what == "remove" {
		p.send(user, fmt.Sprintf("<iq type='set' id='remove'><query xmlns='jabber:iq:roster'><item jid='%s' subscription='remove'/></query></iq>", contact.account))
	} else {
		p.send(user, fmt.Sprintf("<presence to='%s' type='%s'/>", contact.account, what))
	}
	p.settle()
}

// standing asks the roster, and a session that becomes available for requests that
// wait (RFC 6121 §3.1.3).
func (p *player) standing(name, contact string) standing {
	p.t.Helper()
	session := p.logIn(name + "/look")
	p.send(session, "<iq type='get' id='look'><query xmlns='jabber:iq:roster'/></iq>")
	p.send(session, "<presence/>")
	p.trip(session)
	found := subNone
	for _, e := range session.heard {
		switch {
		case e.attribute("id") == "look":
			roster, _ := e.child("query")
			for _, item := range roster.Children {
				if item.attribute("jid") == contact {
					found.subscription = item.attribute("subscription")
					found.out = item.attribute("ask") == "subscribe"
				}
			}
		case e.is(nsClient, "presence") && e.attribute("type") == "subscribe" && e.attribute("from") == contact:
			found.in = true
		}
	}
	return found
}
