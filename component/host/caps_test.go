package host_test

import (
	"crypto/sha1"
	"encoding/base64"
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

// hashOf is the hash of a text (XEP-0115 §5.1).
func hashOf(text string) string {
	sum := sha1.Sum([]byte(text))
	return base64.StdEncoding.EncodeToString(sum[:])
}

func event(items string) string {
	return "<message type='headline' id='…' from='alice@example.org' to='…'><event xmlns='http://jabber.org/protocol/pubsub#event'>" + items + "</event></message>"
}

func noteEvent(node, id, text string) string {
	return event(fmt.Sprintf("<items node='%s'><item id='%s'><note xmlns='urn:note'>%s</note></item></items>", node, id, text))
}

// converse is what converse.js 14 answers.
const converse = "<identity category='client' name='Converse' type='web'/>" +
	"<feature var='http://jabber.org/protocol/chatstates'/><feature var='http://jabber.org/protocol/disco#info'/>" +
	"<feature var='http://jabber.org/protocol/muc'/><feature var='http://jabber.org/protocol/rosterx'/>" +
	"<feature var='jabber:x:conference'/><feature var='jabber:x:oob'/><feature var='storage:bookmarks+notify'/>" +
	"<feature var='urn:ietf:params:xml:ns:conference-info+notify'/><feature var='urn:xmpp:carbons:2'/>" +
	"<feature var='urn:xmpp:http:upload:0'/><feature var='urn:xmpp:idle:1'/><feature var='urn:xmpp:mam:2'/>" +
	"<feature var='urn:xmpp:message-correct:0'/><feature var='urn:xmpp:reactions:0'/><feature var='urn:xmpp:reply:0'/>" +
	"<feature var='urn:xmpp:spoiler:0'/><feature var='urn:xmpp:xbosh'/><feature var='vcard-temp'/><feature var='vcard-temp:x:update'/>"

// capsForm is an extended answer about tea (XEP-0128).
func capsForm(kind, fields string) string {
	return "<x xmlns='jabber:x:data' type='result'><field var='FORM_TYPE' type='hidden'>" + kind + "</field>" + fields + "</x>"
}

// A hash that an answer has shown to be right is not asked for again. The first
// two are the examples of XEP-0115 §5.2 and §5.3, that of converse.js is what it
// says itself, and those of parts that begin alike are from Prosody.
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
		{name: "converse.js", hash: "sha-1", ver: "Ie1YxbYElqMhUzpkIAN6dKFpmsM=", answer: converse},
		{name: "parts that begin alike", hash: "sha-1", ver: "mTs4xF/Zw8kPUD3SX/s0qwygl4E=", answer: "<identity category='client' type='pc' name='Tunes'/>" +
			"<feature var='urn:note+notify'/><feature var='urn:note'/>" +
			capsForm("<value>urn:tea:2</value>", "<field var='milk'><value>yes</value></field>") +
			capsForm("<value>urn:tea</value>", "<field var='kind:2'><value>black+</value><value>black</value></field><field var='kind'><value>green</value></field>")},
		{name: "a form of two kinds", hash: "sha-1", ver: hashOf("client/pc//Tunes<urn:tea<"), answer: "<identity category='client' type='pc' name='Tunes'/>" +
			capsForm("<value>urn:tea</value><value>urn:coffee</value>", ""), again: "asked"},
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
	mallory.send("<iq type='result' id=''><query xmlns='http://jabber.org/protocol/disco#info'>%s</query></iq>", answer) // to none
	mallory.publish("urn:note", "a", "one")
	mallory.published("urn:note", "a")
	mallory.expectNothing()
	alice.send("<iq type='result' id='x' to='alice@example.org'><query xmlns='http://jabber.org/protocol/disco#info'>%s</query></iq>", answer)
	alice.send("<iq type='error' id='%s' to='alice@example.org'><query xmlns='http://jabber.org/protocol/disco#info'>%s</query></iq>", id, answer)
	alice.send("<iq type='result' id='%s' to='alice@example.org'><query xmlns='http://jabber.org/protocol/disco#info'>%s</query></iq>", id, answer)
	alice.publish("urn:note", "a", "one")
	alice.published("urn:note", "a")
	alice.expectNothing()
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

// What is known of a client counts for that algorithm alone.
func TestAHashIsThatOfItsAlgorithm(t *testing.T) {
	h := newHost(t, host.Config{})
	ver, answer := tunes("urn:note")
	alice := login(t, h, "alice/a")
	alice.says("sha-1", ver)
	alice.isAsked(ver, answer)
	for i, hash := range []string{"sha-256", ""} {
		bob := login(t, h, fmt.Sprint("bob/", i))
		bob.says(hash, ver)
		bob.isAsked(ver, answer)
		bob.send("</stream:stream>")
	}
}

// Of a client that says something else before it has answered, the answer is one
// to nothing.
func TestAnAnswerMayComeTooLate(t *testing.T) {
	h := newHost(t, host.Config{})
	old, oldAnswer := tunes("urn:old")
	is, isAnswer := tunes("urn:new")
	bob := login(t, h, "bob/b")
	bob.says("sha-1", is)
	bob.isAsked(is, isAnswer)
	alice := login(t, h, "alice/a")
	alice.says("sha-1", old)
	_, id, _ := strings.Cut(alice.next(), "id='")
	id, _, _ = strings.Cut(id, "'")
	alice.says("sha-1", is)
	alice.send("<iq type='result' id='%s' to='alice@example.org'><query xmlns='http://jabber.org/protocol/disco#info'>%s</query></iq>", id, oldAnswer)
	for _, node := range []string{"urn:old", "urn:new"} {
		alice.publish(node, "a", "one")
		alice.published(node, "a")
	}
	alice.expect(noteEvent("urn:new", "a", "one"))
	alice.expectNothing()
}

// A client that becomes available anew must say what it is (XEP-0115 §8.4).
func TestWhatAClientIsEndsWithItsPresence(t *testing.T) {
	h := newHost(t, host.Config{})
	ver, answer := tunes("urn:note")
	alice := login(t, h, "alice/a")
	alice.says("sha-1", ver)
	alice.isAsked(ver, answer)
	alice.send("<presence type='unavailable'/>")
	alice.expect("<presence type='unavailable' …/>")
	alice.send("<presence/>")
	alice.expect("<presence from='%s' …/>", alice.jid())
	alice.publish("urn:note", "a", "one")
	alice.published("urn:note", "a")
	alice.expectNothing()
	alice.says("sha-1", ver)
	alice.expect(noteEvent("urn:note", "a", "one"))
	alice.expectNothing()
}

// A question that could not be put, since the client did not read, is put when
// there is another occasion.
func TestAClientIsAskedWhenItReads(t *testing.T) {
	const queue = 4000
	h := newHost(t, host.Config{Limits: host.Limits{QueueBytes: queue}})
	ver, answer := tunes("urn:note")
	alice, bob := login(t, h, "alice/a"), login(t, h, "bob/b")
	alice.send(capsPresence, "sha-1", strings.Repeat("v", len(ver)))
	presence := alice.next()
	alice.next()
	const message = "<message to='alice@example.org/a' type='headline'>%s</message>"
	bob.send(message, "")
	empty := alice.next()

	bob.send(message, strings.Repeat("x", queue-len(presence)-len(empty)))
	bob.expectNothing()
	alice.send(capsPresence, "sha-1", ver)
	alice.expect("<message …</message>")
	alice.expect("<presence from='%s' …</presence>", alice.jid())
	alice.expectNothing()
	alice.says("sha-1", ver)
	alice.isAsked(ver, answer)
}

func TestWhatClientsSayIsBounded(t *testing.T) {
	const most = 1023
	h := newHost(t, host.Config{})
	alice := login(t, h, "alice/a")
	fits := strings.Repeat("v", most-len("urn:client")-len("sha-1"))
	alice.says("sha-1", fits+"v")
	alice.expectNothing()
	alice.says("sha-1", fits)
	alice.isAsked(fits, "")
}

// Of what a client wants to hear of, the first 64 names count that a node can have.
func TestInterestsAreBounded(t *testing.T) {
	const most, nameBytes = 64, 255
	var nodes []string
	for i := range most + 1 {
		nodes = append(nodes, fmt.Sprintf("urn:%02d:", i))
	}
	longest := nodes[most-1] + strings.Repeat("n", nameBytes-len(nodes[0]))
	nodes[most-1] = longest
	tooLong := "urn:" + strings.Repeat("-", nameBytes-3) // before the others
	h := newHost(t, host.Config{})
	alice := listens(t, h, "alice/a", append(nodes, tooLong)...)
	for _, node := range []string{nodes[0], longest, nodes[most]} {
		alice.publish(node, "a", "one")
		alice.published(node, "a")
		if node != nodes[most] {
			alice.expect(noteEvent(node, "a", "one"))
		}
	}
	alice.expectNothing()
}
