package host_test

import (
	"context"
	"io"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	"mellium.im/xmpp/jid"

	"xtokend/component/host"
	"xtokend/internal/element"
	"xtokend/internal/xmlsplit"
)

// FuzzStream: whatever a client says, what it and another hear is XMPP, and no
// stanza that the other hears claims to be from somebody else.
func FuzzStream(f *testing.F) {
	const bound = header + "<iq type='set' id='1'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>a</resource></bind></iq>"
	for _, says := range []string{
		"<presence/><message to='bob@example.org' type='chat'><body>1</body></message></stream:stream>",
		"<presence type='subscribe' to='bob@example.org'/><presence to='bob@example.org/b'/>",
		"<enable xmlns='urn:xmpp:sm:3' resume='1'/><r xmlns='urn:xmpp:sm:3'/><a xmlns='urn:xmpp:sm:3' h='0'/><resume xmlns='urn:xmpp:sm:3' h='0' previd='x'/>",
		"<iq type='set' id='r'><query xmlns='jabber:iq:roster'><item jid='bob@example.org' name='b'><group>x</group></item></query></iq><iq type='get' id='g'><query xmlns='jabber:iq:roster'/></iq>",
		"<iq type='get' id='1' to='bob@example.org/b' from='eve@example.org'><q xmlns='urn:q'/></iq>",
		"<iq type='set' id='p'><pubsub xmlns='http://jabber.org/protocol/pubsub'><publish node='n'><item id='i'><x:x xmlns:x='urn:x'>&lt;</x:x></item></publish>" +
			"<publish-options><x xmlns='jabber:x:data'><field var='pubsub#max_items'><value>max</value></field></x></publish-options></pubsub></iq>" +
			"<iq type='get' id='i' to='alice@example.org'><pubsub xmlns='http://jabber.org/protocol/pubsub'><items node='n'/></pubsub></iq>",
		"<presence><c xmlns='http://jabber.org/protocol/caps' node='n' ver='v' hash='sha-1'/></presence><iq type='set' id='v'><vCard xmlns='vcard-temp'/></iq>",
		"<iq type='get' id='c'><pubsub xmlns='http://jabber.org/protocol/pubsub#owner'><configure node='n'/></pubsub></iq><iq type='get' id='d' to='alice@example.org'><query xmlns='http://jabber.org/protocol/disco#info'/></iq>",
		"<message xmlns:from='x' from:from='eve@example.org' to='bob@example.org/b'/>",
	} {
		f.Add(bound + says)
	}
	f.Fuzz(func(t *testing.T, says string) {
		h, err := host.New(host.Config{Domain: domain, Log: slog.New(slog.DiscardHandler), Limits: host.Limits{QueueBytes: 1 << 18}})
		if err != nil {
			t.Fatal(err)
		}
		defer h.Close()
		bob := online(t, h, "bob/b")
		conn, err := h.Open(context.Background(), jid.MustParse("alice@"+domain))
		if err != nil {
			t.Fatal(err)
		}
		io.WriteString(conn, says)
		conn.SetReadDeadline(time.Now().Add(5 * time.Millisecond))
		heard := make([]byte, 2<<20) // more than may wait: one Read takes all that is there
		n, err := conn.Read(heard)
		if err != nil && err != os.ErrDeadlineExceeded {
			t.Fatal(err)
		}
		heard = heard[:n]
		isStream(t, string(heard))
		conn.Close()
		for {
			bob.send("<iq type='get' id='fuzz' to='example.org'><ping xmlns='urn:xmpp:ping'/></iq>")
			for {
				unit := bob.next()
				if strings.HasPrefix(unit, "<iq type='result' id='fuzz'") {
					return
				}
				e, err := element.Parse([]byte(unit), element.Header{ContentNS: "jabber:client"})
				if err != nil {
					t.Fatalf("%q: %v", unit, err)
				}
				if from := e.AttrValue("from"); !strings.HasPrefix(from+"/", "alice@example.org/") && from != "" && from != "example.org" {
					t.Fatalf("%q came from nobody who is there", unit)
				}
			}
		}
	})
}

// isStream checks that what was heard is a stream as far as it goes.
func isStream(t *testing.T, heard string) {
	t.Helper()
	r := xmlsplit.NewReader(strings.NewReader(heard), xmlsplit.Limits{})
	var h element.Header
	for {
		kind, unit, err := r.Next()
		switch {
		case err == io.EOF:
			return
		case err != nil:
			t.Fatalf("%q: %v", heard, err)
		case kind == xmlsplit.Header:
			if h, err = element.ParseHeader(unit); err != nil {
				t.Fatalf("%q: %v", heard, err)
			}
		case kind == xmlsplit.Element:
			if _, err := element.Parse(unit, h); err != nil {
				t.Fatalf("%q: %v", unit, err)
			}
		}
	}
}
