package element

import (
	"encoding/xml"
	"strings"
)

// attribute is one as written, its value resolved.
type attribute struct {
	name  rawName
	value string
}

// startTag opens the element whose start tag comes next, and says whether it ends
// with that.
func (p *parser) startTag() (empty bool, err error) {
	tag, ok := strings.CutPrefix(p.in[p.pos:], "<")
	if !ok {
		return false, fault("no start tag")
	}
	raw, size, err := readName(tag)
	if err != nil {
		return false, err
	}
	p.pos += len("<") + size
	if empty, err = p.attributes(); err != nil {
		return false, err
	}
	b := begun{rawName: raw, raw: tag[:size], bound: len(p.scope.bound), children: len(p.done), text: len(p.text)}
	if err := p.resolve(&b); err != nil {
		return false, err
	}
	p.open = append(p.open, b)
	return empty, nil
}

// attributes reads the rest of a start tag.
func (p *parser) attributes() (empty bool, err error) {
	p.attrs = p.attrs[:0]
	for {
		rest := p.in[p.pos:]
		spaces := skip(rest, 0, space)
		switch rest = rest[spaces:]; {
		case strings.HasPrefix(rest, ">"):
			p.pos += spaces + len(">")
			return false, nil
		case strings.HasPrefix(rest, "/>"):
			p.pos += spaces + len("/>")
			return true, nil
		case spaces == 0:
			return false, fault("no space before an attribute")
		}
		name, size, err := readName(rest)
		if err != nil {
			return false, err
		}
		value, after, err := attributeValue(rest[size:])
		if err != nil {
			return false, err
		}
		p.attrs = append(p.attrs, attribute{name, value})
		p.pos = len(p.in) - len(after)
	}
}

// attributeValue reads the equals sign and the value of an attribute.
func attributeValue(s string) (value, after string, err error) {
	run, after, ok := quoted(s)
	if !ok {
		return "", "", fault("no value of an attribute")
	}
	if skip(run, 0, plain) == len(run) {
		return run, after, nil
	}
	resolved, err := appendChars(nil, run, inValue)
	return string(resolved), after, err
}

// quoted cuts s, which begins behind an attribute's name, around its value.
func quoted(s string) (run, after string, ok bool) {
	i := skip(s, 0, space)
	if i == len(s) || s[i] != '=' {
		return "", "", false
	}
	i = skip(s, i+1, space)
	if i == len(s) || s[i] != '\'' && s[i] != '"' {
		return "", "", false
	}
	return cutByte(s[i+1:], s[i])
}

func cutByte(s string, c byte) (before, after string, found bool) {
	if i := strings.IndexByte(s, c); i >= 0 {
		return s[:i], s[i+1:], true
	}
	return "", "", false
}

// namespace is keep for a namespace.
func (p *parser) namespace(ns string) string {
	if known, ok := wellKnown[ns]; ok {
		return known
	}
	return p.keep(ns)
}

// resolve declares what the start tag declares and resolves its names.
func (p *parser) resolve(b *begun) error {
	n := 0
	for _, a := range p.attrs {
		prefix, ok := a.name.declares()
		if !ok {
			n++
			continue
		}
		if reserved(prefix, a.value) {
			return fault("reserved or empty namespace")
		}
		if p.scope.find(prefix) >= b.bound {
			return fault("namespace declared twice")
		}
		p.scope.declare(prefix, p.namespace(a.value))
	}
	var err error
	if b.name, err = p.scope.resolve(b.rawName, true); err != nil {
		return err
	}
	b.name.Local = p.keep(b.name.Local)
	if n == 0 {
		return nil
	}
	b.attr = make([]xml.Attr, 0, n)
	for _, a := range p.attrs {
		if _, ok := a.name.declares(); ok {
			continue
		}
		name, err := p.scope.resolve(a.name, false)
		if err != nil {
			return err
		}
		name.Local = p.keep(name.Local)
		b.attr = append(b.attr, xml.Attr{Name: name, Value: p.keep(a.value)})
	}
	if !areUnique(b.attr) {
		return fault("duplicate attribute")
	}
	return nil
}
