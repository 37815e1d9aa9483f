package wire_test

import (
	"encoding/xml"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"mellium.im/xmpp/jid"
	"mellium.im/xmpp/stanza"

	"xtokend/component/host/wire"
	"xtokend/internal/element"
	"xtokend/internal/xmlsplit"
)

const streamHeader = `<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' xmlns:x='urn:x'>`

var (
	alice = jid.MustParse("alice@example.org/desk")
	bob   = jid.MustParse("bob@example.org")
)

func parse(t testing.TB, unit string) (*wire.Stanza, error) {
	t.Helper()
	h, err := element.ParseHeader([]byte(streamHeader))
	if err != nil {
		t.Fatal(err)
	}
	return wire.Parse([]byte(unit), h, alice)
}

func TestParse(t *testing.T) {
	for _, tc := range []struct {
		name, unit string
		err        error
		none       bool
		bytes      string // from alice to bob, with <e/>
	}{
		{name: "message", unit: `<message to='bob@example.org' type="chat"><body>hi</body></message>`,
			bytes: `<message type="chat" from='alice@example.org/desk' to='bob@example.org'><body>hi</body><e/></message>`},
		{name: "a forged sender", unit: `<message from='eve@example.org' to = "bob@example.org"  id='1'/>`,
			bytes: `<message  id='1' from='alice@example.org/desk' to='bob@example.org'><e/></message>`},
		{name: "addresses of children stay", unit: `<iq type='set' id='1'><q xmlns='urn:q' to='x' from='y'/></iq>`,
			bytes: `<iq type='set' id='1' from='alice@example.org/desk' to='bob@example.org'><q xmlns='urn:q' to='x' from='y'/><e/></iq>`},
		{name: "a sign in a value", unit: `<message to="a'>b@example.org" id='>'/>`, err: wire.ErrBadAddress,
			bytes: `<message id='>' from='alice@example.org/desk' to='bob@example.org'><e/></message>`},
		{name: "a prefix of the stream", unit: `<message><x:y/></message>`,
			bytes: `<message xmlns:x='urn:x' from='alice@example.org/desk' to='bob@example.org'><x:y/><e/></message>`},
		{name: "a prefix of its own", unit: `<c:message xmlns:c='jabber:client'><c:body>hi</c:body></c:message >`,
			bytes: `<c:message xmlns:c='jabber:client' from='alice@example.org/desk' to='bob@example.org'><c:body>hi</c:body><e/></c:message>`},
		{name: "unknown type of message", unit: `<message type='odd'/>`,
			bytes: `<message type='odd' from='alice@example.org/desk' to='bob@example.org'><e/></message>`},
		{name: "no stanza", unit: `<r xmlns='urn:xmpp:sm:3'/>`, err: wire.ErrNotStanza, none: true},
		{name: "a name in another namespace", unit: `<message xmlns='jabber:server'/>`, err: wire.ErrNotStanza, none: true},
		{name: "not well-formed", unit: `<message><a></b></message>`, err: element.ErrNotWellFormed, none: true},
		{name: "iq without id", unit: `<iq type='get'><q xmlns='urn:q'/></iq>`, err: wire.ErrBadRequest},
		{name: "a long id", unit: `<message id='` + strings.Repeat(`"`, wire.MaxIDBytes+1) + `'/>`, err: wire.ErrBadRequest},
		{name: "an id of that length", unit: `<message id='` + strings.Repeat(`"`, wire.MaxIDBytes) + `'/>`},
		{name: "iq without child", unit: `<iq type='get' id='1'/>`, err: wire.ErrBadRequest},
		{name: "iq with two", unit: `<iq type='get' id='1'><a/><b/></iq>`, err: wire.ErrBadRequest},
		{name: "iq of unknown type", unit: `<iq type='ask' id='1'><a/></iq>`, err: wire.ErrBadRequest},
		{name: "presence of unknown type", unit: `<presence type='away'/>`, err: wire.ErrBadRequest},
		{name: "as many prefixes as there may be", unit: `<message xmlns='jabber:client'` + declarations(wire.MaxDeclarations) + `/>`,
			bytes: `<message xmlns='jabber:client'` + declarations(wire.MaxDeclarations) + ` from='alice@example.org/desk' to='bob@example.org'><e/></message>`},
		{name: "too many prefixes", unit: `<message` + declarations(wire.MaxDeclarations+1) + `/>`, err: wire.ErrBadRequest},
		{name: "too many prefixes with one of the stream", unit: `<message` + declarations(wire.MaxDeclarations) + `><x:y/></message>`, err: wire.ErrBadRequest},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s, err := parse(t, tc.unit)
			if !errors.Is(err, tc.err) || (s == nil) != tc.none {
				t.Fatalf("stanza %v, error %v, want %v", s, err, tc.err)
			}
			if tc.bytes == "" {
				return
			}
			if got := string(s.Bytes(alice, bob, []byte("<e/>"))); got != tc.bytes {
				t.Errorf("got  %s\nwant %s", got, tc.bytes)
			}
		})
	}
}

// declarations declares so many prefixes.
func declarations(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, " xmlns:p%d='urn:p'", i)
	}
	return b.String()
}

func TestAnswers(t *testing.T) {
	s, err := parse(t, `<iq type='get' id='&lt;1&apos;' to='bob@example.org'><q xmlns='urn:q'/></iq>`)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := string(s.Result([]byte("<r/>"))), `<iq type='result' id='&lt;1&#39;' from='bob@example.org' to='alice@example.org/desk'><r/></iq>`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got, want := string(s.Error(wire.Fail(stanza.Forbidden))), `<iq type='error' id='&lt;1&#39;' from='bob@example.org' to='alice@example.org/desk'>`+
		`<error type="auth"><forbidden xmlns="urn:ietf:params:xml:ns:xmpp-stanzas"></forbidden></error></iq>`; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	for _, unit := range []string{`<iq type='result' id='1'/>`, `<iq type='error' id='1'/>`, `<message type='error'/>`, `<presence type='error'/>`} {
		if s, _ := parse(t, unit); s.Error(wire.Fail(stanza.Forbidden)) != nil {
			t.Errorf("%s is answered", unit)
		}
	}
}

func TestDescend(t *testing.T) {
	s, err := parse(t, `<iq type='set' id='1' xmlns:p='urn:p'>text<q xmlns='urn:q'> <p:a x:b='1'>mixed <b/> text</p:a></q></iq>`)
	if err != nil {
		t.Fatal(err)
	}
	q := s.ChildBytes(xml.Name{Space: "urn:q", Local: "q"})
	if want := `<q xmlns:x='urn:x' xmlns:p='urn:p' xmlns='urn:q'> <p:a x:b='1'>mixed <b/> text</p:a></q>`; string(q) != want {
		t.Errorf("got  %s\nwant %s", q, want)
	}
	a := wire.Descend(q, xml.Name{Space: "urn:p", Local: "a"})
	if want := `<p:a xmlns='urn:q' xmlns:p='urn:p' xmlns:x='urn:x' x:b='1'>mixed <b/> text</p:a>`; !sameElement(t, string(a), want) {
		t.Errorf("got  %s\nwant %s", a, want)
	}
	if string(wire.Content(q)) != string(a) {
		t.Errorf("got %s, want %s", wire.Content(q), a)
	}
	if wire.Content(a) == nil || wire.Descend(q, xml.Name{Space: "urn:p", Local: "b"}) != nil || wire.Content([]byte("<a><b/><c/></a>")) != nil {
		t.Error("a child that is not there was found, or one that is was not")
	}
}

// What is in no namespace stays there when it stands alone (Namespaces in XML 1.0
// §6.2).
func TestNoNamespace(t *testing.T) {
	q, a := xml.Name{Space: "urn:q", Local: "q"}, xml.Name{Space: "urn:q", Local: "a"}
	for _, tc := range []struct{ name, unit, content string }{
		{"of the stanza", `<c:message xmlns='' xmlns:c='jabber:client' xmlns:q='urn:q'><q:q><q:a><b/></q:a></q:q></c:message>`, `<b xmlns=''/>`},
		{"of the child", `<message><q:q xmlns='' xmlns:q='urn:q'><q:a><b/></q:a></q:q></message>`, `<b xmlns=''/>`},
		{"of its child", `<message><q:q xmlns:q='urn:q'><q:a xmlns = ''><b><c/></b></q:a></q:q></message>`, `<b xmlns=''><c/></b>`},
		{"of a prefixed one", `<message><q:q xmlns:q='urn:q'><q:a xmlns=''><q:b><c/></q:b></q:a></q:q></message>`,
			`<q:b xmlns:q='urn:q' xmlns=''><c/></q:b>`},
		{"of the content alone", `<message><q xmlns='urn:q'><a><b xmlns=""/></a></q></message>`, `<b xmlns=""/>`},
		{"not of the content", `<message><q:q xmlns='' xmlns:q='urn:q'><q:a><b xmlns='urn:b'/></q:a></q:q></message>`, `<b xmlns='urn:b'/>`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s, err := parse(t, tc.unit)
			if err != nil {
				t.Fatal(err)
			}
			if got := string(wire.Content(wire.Descend(s.ChildBytes(q), a))); got != tc.content {
				t.Errorf("got  %s\nwant %s", got, tc.content)
			}
		})
	}
}

func TestDeclarationsOnTheWay(t *testing.T) {
	for _, tc := range []struct {
		of   string
		n    int
		want bool
	}{
		{"a", wire.MaxDeclarations, true}, {"a", wire.MaxDeclarations + 1, false},
		{"b", wire.MaxDeclarations, true}, {"b", wire.MaxDeclarations + 1, false},
		{"c", wire.MaxDeclarations + 1, true}, // it is not taken apart
	} {
		e := strings.Replace("<a><b><c/></b></a>", "<"+tc.of, "<"+tc.of+declarations(tc.n), 1)
		if got := wire.Content(wire.Descend([]byte(e), xml.Name{Local: "b"})); (got != nil) != tc.want {
			t.Errorf("%d declarations of %s: %q", tc.n, tc.of, got)
		}
	}
}

// What is declared around a child is not what the stream implies.
func TestAChildOfTheStreamsNamespace(t *testing.T) {
	for unit, want := range map[string]string{
		`<message><body>hi</body></message>`:                         `<body xmlns='jabber:client'>hi</body>`,
		`<message xmlns:p='urn:p'><body p:a='1'>hi</body></message>`: `<body xmlns='jabber:client' xmlns:p='urn:p' p:a='1'>hi</body>`,
	} {
		s, err := parse(t, unit)
		if err != nil {
			t.Fatal(err)
		}
		if got := string(s.ChildBytes(xml.Name{Space: wire.NSClient, Local: "body"})); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
}

func sameElement(t *testing.T, a, b string) bool {
	t.Helper()
	x, err := element.Parse([]byte(a), element.Header{})
	if err != nil {
		t.Fatal(err)
	}
	y, err := element.Parse([]byte(b), element.Header{})
	if err != nil {
		t.Fatal(err)
	}
	return string(wire.Marshal(x)) == string(wire.Marshal(y))
}

// FuzzParse: what a stanza is passed on as has the same children, and the
// addresses that it was given; what it is taken apart into is what was in it.
func FuzzParse(f *testing.F) {
	for _, unit := range []string{`<message to='bob@example.org' type="chat"><body>hi</body></message>`, `<c:iq xmlns:c="jabber:client" from='a' type='get' id='1'><q xmlns='q'/></c:iq>`,
		`<presence to = "bob"
 from="x"/>`, `<message from='a' x:from="b" froma='c'><x:y/></message>`,
		`<c:iq xmlns:c='jabber:client' xmlns='' id='1' type='set'><p:a xmlns:p='urn:p'>a<p:b xmlns='urn:b'><c/><d xmlns=''><e/></d></p:b><b/></p:a></c:iq>`} {
		f.Add(unit)
	}
	f.Fuzz(func(t *testing.T, unit string) {
		s, _ := parse(t, unit)
		if s == nil {
			return
		}
		out := s.Bytes(alice, bob, []byte("<extra xmlns='urn:e'/>"))
		var sc xmlsplit.Scanner
		sc.StartInside()
		if n, kind, err := sc.Scan(out); err != nil || kind != xmlsplit.Element || n != len(out) {
			t.Fatalf("%q became %q, which is not one element", unit, out)
		}
		e, err := element.Parse(out, element.Header{ContentNS: wire.NSClient})
		if err != nil {
			t.Fatalf("%q became %q: %v", unit, out, err)
		}
		last := len(e.Children) - 1
		if e.AttrValue("from") != alice.String() || e.AttrValue("to") != bob.String() || e.Children[last].Name.Local != "extra" ||
			string(wire.Marshal(element.Element{Children: e.Children[:last]})) != string(wire.Marshal(element.Element{Children: s.Children})) {
			t.Fatalf("%q became %q", unit, out)
		}
		if len(s.Children) > 0 && strings.Count(unit, "xmlns:") < wire.MaxDeclarations {
			first := s.Children[0]
			takenApart(t, s.ChildBytes(first.Name), first)
		}
	})
}

// takenApart checks that e, which stands alone, is want, and so is the first child of
// each name in it.
func takenApart(t *testing.T, e []byte, want element.Element) {
	t.Helper()
	got, err := element.Parse(e, element.Header{})
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Fatalf("%q is %v, %v; want %v", e, got, err, want)
	}
	seen := make(map[xml.Name]bool)
	for _, c := range want.Children {
		if !seen[c.Name] {
			seen[c.Name] = true
			takenApart(t, wire.Descend(e, c.Name), c)
		}
	}
	if content := wire.Content(e); len(want.Children) == 1 {
		takenApart(t, content, want.Children[0])
	} else if content != nil {
		t.Fatalf("%q has the content %q", e, content)
	}
}
