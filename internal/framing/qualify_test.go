package framing_test

import (
	"encoding/xml"
	"io"
	"strings"
	"testing"

	"xtokend/internal/element"
	"xtokend/internal/framing"
	"xtokend/internal/xmlsplit"
)

const header = `<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' xmlns:x='urn:x?a&amp;b'>`

func parsed(t testing.TB) element.Header {
	t.Helper()
	h, err := element.ParseHeader([]byte(header))
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func TestQualify(t *testing.T) {
	for _, tc := range []struct{ name, unit, want string }{
		{"a stanza", `<message to='a'/>`, `<message xmlns='jabber:client' to='a'/>`},
		{"a name alone", `<message/>`, `<message xmlns='jabber:client'/>`},
		{"its own namespace", `<r xmlns='urn:xmpp:sm:3'/>`, `<r xmlns='urn:xmpp:sm:3'/>`},
		{"another order and quotes", "<r\n a = 'b' xmlns = \"urn:xmpp:sm:3\"/>", "<r\n a = 'b' xmlns = \"urn:xmpp:sm:3\"/>"},
		{"a declaration in a value", `<m a="xmlns='x'"/>`, `<m xmlns='jabber:client' a="xmlns='x'"/>`},
		{"a declaration of a child", `<m><x xmlns='urn:x'/></m>`, `<m xmlns='jabber:client'><x xmlns='urn:x'/></m>`},
		{"an attribute that ends so", `<m axmlns='x' xmlns-a='y'/>`, `<m xmlns='jabber:client' axmlns='x' xmlns-a='y'/>`},
		{"the prefix of the stream", `<stream:features><bind xmlns='b'/></stream:features>`,
			`<stream:features xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'><bind xmlns='b'/></stream:features>`},
		{"the prefix, declared already", `<stream:error xmlns:stream='http://etherx.jabber.org/streams'/>`,
			`<stream:error xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'/>`},
		{"an extra prefix", `<m><x:y/></m>`, `<m xmlns='jabber:client' xmlns:x='urn:x?a&amp;b'><x:y/></m>`},
		{"an extra prefix in an attribute", `<m x:y='1'/>`, `<m xmlns='jabber:client' xmlns:x='urn:x?a&amp;b' x:y='1'/>`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := string(framing.Qualify([]byte("before"), []byte(tc.unit), parsed(t))); got != "before"+tc.want {
				t.Errorf("got  %s\nwant before%s", got, tc.want)
			}
		})
	}
}

// FuzzQualify: encoding/xml reads the same out of the element inside its stream
// and out of the one that stands alone.
func FuzzQualify(f *testing.F) {
	for _, unit := range []string{`<message to='a'/>`, `<stream:features><x:b a="'>"/></stream:features>`, `<a xmlns="b"><c/></a>`, `<x:a xmlns:x='y'/>`} {
		f.Add(unit)
	}
	f.Fuzz(func(t *testing.T, unit string) {
		s := xmlsplit.Scanner{Relay: true}
		s.StartInside()
		n, kind, err := s.Scan([]byte(unit))
		if err != nil || kind != xmlsplit.Element || n != len(unit) {
			return
		}
		want, ok := tokens(header + unit + `</stream:stream>`)
		if !ok {
			return
		}
		got, _ := tokens(string(framing.Qualify(nil, []byte(unit), parsed(t))))
		if len(want) < 2 || strings.Join(got, "\n") != strings.Join(want[1:len(want)-1], "\n") {
			t.Errorf("%q: got %q, want %q", unit, got, want)
		}
	})
}

// tokens is what encoding/xml reads, without declarations; ok is false if it
// refuses the document.
func tokens(document string) (out []string, ok bool) {
	d := xml.NewDecoder(strings.NewReader(document))
	for {
		token, err := d.Token()
		if err == io.EOF {
			return out, true
		}
		if err != nil {
			return nil, false
		}
		switch token := token.(type) {
		case xml.StartElement:
			line := token.Name.Space + " " + token.Name.Local
			for _, a := range token.Attr {
				if a.Name.Space != "xmlns" && a.Name.Local != "xmlns" {
					line += " " + a.Name.Space + " " + a.Name.Local + "=" + a.Value
				}
			}
			out = append(out, "<"+line)
		case xml.EndElement:
			out = append(out, ">")
		case xml.CharData:
			out = append(out, string(token))
		}
	}
}
