package element

import (
	"encoding/xml"
	"fmt"
	"strings"

	"xtokend/internal/xmlsplit"
)

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
	var s xmlsplit.Scanner
	s.StartInside()
	if err := frame(&s, unit, xmlsplit.Element); err != nil {
		return Element{}, err
	}
	p := newParser(unit)
	p.scope.declare("", h.ContentNS)
	if h.Prefix != "" {
		p.scope.declare(h.Prefix, h.Name.Space)
	}
	for _, a := range h.Extra {
		p.scope.declare(a.Name.Local, a.Value)
	}
	for {
		token, err := p.token()
		if err != nil {
			return Element{}, err
		}
		switch token := token.(type) {
		case xml.StartElement:
			_, err = p.open(token)
		case xml.EndElement:
			var done bool
			if done, err = p.close(token); done && err == nil {
				return p.root, nil
			}
		case xml.CharData:
			p.stack[len(p.stack)-1].text.Write(token)
		default: // xmlsplit lets none through
			err = fmt.Errorf("%w: restricted XML", ErrNotWellFormed)
		}
		if err != nil {
			return Element{}, err
		}
	}
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

// Escape makes s fit to stand in an attribute's value, in quotes of either
// kind, or in text. What XML cannot hold becomes U+FFFD.
func Escape(s string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(s)) // a Builder takes every write
	return b.String()
}
