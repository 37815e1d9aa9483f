package host_test

import (
	"fmt"
	"strings"
	"testing"

	"xtokend/component/host"
)

const rosterSet = "<iq type='set' id='%d'><query xmlns='jabber:iq:roster'>%s</query></iq>"

func TestARosterIsKept(t *testing.T) {
	h := newHost(t, host.Config{})
	desk, phone := login(t, h, "alice/desk"), login(t, h, "alice/phone")
	phone.roster()
	desk.send(rosterSet, 1, "<item jid='bob@example.org/x' name='B &amp; b'><group>Friends</group><group>Work</group></item>")
	desk.expect("<iq type='result' id='1' to='alice@example.org/desk'/>") // it has not asked for the roster yet
	const item = `<item jid="bob@example.org" name="B &amp; b" subscription="none"><group>Friends</group><group>Work</group></item>`
	phone.expect(`<iq type='set' id='…' to='alice@example.org/phone'><query xmlns="jabber:iq:roster">` + item + `</query></iq>`)
	desk.send("<iq type='get' id='2' to='alice@example.org'><query xmlns='jabber:iq:roster'/></iq>")
	desk.expect(`<iq type='result' id='2' from='alice@example.org' to='alice@example.org/desk'><query xmlns="jabber:iq:roster">` + item + `</query></iq>`)

	desk.send(rosterSet, 3, "<item jid='bob@example.org' subscription='both' ask='subscribe'/>") // not the client's to say
	desk.expect("<iq type='result' id='3' …/>")
	desk.expect(`<iq type='set' …><item jid="bob@example.org" subscription="none"></item></query></iq>`)
	phone.next()
	desk.send(rosterSet, 4, "<item jid='bob@example.org' subscription='remove'/>")
	desk.expect("<iq type='result' id='4' …/>")
	desk.expect(`<iq type='set' …><item jid="bob@example.org" subscription="remove"></item></query></iq>`)
	phone.next()
	desk.wantRoster()
}

func TestRosterChangesAreRefused(t *testing.T) {
	for _, tc := range []struct{ name, items, fault string }{
		{"nothing", "", "bad-request"},
		{"two items", "<item jid='a@example.org'/><item jid='b@example.org'/>", "bad-request"},
		{"another element", "<item xmlns='urn:x' jid='a@example.org'/>", "bad-request"},
		{"no address", "<item/>", "bad-request"},
		{"a malformed address", "<item jid='@'/>", "jid-malformed"},
		{"the user", "<item jid='alice@example.org'/>", "not-allowed"},
		{"a group twice", "<item jid='a@example.org'><group>x</group><group>x</group></item>", "bad-request"},
		{"a group without name", "<item jid='a@example.org'><group/></item>", "not-acceptable"},
		{"a long group", "<item jid='a@example.org'><group>" + strings.Repeat("x", 1024) + "</group></item>", "not-acceptable"},
		{"a long name", "<item jid='a@example.org' name='" + strings.Repeat("x", 1024) + "'/>", "not-acceptable"},
		{"removal of what is not there", "<item jid='a@example.org' subscription='remove'/>", "item-not-found"},
		{"one too many", "<item jid='c@example.org'/>", "resource-constraint"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			h := newHost(t, host.Config{Limits: host.Limits{RosterItems: 1}})
			alice := login(t, h, "alice/desk")
			alice.send(rosterSet, 1, "<item jid='b@example.org'/>")
			alice.next()
			alice.send(rosterSet, 2, tc.items)
			alice.expect("<iq type='error' id='2' …><error type=\"…\"><%s xmlns=…", tc.fault)
			alice.wantRoster("b none")
		})
	}
	h := newHost(t, host.Config{})
	online(t, h, "bob/b")
	alice := login(t, h, "alice/desk")
	for _, to := range []string{"bob@example.org", "nobody@example.org", "example.org"} {
		alice.send("<iq type='get' id='1' to='%s'><query xmlns='jabber:iq:roster'/></iq>", to)
		alice.expect("<iq type='error' id='1' from='%s' …service-unavailable…", to)
	}
}

func TestBinding(t *testing.T) {
	h := newHost(t, host.Config{Limits: host.Limits{Sessions: 2}})
	const bind = "<iq type='set' id='1'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'>%s</bind></iq>"
	first := connect(t, h, "alice")
	first.send(bind, "<resource>&lt;desk&gt;</resource>")
	first.expect("<iq type='result' id='1'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><jid>alice@example.org/&lt;desk&gt;</jid></bind></iq>")
	second := connect(t, h, "alice")
	second.send(bind, "")
	if got := second.expect("<iq type='result' id='1'><bind …><jid>alice@example.org/…</jid></bind></iq>"); len(got) < 120 {
		t.Errorf("the resource of %s can be guessed", got)
	}
	third := connect(t, h, "alice")
	third.send(bind, "")
	third.expect("<iq type='error' id='1'>…resource-constraint…")
	third.send(bind, "<resource>&lt;desk&gt;</resource>")
	third.expect("<iq type='result' …&lt;desk&gt;…")
	first.expect("<stream:error><conflict xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error>")
	first.conn.Write([]byte("<iq type='set' id='1'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>"))

	for _, what := range []string{"<message to='bob@example.org'/>", "<iq type='get' id='1'><ping xmlns='urn:xmpp:ping'/></iq>", "<presence/>"} {
		c := connect(t, h, "bob")
		c.send(what)
		c.expect("<stream:error><not-authorized xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error>")
	}
}

func TestStreamsThatBreakTheRulesEnd(t *testing.T) {
	h := newHost(t, host.Config{Limits: host.Limits{ElementBytes: 10000, ElementDepth: 5}})
	for _, tc := range []struct{ name, says, fault string }{
		{"no stanza", "<x xmlns='urn:x'/>", "unsupported-stanza-type"},
		{"not well-formed", "<message><a></b></message>", "not-well-formed"},
		{"an unbound prefix", "<message><p:a/></message>", "not-well-formed"},
		{"a comment", "<!-- -->", "restricted-xml"},
		{"too long", "<message>" + strings.Repeat("x", 10000), "policy-violation"},
		{"too deep", "<message>" + strings.Repeat("<a>", 10), "policy-violation"},
		{"an unknown element of stream management", "<x xmlns='urn:xmpp:sm:3'/>", "unsupported-stanza-type"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := online(t, h, fmt.Sprintf("alice/%x", tc.name))
			c.send(tc.says)
			for got := c.next(); ; got = c.next() {
				if strings.HasPrefix(got, "<presence") {
					continue
				}
				if !matches("<stream:error><"+tc.fault+" …/></stream:error>", got) {
					t.Errorf("got %s", got)
				}
				break
			}
			c.drop()
		})
	}
}
