package host_test

import (
	"path/filepath"
	"testing"

	"xtokend/component/host"
)

func TestWhatIsOnDiskIsThereAfterARestart(t *testing.T) {
	path := filepath.Join(t.TempDir(), "host.db")
	h := newHost(t, host.Config{Path: path})
	alice := online(t, h, "alice/a")
	alice.roster()
	login(t, h, "bob/b").send("</stream:stream>")
	login(t, h, "carol/c").send("</stream:stream>")
	alice.send(rosterSet, 1, "<item jid='bob@example.org' name='Bob'><group>Work</group></item>")
	alice.send("<presence type='subscribe' to='bob@example.org'/>")
	alice.send("<message to='bob@example.org' type='chat' id='1'><body>one</body></message>")
	alice.send("<message to='carol@example.org' type='chat' id='2'><body>two</body></message>")
	carol := online(t, h, "carol/c")
	carol.expect("<message type='chat' id='2' …</message>")
	carol.send("<presence type='subscribe' to='alice@example.org'/>")
	alice.send("<presence type='subscribed' to='carol@example.org'/>")
	carol.all()
	if err := h.Close(); err != nil {
		t.Fatal(err)
	}

	h = newHost(t, host.Config{Path: path})
	bob := online(t, h, "bob/b")
	bob.expect("<presence type='subscribe' from='alice@example.org' to='bob@example.org'/>")
	bob.expect("<message type='chat' id='1' …<body>one</body><delay …</message>")
	bob.expectNothing()
	alice = online(t, h, "alice/a")
	alice.wantRoster("bob none*", "carol from")
	alice.send("<message to='carol@example.org' type='chat' id='3'><body>three</body></message>")
	carol = online(t, h, "carol/c")
	carol.expect("<presence from='alice@example.org/a' …/>")
	carol.expect("<message type='chat' id='3' …</message>")
	carol.wantRoster("alice to")
	carol.expectNothing()
}
