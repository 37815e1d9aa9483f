package wire_test

import (
	"encoding/xml"
	"testing"

	"xtokend/component/host/wire"
	"xtokend/internal/element"
)

func TestWithout(t *testing.T) {
	forged := func(e element.Element) bool { return e.Name.Space == "urn:forged" }
	for _, tc := range []struct{ name, unit, bytes string }{
		{"none", `<message><body>hi</body></message>`, `<message from='alice@example.org/desk'><body>hi</body></message>`},
		{"empty", `<message/>`, `<message from='alice@example.org/desk'/>`},
		{"one of three", `<message> <a/><f xmlns='urn:forged'><body/></f>text<b/></message>`,
			`<message from='alice@example.org/desk'> <a/>text<b/></message>`},
		{"all", `<message><f:f xmlns:f='urn:forged'/><f xmlns='urn:forged'/></message>`, `<message from='alice@example.org/desk'></message>`},
		{"by a prefix of the stanza", `<message xmlns:f='urn:forged'><a f:b='c'/><f:f/></message>`,
			`<message xmlns:f='urn:forged' from='alice@example.org/desk'><a f:b='c'/></message>`},
		{"behind a CDATA section", `<message><![CDATA[<f xmlns='urn:forged'/>]]><f xmlns='urn:forged'/></message>`,
			`<message from='alice@example.org/desk'><![CDATA[<f xmlns='urn:forged'/>]]></message>`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s, err := parse(t, tc.unit)
			if err != nil {
				t.Fatal(err)
			}
			clean := s.Without(forged)
			if got := string(clean.Bytes(alice, clean.To)); got != tc.bytes {
				t.Errorf("got  %s\nwant %s", got, tc.bytes)
			}
			for _, c := range clean.Children {
				if forged(c) {
					t.Errorf("%v is still among the children", c.Name)
				}
			}
		})
	}
}

func TestWithID(t *testing.T) {
	for _, tc := range []struct{ unit, bytes string }{
		{`<iq type='get' id="o'1" x:id='2'><q id='3'/></iq>`, `<iq type='get' x:id='2' xmlns:x='urn:x' id='a&amp;b' from='alice@example.org/desk'><q id='3'/></iq>`},
		{`<message/>`, `<message id='a&amp;b' from='alice@example.org/desk'/>`},
	} {
		s, err := parse(t, tc.unit)
		if err != nil {
			t.Fatal(err)
		}
		c := s.WithID("a&b")
		if got := string(c.Bytes(alice, c.To)); !sameElement(t, got, tc.bytes) || c.ID != "a&b" {
			t.Errorf("got  %s\nwant %s", got, tc.bytes)
		}
		if s.ID == c.ID {
			t.Error("the stanza itself was changed")
		}
	}
}

func TestAddressed(t *testing.T) {
	for _, tc := range []struct{ unit, bytes string }{
		{"<presence\n type='unavailable'/>", "<presence\n type='unavailable' from='alice@example.org/desk' to='bob@example.org'><e/></presence>"},
		{`<c:message xmlns:c='jabber:client' id="/>"><c:body/></c:message>`,
			`<c:message xmlns:c='jabber:client' id="/>" from='alice@example.org/desk' to='bob@example.org'><c:body/><e/></c:message>`},
	} {
		if got := string(wire.Addressed([]byte(tc.unit), alice, bob, []byte("<e/>"))); got != tc.bytes {
			t.Errorf("got  %s\nwant %s", got, tc.bytes)
		}
	}
}

// FuzzWithout: what was dropped is gone, and all else stays what it was.
func FuzzWithout(f *testing.F) {
	for _, unit := range []string{`<message><body>hi</body><x:x>a</x:x></message>`, `<presence> <![CDATA[<a/>]]><b/> </presence>`, `<message><a/>]]&gt;<b></b ></message >`} {
		f.Add(unit, uint8(1))
	}
	f.Fuzz(func(t *testing.T, unit string, which uint8) {
		s, _ := parse(t, unit)
		if s == nil {
			return
		}
		i := -1
		var want []element.Element
		clean := s.Without(func(e element.Element) bool {
			i++
			drop := which>>(i%8)&1 == 1
			if !drop {
				want = append(want, e)
			}
			return drop
		}).WithID("new")
		out := clean.Bytes(alice, bob)
		e, err := element.Parse(out, element.Header{ContentNS: wire.NSClient})
		if err != nil {
			t.Fatalf("%q became %q: %v", unit, out, err)
		}
		if i+1 != len(s.Children) || e.AttrValue("id") != "new" || !same(e.Children, want) || !same(clean.Children, want) {
			t.Fatalf("%q became %q", unit, out)
		}
	})
}

func same(a, b []element.Element) bool {
	root := xml.Name{Local: "root"}
	return string(wire.Marshal(element.Element{Name: root, Children: a})) == string(wire.Marshal(element.Element{Name: root, Children: b}))
}
