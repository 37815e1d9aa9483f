package element

import (
	"strings"
	"unicode/utf8"
)

// content is where characters stand, which decides what they may be.
type content uint8

const (
	inText content = iota
	inValue
	inCDATA
)

// appendChars appends the characters that run stands for, with its references
// resolved and its line ends normalised (XML 1.0 §2.11). A run of text ends at
// '<', one of a value at the quote, one of a CDATA section at "]]>".
func appendChars(dst []byte, run string, in content) ([]byte, error) {
	for i := 0; i < len(run); {
		j := skip(run, i, plain)
		dst = append(dst, run[i:j]...)
		if i = j; i == len(run) {
			break
		}
		switch c := run[i]; {
		case c >= utf8.RuneSelf:
			r, size := utf8.DecodeRuneInString(run[i:])
			if r == utf8.RuneError && size == 1 || !isChar(r) {
				return nil, fault("bad UTF-8, or a character that XML forbids")
			}
			dst = append(dst, run[i:i+size]...)
			i += size
		case c == '&' && in != inCDATA:
			r, size := reference(run[i:])
			if size == 0 {
				return nil, fault("bad reference")
			}
			dst = utf8.AppendRune(dst, r)
			i += size
		case c == '\r':
			dst = append(dst, '\n')
			if i++; i < len(run) && run[i] == '\n' {
				i++
			}
		case c == ']' && in == inText && strings.HasPrefix(run[i:], "]]>"):
			return nil, fault("end of a CDATA section in text")
		case c == ']', in == inCDATA && (c == '<' || c == '&'):
			dst = append(dst, c)
			i++
		default:
			return nil, fault("a character that must not stand there")
		}
	}
	return dst, nil
}

// references are the entities that XML itself declares (XML 1.0 §4.6).
var references = [...]struct {
	text string
	char rune
}{{"&amp;", '&'}, {"&lt;", '<'}, {"&gt;", '>'}, {"&quot;", '"'}, {"&apos;", '\''}}

// reference reads the reference that s begins with. size is its length, or 0 if
// it is none or stands for no character that XML can hold.
func reference(s string) (r rune, size int) {
	digits, ok := strings.CutPrefix(s, "&#")
	if !ok {
		for _, e := range references {
			if strings.HasPrefix(s, e.text) {
				return e.char, len(e.text)
			}
		}
		return 0, 0
	}
	base := rune(10)
	if hex, ok := strings.CutPrefix(digits, "x"); ok {
		digits, base = hex, 16
	}
	for i := 0; i < len(digits); i++ {
		switch d := digitOf(digits[i]); {
		case digits[i] == ';' && i > 0 && isChar(r):
			return r, len(s) - len(digits) + i + 1
		case d >= base:
			return 0, 0
		default:
			r = min(r*base+d, utf8.MaxRune+1) // stays beyond what a character can be
		}
	}
	return 0, 0
}

// digitOf is the value of a hexadecimal digit, and 16 if c is none.
func digitOf(c byte) rune {
	switch {
	case c >= '0' && c <= '9':
		return rune(c - '0')
	case c >= 'a' && c <= 'f':
		return rune(c-'a') + 10
	case c >= 'A' && c <= 'F':
		return rune(c-'A') + 10
	}
	return 16
}
