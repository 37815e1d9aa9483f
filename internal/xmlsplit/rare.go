package xmlsplit

import "bytes"

// lexRare runs over what stanzas seldom hold: CDATA sections, comments,
// processing instructions. It returns where it stopped; not always farther on,
// since a byte that ends a run of ']' or '?' is looked at again as content.
func (s *Scanner) lexRare(p []byte, i int) (int, Kind, error) {
	c := p[i]
	switch s.state {
	case declaration:
		switch {
		case c == '[' && s.depth <= 1:
			return i, None, ErrNotWellFormed
		case c == '[':
			s.state, s.match = cdataOpen, 0
		case c == '-' && s.Relay:
			s.state = commentOpen
		default:
			return i, None, ErrRestricted
		}
	case cdataOpen:
		if c != cdataLiteral[s.match] {
			return i, None, ErrRestricted
		}
		if s.match++; int(s.match) == len(cdataLiteral) {
			s.state = cdata
		}
	case cdata:
		return s.runTo(p, i, ']', cdataEnd)
	case cdataEnd:
		switch {
		case c == ']':
			s.match = 2
		case c == '>' && s.match == 2:
			s.state = text
		default:
			s.state = cdata
			return i, None, nil
		}

	case commentOpen:
		if c != '-' {
			return i, None, ErrNotWellFormed
		}
		s.state = comment
	case comment:
		return s.runTo(p, i, '-', commentDash)
	case commentDash:
		s.state = comment
		if c == '-' {
			s.state = commentEnd
		}
	case commentEnd:
		if c != '>' {
			return i, None, ErrNotWellFormed
		}
		return i + 1, s.leaveAside(), nil

	case target:
		if err := s.targetByte(c); err != nil {
			return i, None, err
		}
	case instruction:
		return s.runTo(p, i, '?', question)
	case question:
		switch c {
		case '>':
			return i + 1, s.leaveAside(), nil
		case '?':
		default:
			s.state = instruction
			return i, None, nil
		}
	}
	return i + 1, None, nil
}

// runTo goes behind the next stop in p, if there is one, and on to next.
func (s *Scanner) runTo(p []byte, i int, stop byte, next state) (int, Kind, error) {
	run, found := p[i:], false
	if j := bytes.IndexByte(run, stop); j >= 0 {
		run, found = run[:j], true
	}
	if !s.Relay {
		for j, c := range run {
			if c < ' ' && !is(c, space) {
				return i + j, None, ErrNotWellFormed
			}
		}
	}
	i += len(run)
	if found {
		i++
		s.state, s.match = next, 1
	}
	return i, None, nil
}

// targetByte takes a byte behind '<?': the target of an XML declaration, and
// with Relay the beginning of any other.
func (s *Scanner) targetByte(c byte) error {
	switch {
	case s.Relay && !is(c, nameStart):
		return ErrNotWellFormed
	case s.Relay:
		s.state = instruction
	case int(s.match) < len(xmlLiteral) && c == xmlLiteral[s.match]:
		s.match++
	case int(s.match) == len(xmlLiteral) && is(c, space):
		s.state = instruction
	default:
		return ErrRestricted
	}
	return nil
}

// leaveAside ends a comment, processing instruction or XML declaration: before
// the root it belongs to the header.
func (s *Scanner) leaveAside() Kind {
	switch s.depth {
	case 0:
		s.state = prolog
	case 1:
		return Space
	default:
		s.state = text
	}
	return None
}
