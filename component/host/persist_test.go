package host_test

import (
	"path/filepath"
	"testing"

	"xtokend/component/host"
	"xtokend/component/host/journal"
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

// A file that holds what the host never wrote is not served from.
func TestADamagedFileIsRefused(t *testing.T) {
	for _, tc := range []struct{ name, bucket, key, value string }{
		{"a contact of nobody", "roster", "alice\x00bob@example.org", `{"subscription":"none"}`},
		{"a localpart that is none", "accounts", "a@b", ""},
		{"a contact that is no address", "roster", "bob\x00@", `{"subscription":"none"}`},
		{"a contact that is not JSON", "roster", "bob\x00alice@example.org", "{"},
		{"a request of no address", "requests", "bob\x00@", "<presence/>"},
		{"a message without a time", "messages", "bob\x00\x00\x00\x00\x00\x00\x00\x00\x01", "x"},
		{"a vCard of what is no user", "vcards", "bob\x00x", "<vCard/>"},
		{"a node that is not JSON", "nodes", "bob\x00urn:note", "{"},
		{"an item of no node", "items", "bob\x00urn:note\x00a", "\x00\x00\x00\x00\x00\x00\x00\x00<note/>"},
		{"an item without a number", "items", "bob\x00urn:note\x00a", "1"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "host.db")
			j, err := journal.Open(path, journal.Options{})
			if err != nil {
				t.Fatal(err)
			}
			j.Put("accounts", "bob", nil)
			j.Put(tc.bucket, tc.key, []byte(tc.value))
			if err := j.Close(); err != nil {
				t.Fatal(err)
			}
			if h, err := host.New(host.Config{Domain: domain, Path: path}); err == nil {
				h.Close()
				t.Error("it was read")
			}
		})
	}
}

// Numbers go on where they were, so that no message takes another's place; what
// was taken out stays out; what waits still counts.
func TestARestartBetweenMessages(t *testing.T) {
	c := host.Config{Path: filepath.Join(t.TempDir(), "host.db"), Limits: host.Limits{KeptBytes: 250}}
	h := newHost(t, c)
	login(t, h, "bob/b").send("</stream:stream>")
	for i := range 2 {
		alice := login(t, h, "alice/a")
		alice.send("<message to='bob@example.org' type='chat' id='%d'><body>0123456789</body></message>", i)
		alice.send(rosterSet, i, "<item jid='bob@example.org'/>")
		alice.expect("<iq type='result' …")
		alice.send(rosterSet, i, "<item jid='bob@example.org' subscription='remove'/>")
		alice.expect("<iq type='result' …")
		if err := h.Close(); err != nil {
			t.Fatal(err)
		}
		h = newHost(t, c)
	}
	alice := login(t, h, "alice/a")
	alice.wantRoster()
	alice.send("<message to='bob@example.org' type='chat' id='2'><body>0123456789</body></message>")
	alice.expect("<message type='error' id='2' …<service-unavailable…")
	bob := online(t, h, "bob/b")
	bob.expect("<message type='chat' id='0' …")
	bob.expect("<message type='chat' id='1' …")
	bob.expectNothing()
}
