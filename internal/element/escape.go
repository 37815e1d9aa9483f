package element

import "unicode/utf8"

// Escape makes s fit to stand in an attribute's value, in quotes of either
// kind, or in text. What XML cannot hold becomes U+FFFD.
func Escape(s string) string {
	if skip(s, 0, verbatim) == len(s) {
		return s
	}
	return string(AppendEscaped(nil, s))
}

// AppendEscaped appends what [Escape] makes of s to dst.
func AppendEscaped(dst []byte, s string) []byte {
	for i := 0; i < len(s); {
		j := skip(s, i, verbatim)
		dst = append(dst, s[i:j]...)
		if i = j; i == len(s) {
			break
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == '"':
			dst = append(dst, "&#34;"...)
		case r == '\'':
			dst = append(dst, "&#39;"...)
		case r == '&':
			dst = append(dst, "&amp;"...)
		case r == '<':
			dst = append(dst, "&lt;"...)
		case r == '>':
			dst = append(dst, "&gt;"...)
		case r == '\t':
			dst = append(dst, "&#x9;"...)
		case r == '\n':
			dst = append(dst, "&#xA;"...)
		case r == '\r':
			dst = append(dst, "&#xD;"...)
		case !isChar(r):
			dst = utf8.AppendRune(dst, utf8.RuneError)
		default: // bytes that are no UTF-8 are U+FFFD by now
			dst = utf8.AppendRune(dst, r)
		}
		i += size
	}
	return dst
}
