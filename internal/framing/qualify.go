// Package framing makes first-level elements of a stream stand alone, as
// framings need that put each into a document of its own: WebSocket messages
// (RFC 7395 §3.3.3) and the bodies of BOSH (XEP-0206 §7).
package framing

import (
	"bytes"

	"xtokend/internal/element"
)

// Qualify appends unit, a whole first-level element of the stream that
// header began, to dst, and to its start tag those namespace declarations of
// the header that it uses and does not make itself. A declaration is taken for
// used if its prefix stands anywhere in the element: one too many does no harm.
// The element is not checked; what is not XML stays what it is.
func Qualify(dst, unit []byte, header element.Header) []byte {
	name := nameEnd(unit)
	dst = append(dst, unit[:name]...)
	tag := unit[name:]
	if header.ContentNS != "" && !declares(tag, "") {
		dst = appendDeclaration(dst, "", header.ContentNS)
	}
	if p := header.Prefix; p != "" && uses(unit, p) && !declares(tag, p) {
		dst = appendDeclaration(dst, p, header.Name.Space)
	}
	for _, d := range header.Extra {
		if p := d.Name.Local; uses(unit, p) && !declares(tag, p) {
			dst = appendDeclaration(dst, p, d.Value)
		}
	}
	return append(dst, tag...)
}

// appendDeclaration binds prefix, or without one the default namespace.
func appendDeclaration(dst []byte, prefix, value string) []byte {
	dst = append(dst, " xmlns"...)
	if prefix != "" {
		dst = append(append(dst, ':'), prefix...)
	}
	dst = append(dst, "='"...)
	dst = element.AppendEscaped(dst, value)
	return append(dst, '\'')
}

func uses(unit []byte, prefix string) bool {
	for {
		i := bytes.Index(unit, []byte(prefix))
		if i < 0 {
			return false
		}
		if unit = unit[i+len(prefix):]; len(unit) > 0 && unit[0] == ':' {
			return true
		}
	}
}

// declares says whether the start tag, from behind its name on, binds prefix, or
// the default namespace if that is empty.
func declares(tag []byte, prefix string) bool {
	for i := 0; i < len(tag) && tag[i] != '>'; {
		switch c := tag[i]; {
		case c == '\'' || c == '"':
			end := bytes.IndexByte(tag[i+1:], c)
			if end < 0 {
				return false
			}
			i += end + 2
		case isSpace(c) || c == '=' || c == '/':
			i++
		default:
			end := i + attributeEnd(tag[i:])
			if binds(tag[i:end], prefix) {
				return true
			}
			i = end
		}
	}
	return false
}

// binds says whether an attribute of that name binds prefix.
func binds(name []byte, prefix string) bool {
	rest, ok := bytes.CutPrefix(name, []byte("xmlns"))
	if !ok || prefix == "" {
		return ok && len(rest) == 0
	}
	return len(rest) == 1+len(prefix) && rest[0] == ':' && string(rest[1:]) == prefix
}

// nameEnd is the length of '<' and the element's name.
func nameEnd(unit []byte) int {
	for i, c := range unit {
		if isSpace(c) || c == '/' || c == '>' {
			return i
		}
	}
	return len(unit)
}

func attributeEnd(b []byte) int {
	for i, c := range b {
		if isSpace(c) || c == '=' || c == '>' || c == '/' || c == '\'' || c == '"' {
			return i
		}
	}
	return len(b)
}

func isSpace(c byte) bool { return c == ' ' || c == '\t' || c == '\n' || c == '\r' }
