package link

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"io"
	"log/slog"
	"net"
	"sync/atomic"
	"testing"
	"time"

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

// theirs are operations for users of the domain, by bare JID.
type theirs struct {
	t    *testing.T
	done atomic.Bool
}

func (o *theirs) Status(context.Context) []Fact {
	o.done.Store(true)
	return []Fact{{"version", "Version", []string{"<1>"}}}
}

func (o *theirs) EndSessions(user jid.JID) int {
	o.done.Store(true)
	if user.Localpart() == "" || user.Domainpart() != "example.org" || user.Resourcepart() != "" {
		o.t.Errorf("the sessions of %q are to be ended", user)
	}
	return 1
}

func (o *theirs) Revoke(_ context.Context, user jid.JID) (int, error) {
	return o.EndSessions(user), nil
}

// FuzzStanzas plays a server that passes on what its users send. Only an IQ
// from the domain with the id of a request is an answer to it, only an admin has
// something done, and whoever asks is answered alone.
func FuzzStanzas(f *testing.F) {
	for _, seed := range []string{
		"<iq type='result' id='ID' from='example.org'><command xmlns='http://jabber.org/protocol/commands' status='completed'><note type='error'>User does not exist</note></command></iq>",
		"<iq type='result' id='ID' from='example.org'><command xmlns='http://jabber.org/protocol/commands' status='completed'><x xmlns='jabber:x:data' type='form'><field var='registereduserjids'><value>a@example.org</value></field></x></command></iq>",
		"<iq type='error' id='ID' from='example.org'><error type='cancel'><conflict xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/><text xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'>x</text></error></iq>",
		"<iq type='result' id='ID' from='mallory@example.org'/>",
		"<iq type='get' id='ID' from='example.org'><ping xmlns='urn:xmpp:ping'/></iq>",
		"<message id='ID' from='example.org'><body>x</body></message> <presence/>",
		"<iq type='result' id='ID' from='example.org'></message>",
		"<iq type='get' id='1' from='a@example.org/x' to='xtoken.example.org'><query xmlns='http://jabber.org/protocol/disco#info' node='status'/></iq>",
		"<iq type='get' id='1' from='ops@example.org/x' to='xtoken.example.org'><query xmlns='http://jabber.org/protocol/disco#items' node='http://jabber.org/protocol/commands'/></iq>",
		"<iq type='get' id='1' from='b@example.com' to='xtoken.example.org'><query xmlns='jabber:iq:version'/></iq>",
		"<iq type='set' id='1' from='ops@example.org/x' to='xtoken.example.org'><command xmlns='http://jabber.org/protocol/commands' node='status'/></iq>",
		"<iq type='set' id='1' from='ops@example.org/x' to='xtoken.example.org'><command xmlns='http://jabber.org/protocol/commands' node='revoke' action='execute'/></iq>" +
			"<iq type='set' id='2' from='ops@example.org/x' to='xtoken.example.org'><command xmlns='http://jabber.org/protocol/commands' node='revoke' action='cancel' sessionid='s'/></iq>",
		"<iq type='set' id='1' from='ops@example.org/x' to='xtoken.example.org'><command xmlns='http://jabber.org/protocol/commands' node='http://jabber.org/protocol/admin#end-user-session'>" +
			"<x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE'><value>http://jabber.org/protocol/admin</value></field>" +
			"<field var='accountjids'><value>alice@example.org</value><value>bob@example.org</value></field></x></command></iq>",
	} {
		f.Add([]byte(seed))
	}
	l := &Link{name: jid.MustParse("xtoken.example.org"), domain: jid.MustParse("example.org"), log: slog.New(slog.DiscardHandler)}
	f.Fuzz(func(t *testing.T, said []byte) {
		answer := make(chan iq, 1)
		o := &theirs{t: t}
		l.face = newFace(Config{Admins: []jid.JID{jid.MustParse("ops@example.org")}, Operations: o, Now: func() time.Time { return time.Unix(1e9, 0) }}, l)
		s := &session{domain: "example.org", face: l.face, ctx: t.Context(), out: make(chan any), wrote: make(chan struct{}), pending: map[string]chan<- iq{"ID": answer}}
		go func() {
			defer close(s.wrote)
			for v := range s.out {
				a := v.(iq)
				if _, err := xml.Marshal(a); err != nil || a.Type != stanza.ResultIQ && a.Type != stanza.ErrorIQ ||
					!bytes.Contains([]byte(a.From), []byte("xtoken.example.org")) || a.To == "" {
					t.Errorf("%q is answered by %+v: %v", said, a, err)
				}
			}
		}()
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
		s.commands.Wait()
		close(s.out)
		<-s.wrote
		if o.done.Load() && !bytes.Contains(said, []byte("ops")) {
			t.Errorf("%q has something done", said)
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
