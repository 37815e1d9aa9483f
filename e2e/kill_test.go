package e2e

import (
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strconv"
	"syscall"
	"testing"
)

// kills is how often the program is killed in one test.
const kills = 8

// TestAKilledHostLosesNothingAcknowledged kills xtokend with its host at random
// moments while alice sends messages, changes her roster and asks to subscribe.
// What was acknowledged to her (XEP-0198) or answered by a result is there after
// the next start.
func TestAKilledHostLosesNothingAcknowledged(t *testing.T) {
	s := newSiteOn(t, builtInHost, nil)
	for round := range kills {
		t.Run(strconv.Itoa(round), func(t *testing.T) {
			k := &killed{s: s, round: round, bob: fmt.Sprintf("bob%d", round)}
			k.play(t)
		})
	}
}

// killed is one round: alice says things about a bob of its own, until the host
// is killed.
type killed struct {
	s     *site
	round int
	bob   string

	sent     []string // alice's stanzas in order: the body of a message, "" for others
	acked    int      // how many of them the host has acknowledged
	contacts []string // that the host has said are in her roster
	got      []string // the bodies that bob has got
}

func (k *killed) play(t *testing.T) {
	bob := k.managed(t, k.bob)
	if k.round%2 == 0 { // else bob stays, and acknowledges some
		k.end(t, bob)
		bob = nil
	} else {
		k.write(t, bob, "<presence xmlns='jabber:client'/>")
	}
	received := make(chan []string, 1)
	go func() { received <- k.receive(bob) }()

	alice := k.managed(t, "alice")
	k.converse(t, alice, 1+rand.IntN(120))
	k.s.endFront(syscall.SIGKILL)
	k.listen(t, alice, len(k.sent)+1) // what was on its way
	k.got = <-received
	t.Logf("%d stanzas sent, %d acknowledged, %d contacts, %d messages read before the kill", len(k.sent), k.acked, len(k.contacts), len(k.got))
	k.s.startFront()

	k.check(t)
}

// managed is a session of user with stream management, not yet available.
func (k *killed) managed(t *testing.T, user string) *stream {
	t.Helper()
	session := k.s.mustBind(user, k.s.service("xmpp"))
	k.write(t, session, "<enable xmlns='"+nsSM+"'/>")
	if answer, err := session.read(); err != nil || !answer.is(nsSM, "enabled") {
		t.Fatalf("<enable/> was answered by %v, %v", answer, err)
	}
	return session
}

func (k *killed) write(t *testing.T, session *stream, stanza string) {
	t.Helper()
	if err := session.write("%s", stanza); err != nil {
		t.Fatal(err)
	}
}

// end ends a session in good order.
func (k *killed) end(t *testing.T, session *stream) {
	t.Helper()
	k.write(t, session, "</stream:stream>")
	for {
		if _, err := session.read(); err == io.EOF {
			return
		} else if err != nil {
			t.Fatal(err)
		}
	}
}

// converse has alice say things, with a request for acknowledgement each, and
// returns when that many are acknowledged; more are on their way then.
func (k *killed) converse(t *testing.T, alice *stream, enough int) {
	t.Helper()
	k.say(t, alice, "", fmt.Sprintf("<presence xmlns='jabber:client' type='subscribe' to='%s@%s'/>", k.bob, domain))
	for k.acked < enough {
		for range 1 + rand.IntN(10) {
			n := len(k.sent)
			if n%5 == 0 {
				k.say(t, alice, "", fmt.Sprintf("<iq xmlns='jabber:client' type='set' id='%d'><query xmlns='jabber:iq:roster'><item jid='%s' name='%d'/></query></iq>",
					n, k.contact(n), k.round))
			} else {
				body := fmt.Sprintf("%d of round %d", n, k.round)
				k.say(t, alice, body, fmt.Sprintf("<message xmlns='jabber:client' type='chat' to='%s@%s'><body>%s</body></message>", k.bob, domain, body))
			}
		}
		k.listen(t, alice, k.acked+1)
	}
}

func (k *killed) contact(n int) string { return fmt.Sprintf("contact%d.%d@%s", k.round, n, domain) }

func (k *killed) say(t *testing.T, alice *stream, body, stanza string) {
	t.Helper()
	k.sent = append(k.sent, body)
	k.write(t, alice, stanza+"<r xmlns='"+nsSM+"'/>")
}

// listen reads what alice is told until that many stanzas are acknowledged, or
// her connection ends.
func (k *killed) listen(t *testing.T, alice *stream, enough int) {
	t.Helper()
	for k.acked < enough {
		e, err := alice.read()
		switch {
		case err != nil && enough > len(k.sent): // after the kill
			return
		case err != nil:
			t.Fatal(err)
		case e.is(nsSM, "a"):
			if k.acked, err = strconv.Atoi(e.attribute("h")); err != nil {
				t.Fatal(err)
			}
		case e.attribute("type") == "result":
			n, err := strconv.Atoi(e.attribute("id"))
			if err != nil {
				t.Fatal(err)
			}
			k.contacts = append(k.contacts, k.contact(n))
		case e.attribute("type") == "error":
			t.Fatalf("alice was told %v", e)
		}
	}
}

// receive reads bob's messages until his connection ends, and acknowledges them
// from time to time. Without a session there are none.
func (k *killed) receive(bob *stream) (bodies []string) {
	if bob == nil {
		return nil
	}
	handled := 0
	for {
		e, err := bob.read()
		switch {
		case err != nil:
			return bodies
		case e.is(nsSM, "r"):
			if rand.IntN(3) == 0 {
				bob.write("<a xmlns='%s' h='%d'/>", nsSM, handled)
			}
		case e.XMLName.Space == "jabber:client":
			handled++
			if body, ok := e.child("body"); ok {
				bodies = append(bodies, body.Text)
			}
		}
	}
}

// check compares what is there after the start with what alice was told.
func (k *killed) check(t *testing.T) {
	t.Helper()
	after, subscribers := k.atLogin(t, k.bob)
	if !slices.IsSortedFunc(after, func(a, b string) int { return slices.Index(k.sent, a) - slices.Index(k.sent, b) }) {
		t.Errorf("messages are out of order: %q", after)
	}
	if len(after) != len(slices.Compact(slices.Sorted(slices.Values(after)))) {
		t.Errorf("messages came twice after the start: %q", after)
	}
	for _, body := range k.sent[:k.acked] {
		if body != "" && !slices.Contains(after, body) && !slices.Contains(k.got, body) {
			t.Errorf("%q was acknowledged and is lost", body)
		}
	}
	if k.acked > 0 && !slices.Contains(subscribers, "alice@"+domain) && len(k.got) == 0 {
		t.Error("the request to subscribe was acknowledged and is lost")
	}
	if again, _ := k.atLogin(t, k.bob); len(again) > 0 {
		t.Errorf("messages came again though they were acknowledged: %q", again)
	}
	roster := k.roster(t, "alice")
	for _, contact := range k.contacts {
		if roster[contact] != strconv.Itoa(k.round) {
			t.Errorf("%s was put into the roster and is lost", contact)
		}
	}
}

// atLogin are the messages and the requests to subscribe that wait for a user,
// who acknowledges all.
func (k *killed) atLogin(t *testing.T, user string) (bodies, subscribers []string) {
	t.Helper()
	session := k.managed(t, user)
	k.write(t, session, "<presence xmlns='jabber:client'/><iq xmlns='jabber:client' type='get' id='last' to='"+domain+"'><ping xmlns='urn:xmpp:ping'/></iq>")
	handled := 0
	for {
		e, err := session.read()
		if err != nil {
			t.Fatal(err)
		}
		if e.XMLName.Space != "jabber:client" {
			continue
		}
		handled++
		switch {
		case e.attribute("id") == "last":
			k.write(t, session, fmt.Sprintf("<a xmlns='%s' h='%d'/>", nsSM, handled))
			k.end(t, session)
			return bodies, subscribers
		case e.attribute("type") == "subscribe":
			subscribers = append(subscribers, e.attribute("from"))
		case e.is("jabber:client", "message"):
			body, _ := e.child("body")
			bodies = append(bodies, body.Text)
		}
	}
}

// roster is a user's, as names by address.
func (k *killed) roster(t *testing.T, user string) map[string]string {
	t.Helper()
	session := k.s.mustBind(user, k.s.service("xmpp"))
	k.write(t, session, "<iq xmlns='jabber:client' type='get' id='roster'><query xmlns='jabber:iq:roster'/></iq>")
	answer, err := session.read()
	query, ok := answer.child("query")
	if err != nil || !ok {
		t.Fatalf("the roster is %v, %v", answer, err)
	}
	names := make(map[string]string)
	for _, item := range query.Children {
		names[item.attribute("jid")] = item.attribute("name")
	}
	k.end(t, session)
	return names
}
