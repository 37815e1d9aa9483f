package host_test

import (
	"crypto/sha1"
	"fmt"
	"strings"
	"testing"

	"mellium.im/xmpp/disco"
	"mellium.im/xmpp/disco/info"

	"xtokend/component/host"
)

const capsPresence = "<presence><c xmlns='http://jabber.org/protocol/caps' hash='%s' node='urn:client' ver='%s'/></presence>"

// says sends presence with the hash of a client.
func (c *client) says(hash, ver string) {
	c.t.Helper()
	c.send(capsPresence, hash, ver)
	c.expect("<presence from='%s' …</presence>", c.jid())
}

// isAsked answers the host's question about the client.
func (c *client) isAsked(ver, answer string) {
	c.t.Helper()
	bare, _, _ := strings.Cut(c.jid(), "/")
	got := c.expect("<iq type='get' id='…' from='%s' to='%s'><query xmlns=\"http://jabber.org/protocol/disco#info\" node=\"urn:client#%s\"></query></iq>", bare, c.jid(), ver)
	_, id, _ := strings.Cut(got, "id='")
	id, _, _ = strings.Cut(id, "'")
	c.send("<iq type='result' id='%s' to='%s'><query xmlns='http://jabber.org/protocol/disco#info' node='urn:client#%s'>%s</query></iq>", id, bare, ver, answer)
}

// tunes is what a client answers that wants to hear of these nodes, and its hash,
// made by mellium's code.
func tunes(nodes ...string) (ver, answer string) {
	i := disco.Info{Identity: []info.Identity{{Category: "client", Type: "pc", Name: "Tunes"}}}
	answer = "<identity category='client' type='pc' name='Tunes'/>"
	for _, n := range nodes {
		i.Features = append(i.Features, info.Feature{Var: n + "+notify"})
		answer += fmt.Sprintf("<feature var='%s+notify'/>", n)
	}
	return i.Hash(sha1.New()), answer
}

func event(items string) string {
	return "<message type='headline' id='…' from='alice@example.org' to='…'><event xmlns='http://jabber.org/protocol/pubsub#event'>" + items + "</event></message>"
}

func noteEvent(node, id, text string) string {
	return event(fmt.Sprintf("<items node='%s'><item id='%s'><note xmlns='urn:note'>%s</note></item></items>", node, id, text))
}

// A hash that an answer has shown to be right is not asked for again. The first
// two are the examples of XEP-0115 §5.2 and §5.3.
func TestClientsAreKnownByTheirHash(t *testing.T) {
	many, manyAnswer := tunes("urn:b", "urn:a", "http://jabber.org/protocol/tune", "urn:a-b")
	for _, tc := range []struct{ name, hash, ver, answer, again string }{
		{name: "XEP-0115 simple", hash: "sha-1", ver: "QgayPKawpkPSDYmwT/WM94uAlu0=", answer: "<identity category='client' name='Exodus 0.9.1' type='pc'/>" +
			"<feature var='http://jabber.org/protocol/caps'/><feature var='http://jabber.org/protocol/disco#info'/>" +
			"<feature var='http://jabber.org/protocol/disco#items'/><feature var='http://jabber.org/protocol/muc'/>"},
		{name: "XEP-0115 complex", hash: "sha-1", ver: "q07IKJEyjvHSyhy//CH0CxmKi8w=", answer: "<identity xml:lang='en' category='client' name='Psi 0.11' type='pc'/>" +
			"<identity xml:lang='el' category='client' name='Ψ 0.11' type='pc'/>" +
			"<feature var='http://jabber.org/protocol/caps'/><feature var='http://jabber.org/protocol/disco#info'/>" +
			"<feature var='http://jabber.org/protocol/disco#items'/><feature var='http://jabber.org/protocol/muc'/>" +
			"<x xmlns='jabber:x:data' type='result'><field var='FORM_TYPE' type='hidden'><value>urn:xmpp:dataforms:softwareinfo</value></field>" +
			"<field var='ip_version'><value>ipv4</value><value>ipv6</value></field><field var='os'><value>Mac</value></field>" +
			"<field var='os_version'><value>10.5.1</value></field><field var='software'><value>Psi</value></field>" +
			"<field var='software_version'><value>0.11</value></field></x>"},
		{name: "mellium", hash: "sha-1", ver: many, answer: manyAnswer},
		{name: "wrong", hash: "sha-1", ver: many, answer: "<feature var='urn:a+notify'/>", again: "asked"},
		{name: "empty", hash: "sha-1", ver: many, answer: "", again: "asked"},
		{name: "another algorithm", hash: "sha-256", ver: many, answer: manyAnswer, again: "asked"},
		{name: "no algorithm", hash: "", ver: many, answer: manyAnswer, again: "asked"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			h := newHost(t, host.Config{})
			alice, bob := login(t, h, "alice/a"), login(t, h, "bob/b")
			alice.says(tc.hash, tc.ver)
			alice.isAsked(tc.ver, tc.answer)
			alice.expectNothing()
			bob.says(tc.hash, tc.ver)
			if tc.again != "" {
				bob.isAsked(tc.ver, tc.answer)
			}
			bob.expectNothing()
			alice.says(tc.hash, tc.ver)
			alice.expectNothing()
		})
	}
}

// Many answers have one hash. One that hides in an identity or a form what others
// list as a feature does not keep events from them.
func TestNobodySpeaksForOthersOfHisHash(t *testing.T) {
	ver, _ := tunes("http://jabber.org/protocol/tune", "urn:note")
	for _, answer := range []string{
		"<identity category='client' type='pc' name='Tunes&lt;http://jabber.org/protocol/tune+notify&lt;urn:note+notify'/>",
		"<identity category='client' type='pc' name='Tunes'/><identity category='http:' type='' xml:lang='jabber.org' name='protocol/tune+notify'/><feature var='urn:note+notify'/>",
		"<identity category='client' type='pc' name='Tunes'/><feature var='http://jabber.org/protocol/tune+notify'/>" +
			"<x xmlns='jabber:x:data'><field var='FORM_TYPE' type='hidden'><value>urn:note+notify</value></field></x>",
		"<identity category='client' type='pc' name='Tunes'/><feature var='http://jabber.org/protocol/tune+notify&lt;urn:note+notify'/>",
	} {
		h := newHost(t, host.Config{})
		mallory := login(t, h, "mallory/m")
		mallory.says("sha-1", ver)
		mallory.isAsked(ver, answer)
		mallory.expectNothing()
		alice := login(t, h, "alice/a")
		alice.says("sha-1", ver)
		alice.expectNothing() // the hash is right, so nobody is asked again
		for _, node := range []string{"http://jabber.org/protocol/tune", "urn:note"} {
			alice.publish(node, "a", "one")
			alice.published(node, "a")
			alice.expect(noteEvent(node, "a", "one"))
		}
	}
}

func TestAnAnswerMustBeToTheQuestion(t *testing.T) {
	h := newHost(t, host.Config{})
	ver, answer := tunes("urn:note")
	mallory, alice := login(t, h, "mallory/m"), login(t, h, "alice/a")
	alice.says("sha-1", ver)
	query := alice.next()
	_, id, _ := strings.Cut(query, "id='")
	id, _, _ = strings.Cut(id, "'")
	for _, forged := range []string{
		"<iq type='result' id='" + id + "' to='alice@example.org'>%s</iq>",
		"<iq type='result' id='" + id + "'>%s</iq>",
	} {
		mallory.send(fmt.Sprintf(forged, "<query xmlns='http://jabber.org/protocol/disco#info'>"+answer+"</query>"))
	}
	mallory.expectNothing()
	alice.send("<iq type='result' id='x' to='alice@example.org'><query xmlns='http://jabber.org/protocol/disco#info'>%s</query></iq>", answer)
	alice.send("<iq type='error' id='%s' to='alice@example.org'/>", id)
	alice.send("<iq type='result' id='%s' to='alice@example.org'><query xmlns='http://jabber.org/protocol/disco#info'>%s</query></iq>", id, answer)
	alice.publish("urn:note", "a", "one")
	alice.published("urn:note", "a")
}

// Of more clients than are remembered, one is asked again.
func TestKnownClientsAreBounded(t *testing.T) {
	h := newHost(t, host.Config{})
	alice, bob := login(t, h, "alice/a"), login(t, h, "bob/b")
	const clients = 257
	for i := range clients {
		ver, answer := tunes(fmt.Sprint("urn:", i))
		alice.says("sha-1", ver)
		alice.isAsked(ver, answer)
	}
	asked := 0
	for i := range clients {
		ver, _ := tunes(fmt.Sprint("urn:", i))
		bob.says("sha-1", ver)
		bob.send("<iq type='get' id='ping' to='example.org'><ping xmlns='urn:xmpp:ping'/></iq>")
		if strings.Contains(bob.next(), "disco#info") {
			asked++
			bob.next()
		}
	}
	if asked != 1 {
		t.Errorf("%d of %d were asked", asked, clients)
	}
}
