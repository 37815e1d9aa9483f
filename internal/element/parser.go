package element

import (
	"encoding/xml"
	"fmt"
	"slices"
	"strings"
	"sync"
)

const (
	// sharedBytes is the longest unit whose strings all point into one copy of
	// it. Whoever keeps one of them keeps that copy, so it is short.
	sharedBytes = 1024
	// pooledBytes is the longest unit after which a parser's scratch is kept.
	pooledBytes = 4096
)

// parser builds trees. What it holds beside the input is scratch, each a stack
// of which an open element owns the end.
type parser struct {
	in  string
	pos int

	scope scope
	open  []begun
	done  []Element // children of open elements; the root at last
	text  []byte    // of open elements
	attrs []attribute
}

// begun is an element whose end tag is still to come.
type begun struct {
	name    xml.Name
	attr    []xml.Attr
	rawName rawName
	raw     string // both of its parts, as the end tag must have them

	bound, children, text int // how much of the stacks belongs to those around it
}

var parsers = sync.Pool{New: func() any { return new(parser) }}

// newParser returns a parser that release gives back.
func newParser(unit []byte) *parser {
	p := parsers.Get().(*parser)
	p.in = string(unit)
	return p
}

func (p *parser) release() {
	if len(p.in) > pooledBytes {
		return
	}
	clear(p.scope.bound[:cap(p.scope.bound)])
	clear(p.open[:cap(p.open)])
	clear(p.done[:cap(p.done)])
	clear(p.attrs[:cap(p.attrs)])
	*p = parser{scope: scope{bound: p.scope.bound[:0]}, open: p.open[:0], done: p.done[:0], text: p.text[:0], attrs: p.attrs[:0]}
	parsers.Put(p)
}

func fault(what string) error { return fmt.Errorf("%w: %s", ErrNotWellFormed, what) }

// keep returns s, a part of the input, as it may be handed out.
func (p *parser) keep(s string) string {
	if len(p.in) > sharedBytes {
		return strings.Clone(s)
	}
	return s
}

// element reads a whole element, which must be all that is left.
func (p *parser) element() (Element, error) {
	if err := p.begin(); err != nil {
		return Element{}, err
	}
	for len(p.open) > 0 {
		if err := p.content(); err != nil {
			return Element{}, err
		}
	}
	if p.pos != len(p.in) {
		return Element{}, fault("something behind the element")
	}
	return p.done[0], nil
}

// content reads text and the markup behind it.
func (p *parser) content() error {
	run := strings.IndexByte(p.in[p.pos:], '<')
	if run < 0 {
		return fault("no end tag")
	}
	var err error
	if p.text, err = appendChars(p.text, p.in[p.pos:p.pos+run], inText); err != nil {
		return err
	}
	p.pos += run
	switch rest := p.in[p.pos:]; {
	case strings.HasPrefix(rest, "</"):
		return p.endTag()
	case strings.HasPrefix(rest, "<!"):
		return p.cdata()
	}
	return p.begin()
}

// begin reads a start tag, or an empty element.
func (p *parser) begin() error {
	empty, err := p.startTag()
	if empty && err == nil {
		p.end()
	}
	return err
}

// cdata reads a CDATA section, the only markup that begins with "<!" and is not
// restricted.
func (p *parser) cdata() error {
	section, ok := strings.CutPrefix(p.in[p.pos:], "<![CDATA[")
	if !ok {
		return fault("restricted XML")
	}
	end := strings.Index(section, "]]>")
	if end < 0 {
		return fault("no end of a CDATA section")
	}
	var err error
	p.text, err = appendChars(p.text, section[:end], inCDATA)
	p.pos = len(p.in) - len(section) + end + len("]]>")
	return err
}

// endTag reads the end tag of the innermost element.
func (p *parser) endTag() error {
	rest, ok := strings.CutPrefix(p.in[p.pos+len("</"):], p.open[len(p.open)-1].raw)
	if !ok {
		return fault("end tag of another element")
	}
	end := skip(rest, 0, space)
	if end == len(rest) || rest[end] != '>' {
		return fault("end tag of another element")
	}
	p.pos = len(p.in) - len(rest) + end + 1
	p.end()
	return nil
}

// end makes the innermost open element a child of the one around it.
func (p *parser) end() {
	last := len(p.open) - 1
	b := p.open[last]
	e := Element{Name: b.name, Attr: b.attr, Text: string(p.text[b.text:])}
	if children := p.done[b.children:]; len(children) > 0 {
		e.Children = slices.Clone(children)
	}
	p.open, p.text = p.open[:last], p.text[:b.text]
	p.done = append(p.done[:b.children], e)
	p.scope.leave(b.bound)
}
