package element_test

import (
	"encoding/xml"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"xtokend/internal/element"
)

const nsStream = "http://etherx.jabber.org/streams"

// stream is the header that most cases of Parse stand under.
var stream = element.Header{
	Name: xml.Name{Space: nsStream, Local: "stream"}, Prefix: "stream", ContentNS: "jabber:client",
	Extra: []xml.Attr{{Name: xml.Name{Space: "xmlns", Local: "x"}, Value: "urn:x"}},
}

var headers = []struct {
	name  string
	input string
	want  element.Header
	err   error
}{
	{name: "usual", input: `<?xml version='1.0'?><stream:stream from='a@example.org' to="example.org" version='1.0' xml:lang='de' id='i' xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>`,
		want: element.Header{Name: xml.Name{Space: nsStream, Local: "stream"}, Prefix: "stream", ContentNS: "jabber:client",
			From: "a@example.org", To: "example.org", Version: "1.0", Lang: "de", ID: "i"}},
	{name: "declaration in full", input: "<?xml version=\"1.0\"\tencoding = 'utf-8' standalone='yes' ?>\r\n<s>", want: element.Header{Name: xml.Name{Local: "s"}}},
	{name: "other prefix", input: `<foo:stream xmlns:foo='http://etherx.jabber.org/streams' xmlns='jabber:client'>`,
		want: element.Header{Name: xml.Name{Space: nsStream, Local: "stream"}, Prefix: "foo", ContentNS: "jabber:client"}},
	{name: "no prefix", input: `<stream xmlns='http://etherx.jabber.org/streams'>`,
		want: element.Header{Name: xml.Name{Space: nsStream, Local: "stream"}, ContentNS: nsStream}},
	{name: "other namespaces", input: `<stream:x xmlns='jabber:server' xmlns:stream='urn:y'>`,
		want: element.Header{Name: xml.Name{Space: "urn:y", Local: "x"}, Prefix: "stream", ContentNS: "jabber:server"}},
	{name: "more declarations", input: `<s:s xmlns:db='jabber:server:dialback' xmlns:s='urn:s' xmlns:x='urn:x&amp;'>`,
		want: element.Header{Name: xml.Name{Space: "urn:s", Local: "s"}, Prefix: "s", Extra: []xml.Attr{
			{Name: xml.Name{Space: "xmlns", Local: "db"}, Value: "jabber:server:dialback"},
			{Name: xml.Name{Space: "xmlns", Local: "x"}, Value: "urn:x&"}}}},
	{name: "prefixed attributes are others", input: `<s xmlns:x='urn:x' x:to='a' x:lang='b' lang='c'>`,
		want: element.Header{Name: xml.Name{Local: "s"}, Extra: []xml.Attr{{Name: xml.Name{Space: "xmlns", Local: "x"}, Value: "urn:x"}}}},
	{name: "self-closed", input: `<s to='a'/>`, want: element.Header{Name: xml.Name{Local: "s"}, To: "a"}},
	{name: "escaped", input: `<s to='&lt;a&#38;&quot;&#x3e;'>`, want: element.Header{Name: xml.Name{Local: "s"}, To: `<a&">`}},
	{name: "xml prefix declared", input: `<s xmlns:xml='http://www.w3.org/XML/1998/namespace' xml:lang='a'>`,
		want: element.Header{Name: xml.Name{Local: "s"}, Lang: "a",
			Extra: []xml.Attr{{Name: xml.Name{Space: "xmlns", Local: "xml"}, Value: "http://www.w3.org/XML/1998/namespace"}}}},

	{name: "nothing", err: element.ErrNotWellFormed},
	{name: "unbound root prefix", input: `<stream:stream xmlns='jabber:client'>`, err: element.ErrNotWellFormed},
	{name: "unbound attribute prefix", input: `<s x:to='a'>`, err: element.ErrNotWellFormed},
	{name: "duplicate attribute", input: `<s to='a' to='b'>`, err: element.ErrNotWellFormed},
	{name: "duplicate default namespace", input: `<s xmlns='a' xmlns='b'>`, err: element.ErrNotWellFormed},
	{name: "duplicate declaration", input: `<s xmlns:a='a' xmlns:a='a'>`, err: element.ErrNotWellFormed},
	{name: "content behind it", input: `<s><a/>`, err: element.ErrNotWellFormed},
	{name: "space before it", input: ` <s>`, err: element.ErrNotWellFormed},
	{name: "space behind it", input: `<s> `, err: element.ErrNotWellFormed},
	{name: "unended", input: `<s`, err: element.ErrNotWellFormed},
	{name: "declaration alone", input: `<?xml version='1.0'?>`, err: element.ErrNotWellFormed},
	{name: "declaration without version", input: `<?xml encoding='UTF-8'?><s>`, err: element.ErrNotWellFormed},
	{name: "declaration with rubbish", input: `<?xml version='1.0' x?><s>`, err: element.ErrNotWellFormed},
	{name: "declaration out of order", input: `<?xml encoding='UTF-8' version='1.0'?><s>`, err: element.ErrNotWellFormed},
	{name: "XML 1.1", input: `<?xml version='1.1'?><s>`, err: element.ErrNotWellFormed},
	{name: "Latin-1", input: `<?xml version='1.0' encoding='ISO-8859-1'?><s>`, err: element.ErrUnsupportedEncoding},
	{name: "encoding without a name", input: `<?xml version='1.0' encoding=''?><s>`, err: element.ErrNotWellFormed},
	{name: "encoding begun by a digit", input: `<?xml version='1.0' encoding='1'?><s>`, err: element.ErrNotWellFormed},
	{name: "no space in declaration", input: `<?xml version='1.0'encoding='UTF-8'?><s>`, err: element.ErrNotWellFormed},
	{name: "declaration twice", input: `<?xml version='1.0'?><?xml version='1.0'?><s>`, err: element.ErrNotWellFormed},
	{name: "standalone perhaps", input: `<?xml version='1.0' standalone='maybe'?><s>`, err: element.ErrNotWellFormed},
	{name: "UTF-16", input: `<?xml version="1.0" encoding="UTF-16"?><s>`, err: element.ErrUnsupportedEncoding},
	{name: "bad UTF-8", input: "<s to='\xff'>", err: element.ErrNotWellFormed},
}

func TestParseHeader(t *testing.T) {
	for _, tc := range headers {
		t.Run(tc.name, func(t *testing.T) {
			got, err := element.ParseHeader([]byte(tc.input))
			if diff := cmp.Diff(tc.want, got); diff != "" || !errors.Is(err, tc.err) {
				t.Errorf("error %v, want %v\n%s", err, tc.err, diff)
			}
		})
	}
}

// FuzzParseHeader: ParseHeader says what the oracle says, xmlsplit sees the same
// header, and what was parsed can be written and parsed again.
func FuzzParseHeader(f *testing.F) {
	for _, tc := range headers {
		f.Add(tc.input)
	}
	f.Fuzz(func(t *testing.T, input string) {
		want, err := element.ParseHeader([]byte(input))
		oracle, refused := oracleHeader([]byte(input))
		encoding := errors.Is(refused, element.ErrUnsupportedEncoding)
		if diff := cmp.Diff(oracle, want); diff != "" || (err == nil) != (refused == nil) || errors.Is(err, element.ErrUnsupportedEncoding) != encoding {
			t.Fatalf("%q: error %v, the oracle's %v (-oracle +ParseHeader)\n%s", input, err, refused, diff)
		}
		if err != nil {
			return
		}
		framesAsOne(t, input, true)
		text := writeHeader(want)
		got, err := element.ParseHeader([]byte(text))
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("%q written as %q: %v\n%s", input, text, err, diff)
		}
	})
}

// writeHeader writes a header that parses as h.
func writeHeader(h element.Header) string {
	var b strings.Builder
	name := h.Name.Local
	if h.Prefix != "" {
		name = h.Prefix + ":" + name
	}
	b.WriteString("<" + name)
	for _, a := range []struct{ name, value string }{
		{"xmlns", h.ContentNS}, {"to", h.To}, {"from", h.From}, {"id", h.ID}, {"version", h.Version}, {"xml:lang", h.Lang},
	} {
		if a.value != "" {
			b.WriteString(" " + a.name + "='" + element.Escape(a.value) + "'")
		}
	}
	if h.Prefix != "" && h.Prefix != "xml" {
		b.WriteString(" xmlns:" + h.Prefix + "='" + element.Escape(h.Name.Space) + "'")
	}
	for _, a := range h.Extra {
		b.WriteString(" xmlns:" + a.Name.Local + "='" + element.Escape(a.Value) + "'")
	}
	return b.String() + ">"
}
