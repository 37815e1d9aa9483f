package element

import (
	"encoding/xml"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// scope holds the namespaces bound to each prefix, the innermost last; the
// default namespace has the empty prefix.
type scope map[string][]string

func (s scope) declare(prefix, ns string) { s[prefix] = append(s[prefix], ns) }

func (s scope) undeclare(prefixes []string) {
	for _, p := range prefixes {
		s[p] = s[p][:len(s[p])-1]
	}
}

func (s scope) lookup(prefix string) (ns string, ok bool) {
	if prefix == "xml" {
		return nsXML, true
	}
	bound := s[prefix]
	if len(bound) == 0 {
		return "", prefix == ""
	}
	return bound[len(bound)-1], true
}

// resolve turns a name as written, its prefix in Space, into a resolved one.
// The default namespace is for elements alone (Namespaces in XML 1.0 §6.2).
func (s scope) resolve(raw xml.Name, element bool) (xml.Name, error) {
	if !isNCName(raw.Local) || raw.Space != "" && !isNCName(raw.Space) {
		return xml.Name{}, fmt.Errorf("%w: bad qualified name", ErrNotWellFormed)
	}
	if raw.Space == "" && !element {
		return raw, nil
	}
	ns, ok := s.lookup(raw.Space)
	if !ok {
		return xml.Name{}, fmt.Errorf("%w: unbound prefix", ErrNotWellFormed)
	}
	return xml.Name{Space: ns, Local: raw.Local}, nil
}

// isNCName says whether a part of a name that the decoder took is one by itself:
// without a colon, and not begun by what may only continue a name.
func isNCName(part string) bool {
	first, _ := utf8.DecodeRuneInString(part)
	return !strings.Contains(part, ":") && (first == '_' || unicode.IsLetter(first) || unicode.Is(unicode.Nl, first))
}

// declares says whether an attribute declares a namespace, and for which prefix.
func declares(raw xml.Name) (prefix string, ok bool) {
	switch {
	case raw.Space == "xmlns":
		return raw.Local, true
	case raw.Space == "" && raw.Local == "xmlns":
		return "", true
	}
	return "", false
}

// checkDeclaration refuses what Namespaces in XML 1.0 §2.2 and §3 reserve.
func checkDeclaration(prefix, ns string) error {
	switch {
	case prefix != "" && !isNCName(prefix),
		prefix != "" && ns == "",
		prefix == "xmlns",
		ns == nsXMLNS,
		(prefix == "xml") != (ns == nsXML):
		return fmt.Errorf("%w: reserved or empty namespace", ErrNotWellFormed)
	}
	return nil
}
