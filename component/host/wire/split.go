package wire

import (
	"bytes"
	"encoding/xml"
	"slices"

	"xtokend/internal/element"
	"xtokend/internal/framing"
	"xtokend/internal/xmlsplit"
)

// child returns the first child of that name of e, a whole element where scope
// holds for children, as an element that stands alone. It is nil if there is none.
func child(e []byte, scope element.Header, name xml.Name) []byte {
	var found []byte
	inner := e[startTag(e):]
	eachChild(inner, func(begin, end int) bool {
		alone := standAlone(inner[begin:end], scope)
		parsed, err := element.Parse(alone, element.Header{})
		if err == nil && parsed.Name == name {
			found = alone
		}
		return found == nil
	})
	return found
}

// Descend returns the descendant of e, an element that stands alone, at the end
// of path, each step the first child of that name. It stands alone too, and is
// nil if there is none, or if there are more than MaxDeclarations on the way.
func Descend(e []byte, path ...xml.Name) []byte {
	for _, name := range path {
		scope, ok := scopeOf(e)
		if !ok {
			return nil
		}
		if e = child(e, scope, name); e == nil {
			return nil
		}
	}
	return e
}

// Content returns the only child of e, an element that stands alone, as one that
// stands alone, whatever its name. It is nil if there is none, or more than one,
// or if e has more than MaxDeclarations.
func Content(e []byte) []byte {
	scope, ok := scopeOf(e)
	if !ok {
		return nil
	}
	var found []byte
	n := 0
	inner := e[startTag(e):]
	eachChild(inner, func(begin, end int) bool {
		found = standAlone(inner[begin:end], scope)
		n++
		return n < 2
	})
	if n != 1 {
		return nil
	}
	return found
}

// scopeOf is what holds for the children of e, an element that stands alone.
func scopeOf(e []byte) (scope element.Header, ok bool) {
	scope, err := element.ParseHeader(e[:startTag(e)])
	return scope, err == nil && len(scope.Extra) <= MaxDeclarations
}

// standAlone is a child of an element, whose scope it is, with the declarations that
// it uses.
func standAlone(child []byte, scope element.Header) []byte {
	alone := framing.Qualify(nil, child, scope)
	if scope.ContentNS != "" {
		return alone
	}
	// In no namespace it must stay there, wherever it is put.
	head, tail := cutAttributes(alone, "xmlns")
	if len(head)+len(tail) < len(alone) {
		return alone // it says so itself, or that it is in another
	}
	return append(append(head, " xmlns=''"...), tail...)
}

// Qualified is a stanza with its namespace declared, to stand in another element.
func Qualified(stanza []byte) []byte {
	return framing.Qualify(nil, stanza, element.Header{ContentNS: NSClient})
}

// eachChild calls f with the place in inner, which is what follows a start tag,
// of each child until it says no.
func eachChild(inner []byte, f func(begin, end int) bool) {
	var s xmlsplit.Scanner
	s.Relay = true
	s.StartInside()
	for at := 0; at < len(inner); {
		rest := inner[at:]
		switch {
		case bytes.HasPrefix(rest, []byte("<![CDATA[")):
			end := bytes.Index(rest, []byte("]]>"))
			if end < 0 {
				return
			}
			at += end + len("]]>")
		case rest[0] != '<': // text
			at++
		default:
			n, kind, err := s.Scan(rest)
			if err != nil || kind != xmlsplit.Element || !f(at, at+n) {
				return
			}
			at += n
		}
	}
}

// startTag is the length of the start tag of e.
func startTag(e []byte) int {
	for i := 0; i < len(e); i++ {
		switch c := e[i]; c {
		case '\'', '"':
			for i++; i < len(e) && e[i] != c; i++ {
			}
		case '>':
			return i + 1
		}
	}
	return len(e)
}

func nameEnd(b []byte) int {
	for i, c := range b {
		if isSpace(c) || c == '/' || c == '>' {
			return i
		}
	}
	return len(b)
}

func isSpace(c byte) bool { return c == ' ' || c == '\t' || c == '\n' || c == '\r' }

// cutAddresses takes the attributes from and to out of e's start tag and splits
// e where attributes may be added.
func cutAddresses(e []byte) (head, tail []byte) { return cutAttributes(e, "from", "to") }

// cutAttributes takes the attributes of these names, none of them with a prefix,
// out of e's start tag and splits e where attributes may be added.
func cutAttributes(e []byte, names ...string) (head, tail []byte) {
	end := startTag(e) - 1
	if e[end-1] == '/' {
		end--
	}
	i := nameEnd(e)
	head = append(make([]byte, 0, end), e[:i]...)
	for i < end {
		begin := i
		for i < end && isSpace(e[i]) {
			i++
		}
		name := i
		for i < end && !isSpace(e[i]) && e[i] != '=' {
			i++
		}
		attribute := string(e[name:i])
		for i < end && e[i] != '\'' && e[i] != '"' {
			i++
		}
		if i < end {
			quote := e[i]
			for i++; i < end && e[i] != quote; i++ {
			}
			i++
		}
		if !slices.Contains(names, attribute) {
			head = append(head, e[begin:i]...)
		}
	}
	return head, e[end:]
}
