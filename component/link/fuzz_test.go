package link

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"io"
	"net"
	"testing"

	"mellium.im/xmpp/jid"
	"mellium.im/xmpp/stanza"
)

// deaf is a connection that gives what it holds.
type deaf struct {
	net.Conn
	r io.Reader
}

func (d deaf) Read(p []byte) (int, error) { return d.r.Read(p) }

// tokens reads one stanza and writes nothing.
type tokens struct{ xml.TokenReader }

func (tokens) EncodeToken(xml.Token) error               { return nil }
func (tokens) Encode(any) error                          { return nil }
func (tokens) EncodeElement(any, xml.StartElement) error { return nil }

// FuzzStanzas plays a server that passes on what its users send. Only an IQ
// from the domain with the id of a request is an answer to it.
func FuzzStanzas(f *testing.F) {
	for _, seed := range []string{
		"<iq type='result' id='ID' from='example.org'><command xmlns='http://jabber.org/protocol/commands' status='completed'><note type='error'>User does not exist</note></command></iq>",
		"<iq type='result' id='ID' from='example.org'><command xmlns='http://jabber.org/protocol/commands' status='completed'><x xmlns='jabber:x:data' type='form'><field var='registereduserjids'><value>a@example.org</value></field></x></command></iq>",
		"<iq type='error' id='ID' from='example.org'><error type='cancel'><conflict xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/><text xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'>x</text></error></iq>",
		"<iq type='result' id='ID' from='mallory@example.org'/>",
		"<iq type='get' id='ID' from='example.org'><ping xmlns='urn:xmpp:ping'/></iq>",
		"<message id='ID' from='example.org'><body>x</body></message> <presence/>",
		"<iq type='result' id='ID' from='example.org'></message>",
	} {
		f.Add([]byte(seed))
	}
	l := &Link{name: jid.MustParse("xtoken.example.org"), domain: jid.MustParse("example.org")}
	f.Fuzz(func(t *testing.T, said []byte) {
		answer := make(chan iq, 1)
		s := &session{domain: "example.org", wrote: make(chan struct{}), pending: map[string]chan<- iq{"ID": answer}}
		close(s.wrote) // what would be written has no reader
		stream := io.MultiReader(bytes.NewReader([]byte("<stream:stream xmlns='jabber:component:accept' xmlns:stream='http://etherx.jabber.org/streams'>")), bytes.NewReader(said))
		d := xml.NewDecoder(limit(deaf{r: stream}))
		if _, err := d.Token(); err != nil {
			t.Fatal(err)
		}
		for {
			token, err := d.Token()
			if err != nil {
				break
			}
			start, ok := token.(xml.StartElement)
			if !ok {
				continue
			}
			if err := s.HandleXMPP(tokens{d}, &start); err != nil {
				break
			}
		}
		select {
		case a := <-answer:
			if a.ID != "ID" || a.From != "example.org" || a.Type != stanza.ResultIQ && a.Type != stanza.ErrorIQ {
				t.Fatalf("%q gave the answer %+v", said, a)
			}
			for _, name := range []string{"add-user", "change-user-password", "delete-user", "get-registered-users-list"} {
				if err := l.outcome(name, a); err == nil && a.Type == stanza.ErrorIQ {
					t.Fatalf("%s: %q is taken for success", name, said)
				} else if errors.Is(err, context.Canceled) || errors.Is(err, ErrDown) {
					t.Fatalf("%s: %q is taken for %v", name, said, err)
				}
			}
		default:
		}
	})
}
