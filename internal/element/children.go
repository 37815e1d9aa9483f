package element

import (
	"bytes"
	"iter"

	"xtokend/internal/xmlsplit"
)

// ChildSpans yields where each child of unit begins and ends, in the order of
// Element.Children. unit is an element that [Parse] takes, or what is left of one
// from behind some attribute on.
func ChildSpans(unit []byte) iter.Seq2[int, int] {
	return func(yield func(begin, end int) bool) {
		s := xmlsplit.Scanner{Relay: true}
		s.StartInside()
		for at := StartTagEnd(unit); ; {
			text := bytes.IndexByte(unit[at:], '<')
			if text < 0 {
				return
			}
			at += text
			if rest := unit[at:]; bytes.HasPrefix(rest, []byte("<![CDATA[")) {
				at += bytes.Index(rest, []byte("]]>")) + len("]]>")
				continue
			}
			n, kind, err := s.Scan(unit[at:])
			if err != nil || kind != xmlsplit.Element || !yield(at, at+n) {
				return
			}
			at += n
		}
	}
}

// Without is unit, which [ChildSpans] takes and which has these children, without
// those for which drop says so; unit itself if there are none. All else stays as
// it is, byte for byte.
func Without(unit []byte, children []Element, drop func(Element) bool) []byte {
	var out []byte
	kept, i := 0, 0
	for begin, end := range ChildSpans(unit) {
		if drop(children[i]) {
			out = append(out, unit[kept:begin]...)
			kept = end
		}
		i++
	}
	if kept == 0 {
		return unit
	}
	return append(out, unit[kept:]...)
}

// StartTagEnd returns the index behind the '>' of the start tag that unit begins
// with, or in the middle of which it begins; the length of unit if there is none.
func StartTagEnd(unit []byte) int {
	for i := 0; i < len(unit); i++ {
		switch c := unit[i]; c {
		case '\'', '"':
			quoted := bytes.IndexByte(unit[i+1:], c)
			if quoted < 0 {
				return len(unit)
			}
			i += 1 + quoted
		case '>':
			return i + 1
		}
	}
	return len(unit)
}
