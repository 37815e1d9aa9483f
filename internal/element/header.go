package element

import (
	"encoding/xml"
	"errors"
	"strings"
)

// ErrNotWellFormed: the input is not one well-formed, namespace-well-formed
// stream header or element of restricted XML (RFC 6120 §11). Errors that wrap
// it say more, for a log.
var ErrNotWellFormed = errors.New("element: XML is not well-formed")

// ErrUnsupportedEncoding: the XML declaration names an encoding other than
// UTF-8 (RFC 6120 §4.9.3.22).
var ErrUnsupportedEncoding = errors.New("element: encoding is not UTF-8")

// Header is the opening tag of a stream (RFC 6120 §4.2). All of its strings are
// the peer's word and nothing in it was judged, not even the root's name.
type Header struct {
	Name   xml.Name // of the root, its namespace resolved
	Prefix string   // of the root, as written; empty if it has none

	ContentNS string // the default namespace; empty if there is none

	To, From, ID, Version string // empty if absent
	Lang                  string // xml:lang; empty if absent

	// Extra holds the declarations of prefixes other than the root's own: the
	// prefix in Name.Local, the namespace in Value.
	Extra []xml.Attr
}

// ParseHeader parses a unit that xmlsplit calls a Header. The errors are
// [ErrNotWellFormed] and [ErrUnsupportedEncoding].
func ParseHeader(unit []byte) (Header, error) {
	p := newParser(unit)
	defer p.release()
	if err := p.declaration(); err != nil {
		return Header{}, err
	}
	if _, err := p.startTag(); err != nil {
		return Header{}, err
	}
	if p.pos != len(p.in) {
		return Header{}, fault("something behind the header")
	}
	return p.header(), nil
}

// header is what the start tag that was read says.
func (p *parser) header() Header {
	root := p.open[0]
	h := Header{Name: root.name, Prefix: p.keep(root.rawName.prefix)}
	h.ContentNS, _ = p.scope.lookup("")
	for _, b := range p.scope.bound {
		if b.prefix != "" && b.prefix != h.Prefix {
			h.Extra = append(h.Extra, xml.Attr{Name: xml.Name{Space: "xmlns", Local: p.keep(b.prefix)}, Value: b.ns})
		}
	}
	for _, a := range root.attr {
		switch a.Name {
		case xml.Name{Local: "to"}:
			h.To = a.Value
		case xml.Name{Local: "from"}:
			h.From = a.Value
		case xml.Name{Local: "id"}:
			h.ID = a.Value
		case xml.Name{Local: "version"}:
			h.Version = a.Value
		case xml.Name{Space: nsXML, Local: "lang"}:
			h.Lang = a.Value
		}
	}
	return h
}

// declaration reads the XML declaration (XMLDecl of XML 1.0 §2.8), if there is
// one, and white space behind it. XMPP is defined on XML 1.0 alone (RFC 6120 §11).
func (p *parser) declaration() error {
	rest, ok := strings.CutPrefix(p.in, "<?xml")
	if !ok {
		return nil
	}
	version, rest := pseudoAttribute(rest, "version")
	encoding, rest := pseudoAttribute(rest, "encoding")
	standalone, rest := pseudoAttribute(rest, "standalone")
	rest, ok = strings.CutPrefix(rest[skip(rest, 0, space):], "?>")
	switch {
	case !ok, version != "1.0",
		encoding != "" && !isEncoding(encoding),
		standalone != "" && standalone != "yes" && standalone != "no":
		return fault("bad XML declaration")
	case encoding != "" && !strings.EqualFold(encoding, "UTF-8"):
		return ErrUnsupportedEncoding
	}
	p.pos = len(p.in) - len(rest) + skip(rest, 0, space)
	return nil
}

// pseudoAttribute reads what an XML declaration may say next. If it does not say
// that, or says nothing, the value is empty and after is s.
func pseudoAttribute(s, name string) (value, after string) {
	spaces := skip(s, 0, space)
	rest, ok := strings.CutPrefix(s[spaces:], name)
	if !ok || spaces == 0 {
		return "", s
	}
	if value, after, ok = quoted(rest); !ok || value == "" {
		return "", s
	}
	return value, after
}

// isEncoding says whether a name is EncName of XML 1.0 §4.3.3.
func isEncoding(name string) bool {
	for i := range len(name) {
		c := name[i]
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
		if !letter && (i == 0 || c == ':' || c >= 0x80 || classes[c]&nameByte == 0) {
			return false
		}
	}
	return true
}
