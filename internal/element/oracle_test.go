package element_test

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"xtokend/internal/element"
	"xtokend/internal/xmlsplit"
)

// The oracle parses by encoding/xml's decoder and adds what the decoder lets pass
// and XML 1.0 or Namespaces in XML 1.0 forbid: bad UTF-8 and references to
// surrogates, attributes without space between them and restricted XML (both of
// which xmlsplit refuses), names whose parts are no names, unbound and reserved
// prefixes, duplicate attributes, end tags of other elements.

var errRefused = errors.New("refused")

// decoder gives raw tokens, checked.
type decoder struct {
	unit []byte
	d    *xml.Decoder
}

func newDecoder(unit []byte) decoder { return decoder{unit, xml.NewDecoder(bytes.NewReader(unit))} }

func (d decoder) token() (xml.Token, error) {
	from := d.d.InputOffset()
	token, err := d.d.RawToken()
	if err != nil {
		return nil, errRefused
	}
	raw := d.unit[from:d.d.InputOffset()]
	if !utf8.Valid(raw) || !bytes.HasPrefix(raw, []byte("<![CDATA[")) && surrogate(raw) {
		return nil, errRefused
	}
	return token, nil
}

var number = regexp.MustCompile(`&#(x?)([0-9a-fA-F]+);`)

// surrogate says whether raw refers to one of U+D800 to U+DFFF, which the decoder
// reads as U+FFFD.
func surrogate(raw []byte) bool {
	for _, m := range number.FindAllSubmatch(raw, -1) {
		base := 10
		if len(m[1]) > 0 {
			base = 16
		}
		if n, err := strconv.ParseUint(string(m[2]), base, 32); err == nil && n >= 0xD800 && n <= 0xDFFF {
			return true
		}
	}
	return false
}

// isName says whether the decoder takes name for one that has no colon.
func isName(name string) bool {
	if strings.ContainsAny(name, ": \t\r\n/<>='\"&?!") {
		return false
	}
	token, err := xml.NewDecoder(strings.NewReader("<" + name + "/>")).RawToken()
	tag, ok := token.(xml.StartElement)
	return err == nil && ok && tag.Name.Local == name
}

// namespaces is what is bound to each prefix; each element has a copy.
type namespaces map[string]string

func (n namespaces) resolve(raw xml.Name, attribute bool) (xml.Name, bool) {
	if !isName(raw.Local) || raw.Space != "" && !isName(raw.Space) {
		return xml.Name{}, false
	}
	ns, ok := n[raw.Space]
	if raw.Space == "" {
		ok = true
		if attribute {
			ns = ""
		}
	}
	return xml.Name{Space: ns, Local: raw.Local}, ok
}

const (
	nsXML   = "http://www.w3.org/XML/1998/namespace"
	nsXMLNS = "http://www.w3.org/2000/xmlns/"
)

// open resolves a start tag in a scope, and returns the scope inside and the
// declarations.
func (outer namespaces) open(tag xml.StartElement) (e element.Element, scope namespaces, declared []xml.Attr, err error) {
	scope = namespaces{}
	for prefix, ns := range outer {
		scope[prefix] = ns
	}
	seen := map[xml.Name]bool{}
	for _, a := range tag.Attr {
		prefix := a.Name.Local
		if a.Name.Space != "xmlns" {
			if a.Name.Space != "" || prefix != "xmlns" {
				continue
			}
			prefix = ""
		}
		name := xml.Name{Space: "xmlns", Local: prefix}
		if prefix != "" && (!isName(prefix) || a.Value == "") || prefix == "xmlns" || a.Value == nsXMLNS ||
			(prefix == "xml") != (a.Value == nsXML) || seen[name] {
			return e, nil, nil, errRefused
		}
		seen[name] = true
		scope[prefix] = a.Value
		declared = append(declared, xml.Attr{Name: name, Value: a.Value})
	}
	var ok bool
	if e.Name, ok = scope.resolve(tag.Name, false); !ok {
		return e, nil, nil, errRefused
	}
	for _, a := range tag.Attr {
		if a.Name.Space == "xmlns" || a.Name == (xml.Name{Local: "xmlns"}) {
			continue
		}
		if a.Name, ok = scope.resolve(a.Name, true); !ok || seen[a.Name] {
			return e, nil, nil, errRefused
		}
		seen[a.Name] = true
		e.Attr = append(e.Attr, a)
	}
	return e, scope, declared, nil
}

// oracleParse is what Parse must say.
func oracleParse(unit []byte, h element.Header) (element.Element, error) {
	var s xmlsplit.Scanner
	s.StartInside()
	if n, k, err := s.Scan(unit); n != len(unit) || k != xmlsplit.Element || err != nil {
		return element.Element{}, errRefused
	}
	scope := namespaces{"xml": nsXML, "": h.ContentNS}
	if h.Prefix != "" && h.Prefix != "xml" {
		scope[h.Prefix] = h.Name.Space
	}
	for _, a := range h.Extra {
		scope[a.Name.Local] = a.Value
	}
	d := newDecoder(unit)
	token, err := d.token()
	if err != nil {
		return element.Element{}, err
	}
	return d.element(token.(xml.StartElement), scope)
}

// element reads the element that tag begins.
func (d decoder) element(tag xml.StartElement, outer namespaces) (element.Element, error) {
	e, scope, _, err := outer.open(tag)
	if err != nil {
		return element.Element{}, err
	}
	for {
		token, err := d.token()
		if err != nil {
			return element.Element{}, err
		}
		switch token := token.(type) {
		case xml.StartElement:
			child, err := d.element(token, scope)
			if err != nil {
				return element.Element{}, err
			}
			e.Children = append(e.Children, child)
		case xml.EndElement:
			if token.Name != tag.Name {
				return element.Element{}, errRefused
			}
			return e, nil
		case xml.CharData:
			e.Text += string(token)
		default:
			return element.Element{}, errRefused
		}
	}
}

// oracleDeclaration is XMLDecl of XML 1.0 §2.8, and white space behind it.
var oracleDeclaration = regexp.MustCompile(`^<\?xml[ \t\r\n]+version[ \t\r\n]*=[ \t\r\n]*(?:'1\.0'|"1\.0")` +
	`(?:[ \t\r\n]+encoding[ \t\r\n]*=[ \t\r\n]*(?:'([A-Za-z][A-Za-z0-9._-]*)'|"([A-Za-z][A-Za-z0-9._-]*)"))?` +
	`(?:[ \t\r\n]+standalone[ \t\r\n]*=[ \t\r\n]*(?:'(?:yes|no)'|"(?:yes|no)"))?[ \t\r\n]*\?>[ \t\r\n]*`)

// oracleHeader is what ParseHeader must say.
func oracleHeader(unit []byte) (element.Header, error) {
	if bytes.HasPrefix(unit, []byte("<?")) {
		m := oracleDeclaration.FindSubmatch(unit)
		if m == nil {
			return element.Header{}, errRefused
		}
		if name := string(m[1]) + string(m[2]); name != "" && !strings.EqualFold(name, "UTF-8") {
			return element.Header{}, element.ErrUnsupportedEncoding
		}
		unit = unit[len(m[0]):]
	}
	var s xmlsplit.Scanner
	if n, k, err := s.Scan(unit); n != len(unit) || k != xmlsplit.Header || err != nil || bytes.HasPrefix(unit, []byte("<?")) {
		return element.Header{}, errRefused
	}
	token, err := newDecoder(unit).token()
	if err != nil {
		return element.Header{}, err
	}
	tag := token.(xml.StartElement)
	root, scope, declared, err := namespaces{"xml": nsXML}.open(tag)
	if err != nil {
		return element.Header{}, err
	}
	h := element.Header{Name: root.Name, Prefix: tag.Name.Space, ContentNS: scope[""],
		To: root.AttrValue("to"), From: root.AttrValue("from"), ID: root.AttrValue("id"), Version: root.AttrValue("version")}
	for _, a := range declared {
		if a.Name.Local != "" && a.Name.Local != h.Prefix {
			h.Extra = append(h.Extra, a)
		}
	}
	for _, a := range root.Attr {
		if a.Name == (xml.Name{Space: nsXML, Local: "lang"}) {
			h.Lang = a.Value
		}
	}
	return h, nil
}

// oracleEscape is what Escape must say.
func oracleEscape(s string) string {
	var b strings.Builder
	xml.EscapeText(io.Writer(&b), []byte(s))
	return b.String()
}
