package element

import "encoding/xml"

// Element is a parsed element. Namespaces are resolved, and declarations of
// namespaces are no attributes.
type Element struct {
	Name     xml.Name
	Attr     []xml.Attr
	Text     string // all character data between the tags, that of children left out
	Children []Element
}

// Parse parses one top-level element of the stream that h opened, whose
// declarations hold in it; the zero Header declares nothing. The error is
// [ErrNotWellFormed].
func Parse(unit []byte, h Header) (Element, error) {
	p := newParser(unit)
	defer p.release()
	p.scope.declare("", h.ContentNS)
	if h.Prefix != "" {
		p.scope.declare(h.Prefix, h.Name.Space)
	}
	for _, a := range h.Extra {
		p.scope.declare(a.Name.Local, a.Value)
	}
	return p.element()
}

// Child returns the first child of that name.
func (e Element) Child(space, local string) (Element, bool) {
	for _, c := range e.Children {
		if c.Name.Space == space && c.Name.Local == local {
			return c, true
		}
	}
	return Element{}, false
}

// AttrValue returns the value of the attribute of that name that is in no
// namespace, or "" if there is none.
func (e Element) AttrValue(local string) string {
	for _, a := range e.Attr {
		if a.Name.Space == "" && a.Name.Local == local {
			return a.Value
		}
	}
	return ""
}
