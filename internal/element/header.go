package element

import (
	"encoding/xml"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"xtokend/internal/xmlsplit"
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

// declaration is XMLDecl of XML 1.0 §2.8, and white space behind it; XMPP is
// defined on XML 1.0 alone (RFC 6120 §11).
var declaration = regexp.MustCompile(`^<\?xml[ \t\r\n]+version[ \t\r\n]*=[ \t\r\n]*(?:'1\.0'|"1\.0")` +
	`(?:[ \t\r\n]+encoding[ \t\r\n]*=[ \t\r\n]*(?:'([A-Za-z][A-Za-z0-9._-]*)'|"([A-Za-z][A-Za-z0-9._-]*)"))?` +
	`(?:[ \t\r\n]+standalone[ \t\r\n]*=[ \t\r\n]*(?:'(?:yes|no)'|"(?:yes|no)"))?[ \t\r\n]*\?>[ \t\r\n]*`)

// ParseHeader parses a unit that xmlsplit calls a Header. The errors are
// [ErrNotWellFormed] and [ErrUnsupportedEncoding].
func ParseHeader(unit []byte) (Header, error) {
	if err := frame(new(xmlsplit.Scanner), unit, xmlsplit.Header); err != nil {
		return Header{}, err
	}
	if strings.HasPrefix(string(unit), "<?") {
		m := declaration.FindSubmatch(unit)
		if m == nil {
			return Header{}, fmt.Errorf("%w: bad XML declaration", ErrNotWellFormed)
		}
		if name := string(m[1]) + string(m[2]); name != "" && !strings.EqualFold(name, "UTF-8") {
			return Header{}, ErrUnsupportedEncoding
		}
		unit = unit[len(m[0]):]
	}
	p := newParser(unit)
	tag, err := p.token()
	if err != nil {
		return Header{}, err
	}
	root, ok := tag.(xml.StartElement)
	if !ok {
		return Header{}, fmt.Errorf("%w: no root", ErrNotWellFormed)
	}
	h := Header{Prefix: root.Name.Space}
	declared, err := p.open(root)
	if err != nil {
		return Header{}, err
	}
	e := p.stack[0].Element
	h.Name = e.Name
	h.ContentNS, _ = p.scope.lookup("")
	for _, prefix := range declared {
		if prefix != "" && prefix != h.Prefix {
			ns, _ := p.scope.lookup(prefix)
			h.Extra = append(h.Extra, xml.Attr{Name: xml.Name{Space: "xmlns", Local: prefix}, Value: ns})
		}
	}
	h.To, h.From, h.ID = e.AttrValue("to"), e.AttrValue("from"), e.AttrValue("id")
	h.Version = e.AttrValue("version")
	for _, a := range e.Attr {
		if a.Name == (xml.Name{Space: nsXML, Local: "lang"}) {
			h.Lang = a.Value
		}
	}
	return h, nil
}

// frame checks that unit is one unit of kind k and nothing else, in the syntax
// that xmlsplit demands.
func frame(s *xmlsplit.Scanner, unit []byte, k xmlsplit.Kind) error {
	n, got, err := s.Scan(unit)
	if err != nil {
		return fmt.Errorf("%w: %v", ErrNotWellFormed, err)
	}
	if got != k || n != len(unit) {
		return fmt.Errorf("%w: not one whole %v", ErrNotWellFormed, k)
	}
	return nil
}
