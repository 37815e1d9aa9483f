package element

// class is a set of the roles that a byte can have in XML 1.0.
type class uint8

const (
	space     class = 1 << iota // S: space, tab, CR, LF
	nameByte                    // NameChar; beyond ASCII it is not decided here
	nameStart                   // NameStartChar, likewise, less the colon
	plain                       // stands for itself in text, in values and in CDATA sections
	verbatim                    // need not be escaped anywhere
)

var classes = func() (t [256]class) {
	for c := range t {
		switch b := byte(c); {
		case b == ' ', b == '\t', b == '\r', b == '\n':
			t[c] |= space
		case b >= 'a' && b <= 'z', b >= 'A' && b <= 'Z', b == '_', b >= 0x80:
			t[c] |= nameByte | nameStart
		case b >= '0' && b <= '9', b == '-', b == '.', b == ':':
			t[c] |= nameByte
		}
		switch b := byte(c); {
		case b == '\t', b == '\n', b == '\'', b == '"', b == '>':
			t[c] |= plain
		case b == '&', b == '<', b < ' ', b >= 0x80:
		case b == ']': // "]]>" must not stand in text (XML 1.0 §2.4)
			t[c] |= verbatim
		default:
			t[c] |= plain | verbatim
		}
	}
	return t
}()

// skip returns the index of the first byte of s from i on that is not in c.
func skip(s string, i int, c class) int {
	for i < len(s) && classes[s[i]]&c != 0 {
		i++
	}
	return i
}

// isChar says whether XML can hold r, a scalar value (Char of XML 1.0 §2.2).
func isChar(r rune) bool {
	switch {
	case r < ' ':
		return r == '\t' || r == '\n' || r == '\r'
	case r < 0xD800:
		return true
	}
	return r >= 0xE000 && r <= 0x10FFFF && r != 0xFFFE && r != 0xFFFF
}
