package host_test

import (
	"context"
	"testing"

	"mellium.im/xmpp/jid"

	"xtokend/component/host"
	"xtokend/internal/xmlsplit"
)

func TestOnlyUsersOfTheDomainAreOpened(t *testing.T) {
	h := newHost(t, host.Config{})
	for _, address := range []string{"alice@example.com", "example.org", "alice@example.org/desk"} {
		if _, err := h.Open(context.Background(), jid.MustParse(address)); err == nil {
			t.Errorf("%s was let in", address)
		}
	}
}

func TestTheSenderIsStamped(t *testing.T) {
	h := newHost(t, host.Config{})
	bob := online(t, h, "bob/phone")
	alice := login(t, h, "alice/desk")
	alice.send("<message from='eve@example.org/x' to='bob@example.org' type='chat' id='1'><body>hi</body></message>")
	bob.expect("<message type='chat' id='1' from='alice@example.org/desk' to='bob@example.org'><body>hi</body></message>")
	alice.send("<iq from='eve@example.org' type='get' id='2' to='bob@example.org/phone'><q xmlns='urn:q'/></iq>")
	bob.expect("<iq type='get' id='2' from='alice@example.org/desk' to='bob@example.org/phone'><q xmlns='urn:q'/></iq>")
	bob.send("<iq type='result' id='2' to='alice@example.org/desk'/>")
	alice.expect("<iq type='result' id='2' from='bob@example.org/phone' to='alice@example.org/desk'/>")
}

func TestACleanCloseIsAnswered(t *testing.T) {
	h := newHost(t, host.Config{})
	c := online(t, h, "alice/desk")
	c.send("</stream:stream>")
	c.expectUnit(xmlsplit.End)
	if n, err := c.conn.Read(make([]byte, 1)); n != 0 || err == nil {
		t.Errorf("read %d bytes, %v", n, err)
	}
}
