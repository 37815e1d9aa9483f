package xmlsplit_test

import (
	"encoding/xml"
	"errors"
	"io"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"xtokend/internal/xmlsplit"
)

// oracle finds the units of a stream by encoding/xml's decoder. ok is false if
// the decoder refuses the stream before its end is reached.
func oracle(input string) (got []unit, rest string, ok bool) {
	d := xml.NewDecoder(strings.NewReader(input))
	d.Strict = true
	depth, begun := 0, 0
	emit := func(k xmlsplit.Kind) {
		to := int(d.InputOffset())
		got = append(got, unit{k, input[begun:to]})
		begun = to
	}
	for {
		before := int(d.InputOffset())
		token, err := d.RawToken()
		if errors.Is(err, io.EOF) {
			return got, input[begun:], true
		}
		if err != nil {
			return got, input[begun:], false
		}
		switch token.(type) {
		case xml.StartElement:
			// The decoder reports <a/> as a start and, at the same offset, an end.
			depth++
			if depth == 1 {
				emit(xmlsplit.Header)
			}
		case xml.EndElement:
			depth--
			switch {
			case depth == 1:
				emit(xmlsplit.Element)
			case depth == 0 && int(d.InputOffset()) == begun: // <root/>
			case depth == 0:
				emit(xmlsplit.End)
			case depth < 0:
				return got, "", false
			}
		case xml.CharData:
			if depth <= 1 && begun == before {
				emit(xmlsplit.Space)
			}
		case xml.Comment, xml.ProcInst, xml.Directive:
			if depth == 1 {
				emit(xmlsplit.Space)
			}
		}
	}
}

// randomStream makes a well-formed stream without restricted XML and says where
// its units are.
func randomStream(rng *rand.Rand) (string, []unit) {
	pick := func(from ...string) string { return from[rng.IntN(len(from))] }
	spaces := func() string { return strings.Repeat(pick(" ", "\t", "\n"), rng.IntN(3)) }
	name := func() string { return pick("a", "b", "stream:stream", "_x-1.y", "message", "é") }
	attributes := func() string {
		var b strings.Builder
		for i := range rng.IntN(4) {
			b.WriteString(" " + spaces() + name() + string(rune('0'+i)) + spaces() + "=" + spaces())
			b.WriteString(pick(`'>'`, `"/>"`, `'"'`, `"'"`, `''`, `"&lt;a&gt;"`, `'&#x41;&#10;'`, `"é]]>"`))
		}
		return b.String() + spaces()
	}
	var element func(depth int) string
	element = func(depth int) string {
		n := name()
		if depth > 4 || rng.IntN(4) == 0 {
			return "<" + n + attributes() + "/>"
		}
		var b strings.Builder
		b.WriteString("<" + n + attributes() + ">")
		for range rng.IntN(4) {
			switch rng.IntN(4) {
			case 0:
				b.WriteString(pick("text", "'", `"`, ">", "é", " \n", "&amp;", "&apos;&quot;", "]", "/"))
			case 1:
				b.WriteString("<![CDATA[" + pick("", "<a>", "]", "]]", "]>", "&x;", "<!--", "</a>") + "]]>")
			default:
				b.WriteString(element(depth + 1))
			}
		}
		return b.String() + "</" + n + spaces() + ">"
	}

	root := name()
	var want []unit
	add := func(k xmlsplit.Kind, text string) {
		if text != "" {
			want = append(want, unit{k, text})
		}
	}
	declaration := pick("", "<?xml version='1.0'?>", "<?xml version=\"1.0\" encoding='UTF-8' ?>\n")
	add(xmlsplit.Header, declaration+"<"+root+attributes()+">")
	for range rng.IntN(6) {
		add(xmlsplit.Space, spaces())
		add(xmlsplit.Element, element(1))
	}
	add(xmlsplit.Space, spaces())
	add(xmlsplit.End, "</"+root+spaces()+">")
	var b strings.Builder
	for _, u := range want {
		b.WriteString(u.Text)
	}
	return b.String(), want
}

// TestOracle holds the oracle itself against streams whose units are known.
func TestOracle(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for range 300 {
		input, want := randomStream(rng)
		got, rest, ok := oracle(input)
		if diff := cmp.Diff(want, got); diff != "" || rest != "" || !ok {
			t.Fatalf("%q: rest %q, ok %v\n%s", input, rest, ok, diff)
		}
	}
}

// compare says whether s and the oracle find the same units in input, as far as
// both accept it.
func compare(t *testing.T, s *xmlsplit.Scanner, input string) {
	got := scan(s, input)
	units, _, ok := oracle(input)
	found, want := merged(got.Units), merged(units)
	if got.Err != nil || !ok {
		n := min(len(found), len(want))
		if n > 0 && want[n-1].Kind == xmlsplit.Space { // cut at different places
			n--
		}
		found, want = found[:n], want[:n]
	}
	if diff := cmp.Diff(want, found, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("%q (-encoding/xml +xmlsplit, %v)\n%s", input, got.Err, diff)
	}
}

// merged joins adjacent Space units: what stands between elements has parts
// that the decoder reports one by one.
func merged(in []unit) []unit {
	var out []unit
	for _, u := range in {
		if last := len(out) - 1; u.Kind == xmlsplit.Space && last >= 0 && out[last].Kind == u.Kind {
			out[last].Text += u.Text
		} else {
			out = append(out, u)
		}
	}
	return out
}
