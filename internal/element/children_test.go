package element_test

import (
	"encoding/xml"
	"slices"
	"strings"
	"testing"

	"xtokend/internal/element"
)

func TestWithout(t *testing.T) {
	drop := func(e element.Element) bool { return e.Name.Space == "urn:x" }
	for _, tc := range []struct{ name, unit, want string }{
		{"no children", `<a b='/>'/>`, `<a b='/>'/>`},
		{"text", `<a>b]]&gt;</a>`, `<a>b]]&gt;</a>`},
		{"none", `<a> <b/>c</a>`, `<a> <b/>c</a>`},
		{"the only one", `<a><x:b/></a>`, `<a></a>`},
		{"some", "<a c=\">\">\n<b/> <c xmlns='urn:x'><b/></c>d<x:e></x:e ><f/></a>", "<a c=\">\">\n<b/> d<f/></a>"},
		{"a CDATA section", `<a><![CDATA[<x:b/>]]><x:c/><![CDATA[]]]]></a>`, `<a><![CDATA[<x:b/>]]><![CDATA[]]]]></a>`},
		{"of a child", `<a><b><x:c/></b></a>`, `<a><b><x:c/></b></a>`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			e, err := element.Parse([]byte(tc.unit), stream)
			if err != nil {
				t.Fatal(err)
			}
			if got := string(element.Without([]byte(tc.unit), e.Children, drop)); got != tc.want {
				t.Errorf("got  %s\nwant %s", got, tc.want)
			}
			_, tail, _ := strings.Cut(tc.unit, "<a")
			if got := string(element.Without([]byte(tail), e.Children, drop)); "<a"+got != tc.want {
				t.Errorf("from behind the name: got <a%s", got)
			}
		})
	}
}

// FuzzWithout: encoding/xml finds the same children, and what is left has the rest
// of them.
func FuzzWithout(f *testing.F) {
	for _, tc := range elements {
		f.Add(tc.input, uint8(5))
	}
	f.Fuzz(func(t *testing.T, input string, which uint8) {
		e, err := element.Parse([]byte(input), stream)
		if err != nil {
			return
		}
		var spans [][2]int
		for begin, end := range element.ChildSpans([]byte(input)) {
			spans = append(spans, [2]int{begin, end})
		}
		if want := oracleSpans(input); !slices.Equal(spans, want) {
			t.Fatalf("%q: children at %v, want %v", input, spans, want)
		}
		i := -1
		left := element.Without([]byte(input), e.Children, func(element.Element) bool {
			i++
			return which>>(i%8)&1 == 1
		})
		want := ""
		kept := 0
		for i, span := range spans {
			if which>>(i%8)&1 == 1 {
				want += input[kept:span[0]]
				kept = span[1]
			}
		}
		if want += input[kept:]; string(left) != want || i+1 != len(spans) {
			t.Errorf("%q became %q, want %q", input, left, want)
		}
	})
}

// oracleSpans is where encoding/xml sees the children of an element.
func oracleSpans(input string) (spans [][2]int) {
	d := xml.NewDecoder(strings.NewReader(input))
	begin := 0
	for depth := 0; ; {
		before := int(d.InputOffset())
		token, err := d.RawToken()
		if err != nil {
			return spans
		}
		switch token.(type) {
		case xml.StartElement:
			if depth++; depth == 2 {
				begin = before
			}
		case xml.EndElement:
			if depth--; depth == 1 {
				spans = append(spans, [2]int{begin, int(d.InputOffset())})
			}
		}
	}
}
