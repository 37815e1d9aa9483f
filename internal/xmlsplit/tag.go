package xmlsplit

// tag is what a whole tag is. The zero value is none.
type tag uint8

const (
	noTag tag = iota
	startTag
	emptyTag // an element that ends where it begins
	endTag
)

// wholeTag is the way past a tag that p has to its end, behind the '<' before
// p[i], without a step of the automaton for each part of it: most tags are whole,
// and stanzas take a quarter less time. It returns the index behind the tag. With
// noTag the automaton is to look at it: a tag that is cut, has a fault, or without
// Relay a reference.
func (s *Scanner) wholeTag(p []byte, i int) (int, tag) {
	if p[i] == '/' {
		return wholeEndTag(p, i+1)
	}
	if !is(p[i], nameStart) {
		return i, noTag
	}
	for i = skip(p, i, nameByte); i < len(p); {
		spaces := i
		i = skip(p, i, space)
		switch {
		case i == len(p):
			return i, noTag
		case p[i] == '>':
			return i + 1, startTag
		case p[i] == '/':
			if i+1 == len(p) || p[i+1] != '>' {
				return i, noTag
			}
			return i + 2, emptyTag
		case i == spaces || !is(p[i], nameStart):
			return i, noTag
		}
		if i = s.wholeAttribute(p, i); i < 0 {
			return i, noTag
		}
	}
	return i, noTag
}

// wholeAttribute returns the index behind the attribute that begins at p[i], or -1.
func (s *Scanner) wholeAttribute(p []byte, i int) int {
	i = skip(p, skip(p, i, nameByte), space)
	if i == len(p) || p[i] != '=' {
		return -1
	}
	i = skip(p, i+1, space)
	if i == len(p) || p[i] != '\'' && p[i] != '"' {
		return -1
	}
	quote, stop := p[i], valueStop
	if s.Relay {
		stop = quoteStop
	}
	for i++; ; i++ {
		if i = skipTo(p, i, stop); i == len(p) {
			return -1
		}
		switch p[i] {
		case quote:
			return i + 1
		case '\'', '"':
		default:
			return -1
		}
	}
}

// wholeEndTag is wholeTag from behind "</" on.
func wholeEndTag(p []byte, i int) (int, tag) {
	if i == len(p) || !is(p[i], nameStart) {
		return i, noTag
	}
	i = skip(p, skip(p, i, nameByte), space)
	if i == len(p) || p[i] != '>' {
		return i, noTag
	}
	return i + 1, endTag
}

// take is what the automaton does at the end of a tag. It refuses one that must not
// stand there.
func (s *Scanner) take(t tag) (k Kind, ok bool) {
	switch {
	case t == endTag:
		if s.depth == 0 {
			return None, false
		}
		s.depth--
		return s.leave(End), true
	case t == noTag || s.tooDeep():
		return None, false
	case t == emptyTag:
		return s.leave(Header), true
	}
	return s.enter(), true
}
