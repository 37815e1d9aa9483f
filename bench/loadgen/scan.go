package main

import (
	"bytes"
	"errors"
	"io"
)

// errStreamEnd is the server's clean end of a stream.
var errStreamEnd = errors.New("stream closed by the server")

// maxElementBytes bounds what an element may take up here.
const maxElementBytes = 16 << 20

// scanner cuts a stream of bytes into its top-level elements by counting tags. It knows
// as much XML as XMPP allows: no comments, no CDATA. A stream header is an element too,
// and an XML declaration before it is left out.
type scanner struct {
	from       io.Reader
	buf        []byte
	start, pos int // of the element; of what has not been looked at
	n          int // bytes in buf
}

func newScanner(r io.Reader) *scanner { return &scanner{from: r, buf: make([]byte, 4096)} }

// fill moves the element to the front of the buffer and reads more.
func (s *scanner) fill() error {
	copy(s.buf, s.buf[s.start:s.n])
	s.n -= s.start
	s.pos -= s.start
	s.start = 0
	if s.n == len(s.buf) {
		if s.n >= maxElementBytes {
			return errors.New("element too large")
		}
		s.buf = append(s.buf, make([]byte, len(s.buf))...)
	}
	m, err := s.from.Read(s.buf[s.n:])
	s.n += m
	switch {
	case m > 0:
		return nil
	case err == nil:
		return io.ErrNoProgress
	}
	return err
}

// next returns the next element, which is valid until the call after.
func (s *scanner) next() ([]byte, error) {
	s.start = s.pos
	for depth := 0; ; {
		if err := s.skipText(depth == 0); err != nil {
			return nil, err
		}
		tag, err := s.tag()
		if err != nil {
			return nil, err
		}
		switch {
		case tag[1] == '?':
			continue
		case tag[1] == '/':
			depth--
		case tag[len(tag)-2] == '/':
		case depth == 0 && bytes.HasPrefix(tag, []byte("<stream:stream")):
		default:
			depth++
		}
		if depth < 0 {
			return nil, errStreamEnd
		}
		if depth == 0 {
			return s.buf[s.start:s.pos], nil
		}
	}
}

// skipText goes to the next tag; text between elements is left out.
func (s *scanner) skipText(between bool) error {
	for {
		i := bytes.IndexByte(s.buf[s.pos:s.n], '<')
		if i >= 0 {
			s.pos += i
		} else {
			s.pos = s.n
		}
		if between {
			s.start = s.pos
		}
		if i >= 0 {
			return nil
		}
		if err := s.fill(); err != nil {
			return err
		}
	}
}

// tag goes behind the tag. A '>' in an attribute's value does not end it.
func (s *scanner) tag() ([]byte, error) {
	offset := s.pos - s.start // from start, as fill moves the buffer
	var quote byte
	for i := offset + 1; ; i++ {
		for s.start+i >= s.n {
			if err := s.fill(); err != nil {
				return nil, err
			}
		}
		switch c := s.buf[s.start+i]; {
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '"' || c == '\'':
			quote = c
		case c == '>':
			s.pos = s.start + i + 1
			return s.buf[s.start+offset : s.pos], nil
		}
	}
}
