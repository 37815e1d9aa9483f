package xmlsplit

import "bytes"

// textByte takes a byte of text that is not plain.
func (s *Scanner) textByte(c byte) error {
	switch c {
	case '<':
		s.state = markup
	case '&':
		s.state, s.resume, s.match = reference, text, 0
	default:
		return ErrNotWellFormed
	}
	return nil
}

// lexValue runs over the value of an attribute from p[i] on and returns where
// it stopped: at the end of p, or behind the closing quote or a '&'.
func (s *Scanner) lexValue(p []byte, i int) (int, error) {
	if s.Relay {
		j := bytes.IndexByte(p[i:], s.quote)
		run := p[i:]
		if j >= 0 {
			run = p[i : i+j]
		}
		if k := bytes.IndexByte(run, '<'); k >= 0 {
			return i + k, ErrNotWellFormed
		}
		if j < 0 {
			return len(p), nil
		}
		s.state = afterValue
		return i + j + 1, nil
	}
	for ; ; i++ {
		if i = skipTo(p, i, valueStop); i == len(p) {
			return i, nil
		}
		switch c := p[i]; c {
		case s.quote:
			s.state = afterValue
			return i + 1, nil
		case '\'', '"':
		case '&':
			s.state, s.resume, s.match = reference, value, 0
			return i + 1, nil
		default:
			return i, ErrNotWellFormed
		}
	}
}

// referenceByte takes a byte of an entity or character reference, behind its
// '&'. Which character is meant does not matter here.
func (s *Scanner) referenceByte(c byte) error {
	switch s.state {
	case reference:
		switch {
		case c == '#' && s.match == 0:
			s.state = numeric
		case c == ';' && s.match > 0:
			return s.endEntity()
		case s.match == 0 && !is(c, nameStart), !is(c, nameByte):
			return ErrNotWellFormed
		case int(s.match) == len(s.entity):
			return ErrRestricted
		default:
			s.entity[s.match] = c
			s.match++
		}
	case numeric:
		switch {
		case c == 'x':
			s.state = hexFirst
		case is(c, digit):
			s.state = decimal
		default:
			return ErrNotWellFormed
		}
	case hexFirst, hexRest:
		switch {
		case is(c, hexDigit):
			s.state = hexRest
		case c == ';' && s.state == hexRest:
			s.state = s.resume
		default:
			return ErrNotWellFormed
		}
	case decimal:
		switch {
		case c == ';':
			s.state = s.resume
		case !is(c, digit):
			return ErrNotWellFormed
		}
	}
	return nil
}

// endEntity goes back to the text around a reference to one of the entities
// that XML itself declares; RFC 6120 §11.1 allows no other.
func (s *Scanner) endEntity() error {
	switch string(s.entity[:s.match]) {
	case "amp", "lt", "gt", "quot", "apos":
		s.state = s.resume
		return nil
	}
	return ErrRestricted
}
