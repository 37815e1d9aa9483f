package wire

import (
	"encoding/xml"
	"slices"

	"xtokend/internal/element"
	"xtokend/internal/framing"
)

// child returns the first child of that name of e, a whole element where scope
// holds for children, as an element that stands alone. It is nil if there is none.
func child(e []byte, scope element.Header, name xml.Name) []byte {
	for begin, end := range element.ChildSpans(e) {
		alone := standAlone(e[begin:end], scope)
		if parsed, err := element.Parse(alone, element.Header{}); err == nil && parsed.Name == name {
			return alone
		}
	}
	return nil
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
	for begin, end := range element.ChildSpans(e) {
		if found != nil {
			return nil
		}
		found = standAlone(e[begin:end], scope)
	}
	return found
}

// scopeOf is what holds for the children of e, an element that stands alone.
func scopeOf(e []byte) (scope element.Header, ok bool) {
	scope, err := element.ParseHeader(e[:element.StartTagEnd(e)])
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
	head, tail := cutAttributes(nil, alone, "xmlns")
	if len(head)+len(tail) < len(alone) {
		return alone // it says so itself, or that it is in another
	}
	return append(append(head, " xmlns=''"...), tail...)
}

// Qualified is a stanza with its namespace declared, to stand in another element.
func Qualified(stanza []byte) []byte {
	return framing.Qualify(nil, stanza, element.Header{ContentNS: NSClient})
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

// cutAttributes takes the attributes of these names, none of them with a prefix,
// out of e's start tag and splits e where attributes may be added. The head is
// appended to dst, which may be e[:0].
func cutAttributes(dst, e []byte, names ...string) (head, tail []byte) {
	end := element.StartTagEnd(e) - 1
	if e[end-1] == '/' {
		end--
	}
	i := nameEnd(e)
	head = append(slices.Grow(dst, end), e[:i]...)
	for i < end {
		begin := i
		for i < end && isSpace(e[i]) {
			i++
		}
		name := i
		for i < end && !isSpace(e[i]) && e[i] != '=' {
			i++
		}
		attribute := e[name:i]
		for i < end && e[i] != '\'' && e[i] != '"' {
			i++
		}
		if i < end {
			quote := e[i]
			for i++; i < end && e[i] != quote; i++ {
			}
			i++
		}
		if !contains(names, attribute) {
			head = append(head, e[begin:i]...)
		}
	}
	return head[:len(head):len(head)], e[end:]
}

func contains(names []string, name []byte) bool {
	for _, n := range names {
		if n == string(name) {
			return true
		}
	}
	return false
}
