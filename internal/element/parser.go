package element

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

const (
	nsXML   = "http://www.w3.org/XML/1998/namespace"
	nsXMLNS = "http://www.w3.org/2000/xmlns/"
)

// parser builds a tree from raw tokens and resolves names itself.
type parser struct {
	unit  []byte
	d     *xml.Decoder
	scope scope
	stack []*begun
	root  Element
}

// begun is an element whose end tag is still to come.
type begun struct {
	Element
	raw      xml.Name // as written: the prefix in Space
	text     strings.Builder
	declared []string // prefixes
}

func newParser(unit []byte) *parser {
	return &parser{unit: unit, d: xml.NewDecoder(bytes.NewReader(unit)), scope: scope{}}
}

// token returns the next token after checking what the decoder does not.
func (p *parser) token() (xml.Token, error) {
	from := p.d.InputOffset()
	token, err := p.d.RawToken()
	if err != nil {
		return nil, fmt.Errorf("%w: %v", ErrNotWellFormed, err)
	}
	raw := p.unit[from:p.d.InputOffset()]
	if !utf8.Valid(raw) {
		return nil, fmt.Errorf("%w: bad UTF-8", ErrNotWellFormed)
	}
	if !bytes.HasPrefix(raw, []byte("<![CDATA[")) && refersToSurrogate(raw) {
		return nil, fmt.Errorf("%w: reference to a surrogate", ErrNotWellFormed)
	}
	return token, nil
}

// refersToSurrogate reports whether raw has a character reference to one of
// U+D800 to U+DFFF, which the decoder reads as U+FFFD.
func refersToSurrogate(raw []byte) bool {
	for {
		i := bytes.Index(raw, []byte("&#"))
		if i < 0 {
			return false
		}
		raw = raw[i+2:]
		end := bytes.IndexByte(raw, ';')
		if end < 0 {
			return false
		}
		digits, base := string(raw[:end]), 10
		if hex, ok := strings.CutPrefix(digits, "x"); ok {
			digits, base = hex, 16
		}
		if n, err := strconv.ParseUint(digits, base, 32); err == nil && n >= 0xD800 && n <= 0xDFFF {
			return true
		}
	}
}

// open begins an element and returns the prefixes that its tag declares.
func (p *parser) open(tag xml.StartElement) ([]string, error) {
	b := &begun{raw: tag.Name}
	seen := make(map[xml.Name]bool, len(tag.Attr))
	for _, a := range tag.Attr {
		prefix, ok := declares(a.Name)
		if !ok {
			continue
		}
		if err := checkDeclaration(prefix, a.Value); err != nil {
			return nil, err
		}
		name := xml.Name{Space: nsXMLNS, Local: prefix}
		if seen[name] {
			return nil, fmt.Errorf("%w: namespace declared twice", ErrNotWellFormed)
		}
		seen[name] = true
		p.scope.declare(prefix, a.Value)
		b.declared = append(b.declared, prefix)
	}
	var err error
	if b.Name, err = p.scope.resolve(tag.Name, true); err != nil {
		return nil, err
	}
	for _, a := range tag.Attr {
		if _, ok := declares(a.Name); ok {
			continue
		}
		if a.Name, err = p.scope.resolve(a.Name, false); err != nil {
			return nil, err
		}
		if seen[a.Name] {
			return nil, fmt.Errorf("%w: duplicate attribute", ErrNotWellFormed)
		}
		seen[a.Name] = true
		b.Attr = append(b.Attr, a)
	}
	p.stack = append(p.stack, b)
	return b.declared, nil
}

// close ends the innermost element and reports whether it was the outermost.
func (p *parser) close(tag xml.EndElement) (done bool, err error) {
	b := p.stack[len(p.stack)-1]
	if b.raw != tag.Name {
		return false, fmt.Errorf("%w: end tag of another element", ErrNotWellFormed)
	}
	p.stack = p.stack[:len(p.stack)-1]
	p.scope.undeclare(b.declared)
	b.Text = b.text.String()
	if len(p.stack) == 0 {
		p.root = b.Element
		return true, nil
	}
	parent := p.stack[len(p.stack)-1]
	parent.Children = append(parent.Children, b.Element)
	return false, nil
}
