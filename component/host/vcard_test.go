package host_test

import (
	"path/filepath"
	"strings"
	"testing"

	"xtokend/component/host"
)

const getVCard = "<iq type='get' id='1'%s><vCard xmlns='vcard-temp'/></iq>"

func TestVCard(t *testing.T) {
	h := newHost(t, host.Config{})
	alice := login(t, h, "alice/a")
	bob := login(t, h, "bob/b")
	for _, to := range []string{"", " to='bob@example.org'"} { // never set
		alice.send(getVCard, to)
		alice.expect("<iq type='result' id='1' …><vCard xmlns='vcard-temp'/></iq>")
	}
	for _, to := range []string{" to='nobody@example.org'", " to='example.org'"} {
		alice.send(getVCard, to)
		alice.expect("<iq type='error' id='1' …><item-not-found …</iq>")
	}
	const vCard = "<FN>Bob &amp; Co.</FN> <x:PHOTO xmlns:x='vcard-temp'><BINVAL xmlns='vcard-temp'>AA==</BINVAL></x:PHOTO>"
	bob.send("<iq type='set' id='2'><vCard xmlns='vcard-temp'>" + vCard + "</vCard></iq>")
	bob.expect("<iq type='result' id='2' to='bob@example.org/b'/>")
	bob.send(getVCard, "")
	bob.expect("<iq type='result' id='1' to='bob@example.org/b'><vCard xmlns='vcard-temp'>" + vCard + "</vCard></iq>")
	alice.send(getVCard, " to='bob@example.org'")
	alice.expect("<iq type='result' id='1' from='bob@example.org' to='alice@example.org/a'><vCard xmlns='vcard-temp'>" + vCard + "</vCard></iq>")
	alice.send("<iq type='set' id='3' to='bob@example.org'><vCard xmlns='vcard-temp'/></iq>")
	alice.expect("<iq type='error' id='3' …><forbidden …</iq>")
	bob.send("<iq type='set' id='4' to='bob@example.org'><vCard xmlns='vcard-temp'/></iq>")
	bob.expect("<iq type='result' id='4' …/>")
	bob.send(getVCard, "")
	bob.expect("<iq type='result' id='1' to='bob@example.org/b'><vCard xmlns='vcard-temp'/></iq>")
}

// A vCard whose prefix the stream declares stands alone when another reads it.
func TestVCardWithAPrefixOfTheStream(t *testing.T) {
	h := newHost(t, host.Config{})
	bob := login(t, h, "bob/b")
	bob.send("<iq type='set' id='2' xmlns:v='vcard-temp'><v:vCard><v:FN>Bob</v:FN></v:vCard></iq>")
	bob.expect("<iq type='result' id='2' …/>")
	alice := login(t, h, "alice/a")
	alice.send(getVCard, " to='bob@example.org'")
	alice.expect("<iq …><v:vCard xmlns…v='vcard-temp'…><v:FN>Bob</v:FN></v:vCard></iq>")
}

func TestVCardsAreBounded(t *testing.T) {
	h := newHost(t, host.Config{Limits: host.Limits{ItemBytes: 100}})
	alice := login(t, h, "alice/a")
	fits := "<vCard xmlns='vcard-temp'>" + strings.Repeat(" ", 100-len("<vCard xmlns='vcard-temp'></vCard>")) + "</vCard>"
	alice.send("<iq type='set' id='1'>" + fits + "</iq>")
	alice.expect("<iq type='result' id='1' …/>")
	alice.send("<iq type='set' id='2'>" + strings.Replace(fits, " ", "  ", 1) + "</iq>")
	alice.expect("<iq type='error' id='2' …type=\"modify\"><not-acceptable …</iq>")
	alice.send(getVCard, "")
	alice.expect("<iq …>" + fits + "</iq>")
}

func TestVCardsSurviveARestart(t *testing.T) {
	path := filepath.Join(t.TempDir(), "host.db")
	h := newHost(t, host.Config{Path: path})
	alice := login(t, h, "alice/a")
	alice.send("<iq type='set' id='1'><vCard xmlns='vcard-temp'><FN>Alice</FN></vCard></iq>")
	alice.expect("<iq type='result' id='1' …/>")
	if err := h.Close(); err != nil {
		t.Fatal(err)
	}
	bob := login(t, newHost(t, host.Config{Path: path}), "bob/b")
	bob.send(getVCard, " to='alice@example.org'")
	bob.expect("<iq type='result' …><vCard xmlns='vcard-temp'><FN>Alice</FN></vCard></iq>")
}
