package xmlsplit

import "errors"

// The faults that a [Scanner] finds. Each ends the stream: the scanner repeats
// the error until it is reset.
var (
	// ErrRestricted: XML that RFC 6120 §11.1 forbids (comment, processing
	// instruction, DTD, reference to an entity beyond the five).
	ErrRestricted = errors.New("xmlsplit: restricted XML")
	// ErrNotWellFormed: a fault that leaves the next boundary in doubt.
	ErrNotWellFormed = errors.New("xmlsplit: XML is not well-formed")
	// ErrTooLong: a unit is longer than Limits.ElementBytes.
	ErrTooLong = errors.New("xmlsplit: element is too long")
	// ErrTooDeep: an element is nested deeper than Limits.Depth.
	ErrTooDeep = errors.New("xmlsplit: element is nested too deep")
)

// Kind says what a unit of a stream is.
type Kind uint8

// The kinds of unit. The zero value is None.
const (
	// None: no boundary was reached.
	None Kind = iota
	// Space: whitespace between top-level elements; with Scanner.Relay also a
	// comment or processing instruction there. A run of whitespace that the end
	// of the input cuts is reported in parts.
	Space
	// Header: the XML declaration, if there is one, and the root's opening tag.
	// A self-closed root is a Header too, and the stream is closed after it.
	Header
	// Element: one whole first-level child of the root.
	Element
	// End: the root's closing tag.
	End
)

func (k Kind) String() string {
	return [...]string{"none", "space", "header", "element", "end"}[k]
}

// Limits bounds what a stream may ask of its receiver. A zero field is no limit.
type Limits struct {
	// ElementBytes is the most bytes that one unit may have, from its '<' to its
	// end; the header's declaration counts with the header. Without Relay a run
	// of whitespace is bounded by it too.
	ElementBytes int
	// Depth is how deep elements may be nested: a top-level element is at
	// depth 1, its child at 2.
	Depth int
}

// Scanner finds the ends of the units of one direction of one stream. Its zero
// value expects a header and has no limits. It keeps no input, and is not safe
// for use by several goroutines at once.
type Scanner struct {
	Limits Limits
	// Relay is for streams whose receiver parses the XML itself: comments and
	// processing instructions are stepped over, entity references and forbidden
	// characters are left to the receiver, and whitespace may go on for as long
	// as the session does (it is what clients keep connections alive with, and
	// is never buffered). A DTD stays forbidden. Set it before the first Scan.
	Relay bool

	state  state
	depth  int // open elements, the root included
	size   int // bytes of the begun unit
	spaces int // bytes of the whitespace since the last unit
	quote  byte
	match  uint8 // bytes matched of the literal that state waits for
	entity [4]byte
	resume state // after a reference: text or value
	decl   bool  // an XML declaration was begun
	closed bool
	err    error
}

// Reset prepares for a new stream on the same connection (RFC 6120 §4.3.3): a
// header comes next. Limits and Relay stay.
func (s *Scanner) Reset() {
	*s = Scanner{Limits: s.Limits, Relay: s.Relay}
}

// StartInside prepares for a stream whose header somebody else has read:
// elements come next. Limits and Relay stay.
func (s *Scanner) StartInside() {
	s.Reset()
	s.depth = 1
}

// AtBoundary reports whether no unit is begun, so that a byte stream cut here
// is cut between elements.
func (s *Scanner) AtBoundary() bool { return s.state == between && s.err == nil }

// Closed reports whether the stream has ended: by the root's closing tag, or by
// a self-closed root. Whitespace may still follow.
func (s *Scanner) Closed() bool { return s.closed }

// Scan consumes p up to and including the end of the unit that p begins or
// continues, and returns the number of bytes consumed and the unit's kind. With
// None all of p is consumed and the unit goes on. The boundaries do not depend
// on how the stream is cut into calls, save those inside whitespace (see Space).
//
// An error is one of this package's four; n is then the number of bytes before
// the one that is at fault.
func (s *Scanner) Scan(p []byte) (n int, k Kind, err error) {
	if s.err != nil {
		return 0, None, s.err
	}
	if len(p) == 0 {
		return 0, None, nil
	}
	if s.state == between && is(p[0], space) {
		return s.scanSpace(p)
	}
	s.spaces = 0

	q := p
	if most := s.Limits.ElementBytes; most > 0 && len(q) > most-s.size {
		q = q[:most-s.size]
	}
	n, k, err = s.lex(q)
	s.size += n
	if err == nil && k == None && n < len(p) {
		err = ErrTooLong
	}
	if err != nil {
		s.err = err
		return n, None, err
	}
	if k != None {
		s.state, s.size = between, 0
	}
	return n, k, nil
}

// scanSpace is Scan where p starts with whitespace between elements.
func (s *Scanner) scanSpace(p []byte) (int, Kind, error) {
	n := skip(p, 0, space)
	if most := s.Limits.ElementBytes; most > 0 && !s.Relay {
		if n = min(n, most-s.spaces); n == 0 {
			s.err = ErrTooLong
			return 0, None, s.err
		}
		s.spaces += n
	}
	return n, Space, nil
}
