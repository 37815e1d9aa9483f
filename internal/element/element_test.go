package element_test

import (
	"encoding/xml"
	"errors"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"xtokend/internal/element"
	"xtokend/internal/xmlsplit"
)

func client(local string) xml.Name { return xml.Name{Space: "jabber:client", Local: local} }

func attr(local, value string) xml.Attr {
	return xml.Attr{Name: xml.Name{Local: local}, Value: value}
}

var elements = []struct {
	name  string
	input string
	want  element.Element // with an empty Name: ErrNotWellFormed
}{
	{name: "auth", input: `<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='X-TOKEN'>AGE=</auth>`,
		want: element.Element{Name: xml.Name{Space: "urn:ietf:params:xml:ns:xmpp-sasl", Local: "auth"}, Attr: []xml.Attr{attr("mechanism", "X-TOKEN")}, Text: "AGE="}},
	{name: "content namespace", input: `<iq/>`, want: element.Element{Name: client("iq")}},
	{name: "no namespace", input: `<iq xmlns=''/>`, want: element.Element{Name: xml.Name{Local: "iq"}}},
	{name: "stream prefix", input: `<stream:error><a/></stream:error>`,
		want: element.Element{Name: xml.Name{Space: nsStream, Local: "error"}, Children: []element.Element{{Name: client("a")}}}},
	{name: "declared in the header", input: `<x:a/>`, want: element.Element{Name: xml.Name{Space: "urn:x", Local: "a"}}},
	{name: "redeclared", input: `<x:a xmlns:x='urn:y'><x:b xmlns:x='urn:z'/><x:c/></x:a>`,
		want: element.Element{Name: xml.Name{Space: "urn:y", Local: "a"}, Children: []element.Element{
			{Name: xml.Name{Space: "urn:z", Local: "b"}}, {Name: xml.Name{Space: "urn:y", Local: "c"}}}}},
	{name: "scope of default namespace", input: `<a><b xmlns='urn:b'><c/></b><d/></a>`,
		want: element.Element{Name: client("a"), Children: []element.Element{
			{Name: xml.Name{Space: "urn:b", Local: "b"}, Children: []element.Element{{Name: xml.Name{Space: "urn:b", Local: "c"}}}},
			{Name: client("d")}}}},
	{name: "declared behind its use", input: `<a p:b='c' xmlns:p='urn:p'/>`,
		want: element.Element{Name: client("a"), Attr: []xml.Attr{{Name: xml.Name{Space: "urn:p", Local: "b"}, Value: "c"}}}},
	{name: "attribute without prefix has no namespace", input: `<a b='c' x:b='d'/>`,
		want: element.Element{Name: client("a"), Attr: []xml.Attr{attr("b", "c"), {Name: xml.Name{Space: "urn:x", Local: "b"}, Value: "d"}}}},
	{name: "xml:lang", input: `<a xml:lang='en'/>`,
		want: element.Element{Name: client("a"), Attr: []xml.Attr{{Name: xml.Name{Space: "http://www.w3.org/XML/1998/namespace", Local: "lang"}, Value: "en"}}}},
	{name: "text, CDATA and references", input: "<a>b&lt;<c>no</c><![CDATA[<d>&amp;]]>]] &#x20AC;\r\n</a>",
		want: element.Element{Name: client("a"), Text: "b<<d>&amp;]] €\n", Children: []element.Element{{Name: client("c"), Text: "no"}}}},
	{name: "reference to surrogate as CDATA", input: `<a><![CDATA[&#xD800;]]></a>`, want: element.Element{Name: client("a"), Text: "&#xD800;"}},
	{name: "line ends", input: "<a b='\r\n\r'>\r\r\n&#13;\n\r&#10;<![CDATA[\r\n]]></a>",
		want: element.Element{Name: client("a"), Attr: []xml.Attr{attr("b", "\n\n")}, Text: "\n\n\r\n\n\n\n"}},
	{name: "text around children", input: "<a>b<c>d</c>e<f/>g<h>i<j>k</j></h></a>",
		want: element.Element{Name: client("a"), Text: "beg", Children: []element.Element{{Name: client("c"), Text: "d"}, {Name: client("f")},
			{Name: client("h"), Text: "i", Children: []element.Element{{Name: client("j"), Text: "k"}}}}}},
	{name: "brackets", input: "<a b=']]>'>]] ]&#93;>]&gt;]</a>",
		want: element.Element{Name: client("a"), Attr: []xml.Attr{attr("b", "]]>")}, Text: "]] ]]>]>]"}},
	{name: "reference with zeros", input: `<a>&#x0000000000000000000041;&#000000000000000000000066;</a>`, want: element.Element{Name: client("a"), Text: "AB"}},
	{name: "names beyond ASCII", input: `<é:a xmlns:é='urn:é' ñ='ñ'/>`, want: element.Element{Name: xml.Name{Space: "urn:é", Local: "a"}, Attr: []xml.Attr{attr("ñ", "ñ")}}},
	{name: "many declarations", input: "<a" + manyDeclarations + "><p0:b xmlns:p0='urn:q' xmlns:p39='urn:r'><p39:c/></p0:b><p0:d p39:e='f'/></a>",
		want: element.Element{Name: client("a"), Children: []element.Element{
			{Name: xml.Name{Space: "urn:q", Local: "b"}, Children: []element.Element{{Name: xml.Name{Space: "urn:r", Local: "c"}}}},
			{Name: xml.Name{Space: "urn:0", Local: "d"}, Attr: []xml.Attr{{Name: xml.Name{Space: "urn:39", Local: "e"}, Value: "f"}}}}}},
	{name: "space in end tag", input: "<x:a></x:a\n>", want: element.Element{Name: xml.Name{Space: "urn:x", Local: "a"}}},

	{name: "nothing"},
	{name: "text", input: `a`},
	{name: "space before", input: ` <a/>`},
	{name: "space behind", input: `<a/> `},
	{name: "two elements", input: `<a/><b/>`},
	{name: "bytes behind", input: `<a/>b`},
	{name: "unended", input: `<a><b></b>`},
	{name: "end alone", input: `</a>`},
	{name: "mismatched end", input: `<a><b></a></b>`},
	{name: "end of another prefix", input: `<x:a xmlns:y='urn:x'></y:a>`},
	{name: "end in other case", input: `<a></A>`},
	{name: "unbound prefix", input: `<p:a/>`},
	{name: "prefix out of scope", input: `<a><p:b xmlns:p='urn:p'/><p:c/></a>`},
	{name: "unbound prefix of attribute", input: `<a p:b='c'/>`},
	{name: "duplicate attribute", input: `<a b='c' b='c'/>`},
	{name: "duplicate attribute after resolution", input: `<a xmlns:y='urn:x' x:b='c' y:b='d'/>`},
	{name: "duplicate declaration", input: `<a xmlns:y='urn:y' xmlns:y='urn:y'/>`},
	{name: "duplicate default declaration", input: `<a xmlns='urn:y' xmlns='urn:y'/>`},
	{name: "prefix without namespace", input: `<a xmlns:y=''/>`},
	{name: "xml prefix rebound", input: `<a xmlns:xml='urn:y'/>`},
	{name: "xml namespace as default", input: `<a xmlns='http://www.w3.org/XML/1998/namespace'/>`},
	{name: "xml namespace under another prefix", input: `<a xmlns:y='http://www.w3.org/XML/1998/namespace'/>`},
	{name: "xmlns prefix declared", input: `<a xmlns:xmlns='urn:y'/>`},
	{name: "xmlns namespace bound", input: `<a xmlns:y='http://www.w3.org/2000/xmlns/'/>`},
	{name: "xmlns as prefix of element", input: `<xmlns:a/>`},
	{name: "two colons", input: `<x:a:b/>`},
	{name: "empty prefix", input: `<:a/>`},
	{name: "empty local part", input: `<x:/>`},
	{name: "empty prefix declared", input: `<a xmlns:='urn:y'/>`},
	{name: "local part begun by digit", input: `<x:1/>`},
	{name: "local part begun by an extender", input: "<x:\u02d0/>"},
	{name: "name of the fifth edition", input: "<\U00010000/>"},
	{name: "prefix out of scope among many", input: "<a" + manyDeclarations + "><b xmlns:q='urn:q'/><q:c/></a>"},
	{name: "duplicate declaration among many", input: "<a" + manyDeclarations + " xmlns:p7='urn:7'/>"},
	{name: "duplicate attribute among many", input: "<a" + manyDeclarations + " xmlns:q='urn:7'" + manyAttributes + " q:a='b'/>"},
	{name: "bad UTF-8 in text", input: "<a>\xc3\x28</a>"},
	{name: "overlong UTF-8", input: "<a>\xc0\xaf</a>"},
	{name: "surrogate in UTF-8", input: "<a>\xed\xa0\x80</a>"},
	{name: "bad UTF-8 in CDATA", input: "<a><![CDATA[\xff]]></a>"},
	{name: "bad UTF-8 in name", input: "<a\xff/>"},
	{name: "bad UTF-8 in value", input: "<a b='\xff'/>"},
	{name: "U+FFFE", input: "<a>\ufffe</a>"},
	{name: "U+FFFF in value", input: "<a b='\uffff'/>"},
	{name: "U+FFFE in CDATA", input: "<a><![CDATA[\ufffe]]></a>"},
	{name: "NUL", input: "<a>\x00</a>"},
	{name: "control character", input: "<a>\x1b</a>"},
	{name: "reference to NUL", input: `<a>&#0;</a>`},
	{name: "reference to control character", input: `<a b='&#x1B;'/>`},
	{name: "reference to surrogate", input: `<a>&#xD800;</a>`},
	{name: "reference to surrogate in decimal", input: `<a b='&#057343;'/>`},
	{name: "reference to U+FFFE", input: `<a>&#xFFFE;</a>`},
	{name: "reference beyond Unicode", input: `<a>&#x110000;</a>`},
	{name: "huge reference", input: `<a>&#99999999999999999999;</a>`},
	{name: "CDATA end in text", input: `<a>]]></a>`},
	{name: "less-than in value", input: `<a b='<'/>`},
	{name: "value without quotes", input: `<a b=c/>`},
	{name: "no space between attributes", input: `<a b='c'd='e'/>`},
	{name: "comment", input: `<a><!-- b --></a>`},
	{name: "instruction", input: `<a><?b c?></a>`},
	{name: "doctype", input: `<!DOCTYPE a>`},
	{name: "entity", input: `<a>&nbsp;</a>`},
}

// manyDeclarations binds p0 to urn:0, and so on; manyAttributes has p0:a, and so on.
var manyDeclarations, manyAttributes = func() (declarations, attributes string) {
	for i := range 40 {
		n := strconv.Itoa(i)
		declarations += " xmlns:p" + n + "='urn:" + n + "'"
		attributes += " p" + n + ":a='b'"
	}
	return declarations, attributes
}()

func TestParse(t *testing.T) {
	for _, tc := range elements {
		t.Run(tc.name, func(t *testing.T) {
			got, err := element.Parse([]byte(tc.input), stream)
			if wanted := tc.want.Name.Local != ""; wanted != (err == nil) || !wanted && !errors.Is(err, element.ErrNotWellFormed) {
				t.Errorf("error %v", err)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestParseUnderZeroHeader(t *testing.T) {
	got, err := element.Parse([]byte(`<a/>`), element.Header{})
	if diff := cmp.Diff(element.Element{Name: xml.Name{Local: "a"}}, got); diff != "" || err != nil {
		t.Errorf("%v\n%s", err, diff)
	}
	if _, err := element.Parse([]byte(`<stream:error/>`), element.Header{}); !errors.Is(err, element.ErrNotWellFormed) {
		t.Errorf("undeclared prefix: %v", err)
	}
}

func TestParseUnderParsedHeader(t *testing.T) {
	h, err := element.ParseHeader([]byte(`<s:stream xmlns='jabber:client' xmlns:s='urn:s' xmlns:x='urn:x'>`))
	if err != nil {
		t.Fatal(err)
	}
	got, err := element.Parse([]byte(`<s:a><x:b/><c/></s:a>`), h)
	want := element.Element{Name: xml.Name{Space: "urn:s", Local: "a"}, Children: []element.Element{{Name: xml.Name{Space: "urn:x", Local: "b"}}, {Name: client("c")}}}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("%v\n%s", err, diff)
	}
}

// What was parsed stays what it is whatever is parsed afterwards, by others too.
func TestParseKeepsNothingBack(t *testing.T) {
	var parsing sync.WaitGroup
	for range 4 {
		parsing.Go(func() {
			var got []element.Element
			for _, tc := range elements {
				unit := []byte(tc.input)
				e, _ := element.Parse(unit, stream)
				clear(unit)
				got = append(got, e)
			}
			for i, tc := range elements {
				if diff := cmp.Diff(tc.want, got[i]); diff != "" {
					t.Errorf("%s: %s", tc.name, diff)
				}
			}
		})
	}
	parsing.Wait()
}

// Who keeps a string of a long element does not keep the element.
func TestParseOfLongElements(t *testing.T) {
	const n, size = 100, 1 << 18
	filler := strings.Repeat("a", size)
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	kept := make([]string, 0, 3*n)
	for i := range n {
		unit := "<p:q xmlns:p='urn:p" + strconv.Itoa(i) + "' b='c'><d>" + filler + "</d></p:q>"
		e, err := element.Parse([]byte(unit), stream)
		if err != nil {
			t.Fatal(err)
		}
		kept = append(kept, e.Name.Local, e.Name.Space, e.Attr[0].Value)
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > n*size/4 {
		t.Errorf("%d strings keep %d bytes", len(kept), grown)
	}
	runtime.KeepAlive(kept)
}

func TestChildAndAttrValue(t *testing.T) {
	e, err := element.Parse([]byte(`<a x:b='1' b='2'><c xmlns='urn:c'/><c n='1'/><c n='2'/></a>`), stream)
	if err != nil {
		t.Fatal(err)
	}
	if c, ok := e.Child("jabber:client", "c"); !ok || c.AttrValue("n") != "1" {
		t.Errorf("Child gave %v, %v", c, ok)
	}
	if c, ok := e.Child("urn:other", "c"); ok {
		t.Errorf("Child of another namespace gave %v", c)
	}
	if b, none := e.AttrValue("b"), e.AttrValue("none"); b != "2" || none != "" {
		t.Errorf("AttrValue gave %q and %q", b, none)
	}
}

func TestEscape(t *testing.T) {
	for _, s := range []string{"", "a", `<a b='c' d="e">&amp;]]>`, "\t\r\n", "é€𝄞"} {
		for _, input := range []string{"<a>" + element.Escape(s) + "</a>", "<a b='" + element.Escape(s) + `' c="` + element.Escape(s) + `"/>`} {
			e, err := element.Parse([]byte(input), stream)
			if err != nil {
				t.Fatalf("%q: %v", input, err)
			}
			for _, got := range []string{e.Text, e.AttrValue("b"), e.AttrValue("c")} {
				if got != s && got != "" {
					t.Errorf("%q came back as %q", s, got)
				}
			}
		}
	}
	if got := element.Escape("a\x00\xff\ufffe"); got != "a\ufffd\ufffd\ufffd" {
		t.Errorf("forbidden characters escaped as %q", got)
	}
}

// FuzzParse: Parse says what the oracle says, xmlsplit sees the same element, and
// what was parsed can be written and parsed again.
func FuzzParse(f *testing.F) {
	for _, tc := range elements {
		f.Add(tc.input)
	}
	f.Fuzz(func(t *testing.T, input string) {
		want, err := element.Parse([]byte(input), stream)
		oracle, refused := oracleParse([]byte(input), stream)
		if diff := cmp.Diff(oracle, want); diff != "" || (err == nil) != (refused == nil) {
			t.Fatalf("%q: error %v, the oracle's %v (-oracle +Parse)\n%s", input, err, refused, diff)
		}
		if err != nil {
			if !errors.Is(err, element.ErrNotWellFormed) {
				t.Errorf("%q: %v", input, err)
			}
			return
		}
		framesAsOne(t, input, false)
		text := writeElement(want)
		got, err := element.Parse([]byte(text), stream)
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("%q written as %q: %v\n%s", input, text, err, diff)
		}
	})
}

func FuzzEscape(f *testing.F) {
	for _, s := range []string{"", "alice@example.org", `<a b='c' d="e">&amp;]]>`, "\t\r\n\x7f", "é€𝄞\ufffd", "a\x00\xff\ufffe\xed\xa0\x80"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		want := oracleEscape(s)
		if got := element.Escape(s); got != want {
			t.Errorf("%q escaped as %q, want %q", s, got, want)
		}
		if got := string(element.AppendEscaped([]byte("before"), s)); got != "before"+want {
			t.Errorf("%q appended as %q, want %q", s, got, want)
		}
	})
}

// framesAsOne checks that xmlsplit sees one whole unit in input, also when it
// relays.
func framesAsOne(t *testing.T, input string, header bool) {
	t.Helper()
	for _, relay := range []bool{false, true} {
		s, want := xmlsplit.Scanner{Relay: relay}, xmlsplit.Header
		if !header {
			s.StartInside()
			want = xmlsplit.Element
		}
		if n, k, err := s.Scan([]byte(input)); n != len(input) || k != want || err != nil {
			t.Errorf("%q is parsed, but framed as %d bytes, %v, %v", input, n, k, err)
		}
	}
}

// writeElement writes an element that parses as e under any header.
func writeElement(e element.Element) string {
	var b strings.Builder
	write := func(parts ...string) {
		for _, p := range parts {
			b.WriteString(p)
		}
	}
	name, xmlNS := e.Name.Local, "http://www.w3.org/XML/1998/namespace"
	if e.Name.Space == xmlNS {
		name = "xml:" + name
		write("<", name)
	} else {
		write("<", name, " xmlns='", element.Escape(e.Name.Space), "'")
	}
	for i, a := range e.Attr {
		switch prefix := "n" + strconv.Itoa(i); a.Name.Space {
		case "":
			write(" ", a.Name.Local, "='", element.Escape(a.Value), "'")
		case xmlNS:
			write(" xml:", a.Name.Local, "='", element.Escape(a.Value), "'")
		default:
			write(" xmlns:", prefix, "='", element.Escape(a.Name.Space), "' ", prefix, ":", a.Name.Local, "='", element.Escape(a.Value), "'")
		}
	}
	write(">", element.Escape(e.Text))
	for _, c := range e.Children {
		write(writeElement(c))
	}
	write("</", name, ">")
	return b.String()
}
