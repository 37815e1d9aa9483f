package host_test

import (
	"testing"

	"xtokend/component/host"
)

const rooms = "rooms.example.org"

// enter has a client that is online join a room, up to its subject.
func (c *client) enter(room, nick string) {
	c.t.Helper()
	c.send("<presence to='%s@%s/%s'><x xmlns='http://jabber.org/protocol/muc'/></presence>", room, rooms, nick)
	for !matches("<message …<subject…", c.next()) {
	}
}

// What a room says reaches sessions and users, and a session that ends leaves.
func TestRoomsAreServed(t *testing.T) {
	h := newHost(t, host.Config{Rooms: rooms})
	alice := online(t, h, "alice/a")
	alice.send("<iq type='get' id='1' to='example.org'><query xmlns='http://jabber.org/protocol/disco#items'/></iq>")
	alice.expect("<iq type='result' id='1' …jid=\"rooms.example.org\"…")
	alice.enter("tea", "Alice")
	alice.send("<iq type='set' id='2' to='tea@rooms.example.org'><query xmlns='http://jabber.org/protocol/muc#owner'><x xmlns='jabber:x:data' type='submit'/></query></iq>")
	alice.expect("<iq type='result' id='2' …")
	alice.all()

	login(t, h, "carol/c").send("</stream:stream>")
	alice.send("<message to='tea@rooms.example.org'><x xmlns='http://jabber.org/protocol/muc#user'><invite to='carol@example.org'/></x></message>")
	carol := online(t, h, "carol/c")
	carol.expect("<message …from='tea@rooms.example.org'…<invite from=…<delay…")

	bob := online(t, h, "bob/b")
	bob.send("<iq type='set' id='3'><vCard xmlns='vcard-temp'><NICKNAME>bob</NICKNAME></vCard></iq>")
	bob.next()
	bob.enter("tea", "Bob")
	alice.expect("<presence from='tea@rooms.example.org/Bob' …")
	alice.send("<iq type='get' id='4' to='tea@rooms.example.org/Bob'><vCard xmlns='vcard-temp'/></iq>")
	alice.expect("<iq type='result' id='4' from='tea@rooms.example.org/Bob' …<NICKNAME>bob</NICKNAME>…")
	alice.send("<message type='groupchat' to='tea@rooms.example.org'><body>hello</body></message>")
	bob.expect("<message …from='tea@rooms.example.org/Alice' …<body>hello</body>…")
	alice.expect("<message …from='tea@rooms.example.org/Alice' …<body>hello</body>…")

	bob.drop()
	alice.expect("<presence …type='unavailable'…from='tea@rooms.example.org/Bob'…")
	alice.send("<presence type='unavailable' to='tea@rooms.example.org/Alice'/>")
	alice.expect("<presence …type='unavailable'…from='tea@rooms.example.org/Alice'…")
	alice.send("<iq type='get' id='5' to='rooms.example.org'><query xmlns='http://jabber.org/protocol/disco#items'/></iq>")
	alice.expect("<iq type='result' id='5' from='rooms.example.org' to='alice@example.org/a'><query xmlns=\"http://jabber.org/protocol/disco#items\"></query></iq>")
}
