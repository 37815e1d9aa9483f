package xmlsplit

import "encoding/binary"

// class is a set of the roles that a byte can have in XML 1.0. A byte above
// 0x7F is part of some UTF-8 sequence and counts as a letter.
type class uint8

const (
	space     class = 1 << iota // S: space, tab, CR, LF
	nameStart                   // NameStartChar
	nameByte                    // NameChar
	textStop                    // markup in text, or forbidden there
	valueStop                   // the same in the value of an attribute
	quoteStop                   // the same with Relay, where the rest is left to the receiver
	digit
	hexDigit
)

var classes = func() (t [256]class) {
	for c := range t {
		b := byte(c)
		switch {
		case b == ' ' || b == '\t' || b == '\r' || b == '\n':
			t[c] |= space
		case b < ' ':
			t[c] |= textStop | valueStop
		case b >= 'a' && b <= 'z', b >= 'A' && b <= 'Z', b == '_', b == ':', b >= 0x80:
			t[c] |= nameStart | nameByte
		case b >= '0' && b <= '9':
			t[c] |= nameByte | digit | hexDigit
		case b == '-' || b == '.':
			t[c] |= nameByte
		case b == '&':
			t[c] |= textStop | valueStop
		case b == '<':
			t[c] |= textStop | valueStop | quoteStop
		case b == '\'' || b == '"':
			t[c] |= valueStop | quoteStop
		}
		if b >= 'a' && b <= 'f' || b >= 'A' && b <= 'F' {
			t[c] |= hexDigit
		}
	}
	return t
}()

func is(b byte, c class) bool { return classes[b]&c != 0 }

// skip returns the index of the first byte of p from i on that is not in c.
func skip(p []byte, i int, c class) int {
	for _, b := range p[i:] {
		if classes[b]&c == 0 {
			break
		}
		i++
	}
	return i
}

// skipTo returns the index of the first byte of p from i on that is in c.
func skipTo(p []byte, i int, c class) int {
	for _, b := range p[i:] {
		if classes[b]&c != 0 {
			break
		}
		i++
	}
	return i
}

// skipText is skipTo for textStop, eight bytes at a time where none of them is
// below ' ', a '<' or a '&'.
func skipText(p []byte, i int) int {
	const each, top = 0x0101010101010101, 0x8080808080808080 // in each byte of a word
	for i+8 <= len(p) {
		w := binary.LittleEndian.Uint64(p[i:])
		lt, amp := w^each*'<', w^each*'&'
		// The top bit of a byte stays only if subtracting has borrowed it.
		if ((w-each*' ')&^w|(lt-each)&^lt|(amp-each)&^amp)&top == 0 {
			i += 8
			continue
		}
		next := i + 8
		if i = skipTo(p[:next], i, textStop); i < next {
			return i
		}
	}
	return skipTo(p, i, textStop)
}
