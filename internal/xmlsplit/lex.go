package xmlsplit

import "bytes"

// state is what the automaton has read last, named after the grammar of
// XML 1.0. The zero value is between.
type state uint8

const (
	between       state = iota // no unit is begun
	prolog                     // after the XML declaration, before the root
	text                       // content of a top-level element
	markup                     // '<'
	startName                  // name of a start tag
	inTag                      // whitespace in a start tag
	attrName                   // name of an attribute
	afterAttrName              // whitespace before '='
	beforeValue                // '='
	value                      // inside quotes
	afterValue                 // closing quote
	slash                      // '/' of an empty-element tag
	endSlash                   // '</'
	endName                    // name of an end tag
	endTail                    // whitespace after it
	declaration                // '<!'
	cdataOpen                  // '<![' and part of CDATA[
	cdata                      // inside a CDATA section
	cdataEnd                   // ']' there, or more of them
	commentOpen                // '<!-'
	comment                    // inside a comment
	commentDash                // '-' there
	commentEnd                 // '--' there
	target                     // '<?'
	instruction                // inside a processing instruction or XML declaration
	question                   // '?' there
	reference                  // '&'
	numeric                    // '&#'
	hexFirst                   // '&#x'
	hexRest
	decimal
)

const (
	cdataLiteral = "CDATA["
	xmlLiteral   = "xml"
)

// lex runs the automaton over p until a unit ends.
func (s *Scanner) lex(p []byte) (int, Kind, error) {
	for i := 0; i < len(p); {
		c := p[i]
		switch s.state {
		case between, prolog:
			if s.state == prolog && is(c, space) {
				break
			}
			if c != '<' || s.closed {
				return i, None, ErrNotWellFormed
			}
			s.state = markup

		case text:
			if s.Relay {
				j := bytes.IndexByte(p[i:], '<')
				if j < 0 {
					return len(p), None, nil
				}
				i += j
				s.state = markup
				break
			}
			if i = skipText(p, i); i == len(p) {
				return i, None, nil
			}
			if err := s.textByte(p[i]); err != nil {
				return i, None, err
			}

		case markup:
			if j, t := s.wholeTag(p, i); t != noTag {
				if k, ok := s.take(t); k != None {
					return j, k, nil
				} else if ok {
					i = j
					continue
				}
			}
			if err := s.open(c); err != nil {
				return i, None, err
			}

		case startName:
			if i = skip(p, i, nameByte); i == len(p) {
				return i, None, nil
			}
			if k, err := s.tagByte(p[i]); err != nil || k != None {
				return end(i, k, err)
			}
		case inTag:
			if is(c, nameStart) {
				s.state = attrName
			} else if k, err := s.tagByte(c); err != nil || k != None {
				return end(i, k, err)
			}
		case afterValue:
			if k, err := s.tagByte(c); err != nil || k != None {
				return end(i, k, err)
			}
		case attrName:
			if i = skip(p, i, nameByte); i == len(p) {
				return i, None, nil
			}
			s.state = afterAttrName
			continue
		case afterAttrName:
			if c == '=' {
				s.state = beforeValue
			} else if !is(c, space) {
				return i, None, ErrNotWellFormed
			}
		case beforeValue:
			if c == '\'' || c == '"' {
				s.state, s.quote = value, c
			} else if !is(c, space) {
				return i, None, ErrNotWellFormed
			}
		case value:
			j, err := s.lexValue(p, i)
			if err != nil {
				return j, None, err
			}
			i = j
			continue
		case slash:
			if c != '>' {
				return i, None, ErrNotWellFormed
			}
			if k := s.leave(Header); k != None {
				return i + 1, k, nil
			}

		case endSlash:
			if !is(c, nameStart) {
				return i, None, ErrNotWellFormed
			}
			s.state = endName
		case endName, endTail:
			if s.state == endName {
				if i = skip(p, i, nameByte); i == len(p) {
					return i, None, nil
				}
			}
			if c = p[i]; c == '>' {
				s.depth--
				if k := s.leave(End); k != None {
					return i + 1, k, nil
				}
			} else if is(c, space) {
				s.state = endTail
			} else {
				return i, None, ErrNotWellFormed
			}

		case reference, numeric, hexFirst, hexRest, decimal:
			if err := s.referenceByte(c); err != nil {
				return i, None, err
			}

		default:
			j, k, err := s.lexRare(p, i)
			if err != nil || k != None {
				return j, k, err
			}
			i = j
			continue
		}
		i++
	}
	return len(p), None, nil
}

// end places the answer to byte i: a unit ends with it, a fault stands before it.
func end(i int, k Kind, err error) (int, Kind, error) {
	if err != nil {
		return i, None, err
	}
	return i + 1, k, nil
}

// open decides what the byte after '<' begins.
func (s *Scanner) open(c byte) error {
	switch {
	case is(c, nameStart):
		if s.tooDeep() {
			return ErrTooDeep
		}
		s.state = startName
	case c == '/' && s.depth > 0:
		s.state = endSlash
	case c == '!':
		s.state = declaration
	case c == '?':
		// RFC 6120 §11.4: a stream may begin with an XML declaration. Clients
		// end <auth/> with a newline, so whitespace of the stream before may
		// precede it.
		if !s.Relay && (s.depth > 0 || s.decl) {
			return ErrRestricted
		}
		s.state, s.match, s.decl = target, 0, true
	default:
		return ErrNotWellFormed
	}
	return nil
}

// tagByte takes a byte of a start tag that is in no name and in no value.
func (s *Scanner) tagByte(c byte) (Kind, error) {
	switch {
	case c == '>':
		return s.enter(), nil
	case c == '/':
		s.state = slash
	case is(c, space):
		s.state = inTag
	default:
		return None, ErrNotWellFormed
	}
	return None, nil
}

// tooDeep says whether no element may begin here. The root is not counted: depth
// is 1 where a top-level element begins.
func (s *Scanner) tooDeep() bool { return s.Limits.Depth > 0 && s.depth > s.Limits.Depth }

// enter begins the content of an element.
func (s *Scanner) enter() Kind {
	s.depth++
	s.state = text
	if s.depth == 1 {
		return Header
	}
	return None
}

// leave ends an element; root is what to report if it is the root's.
func (s *Scanner) leave(root Kind) Kind {
	switch s.depth {
	case 0:
		s.closed = true
		return root
	case 1:
		return Element
	}
	s.state = text
	return None
}
