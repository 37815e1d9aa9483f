package component

import (
	"bytes"
	"encoding/xml"
	"io"

	"xtokend/internal/element"
)

const nsRegister = "http://jabber.org/features/iq-register"

// clientFeatures takes out of the upstream's features what a relayed client
// must not see: STARTTLS, which ends at the front, and in-band registration,
// by which it could change a password that only the front knows. All else
// stays as it is, byte for byte. The header is the upstream's.
func clientFeatures(features []byte, header element.Header) ([]byte, error) {
	d := xml.NewDecoder(bytes.NewReader(features))
	out := make([]byte, 0, len(features))
	kept, depth := 0, 0
	for {
		start := int(d.InputOffset())
		tok, err := d.Token()
		if err == io.EOF {
			return append(out, features[kept:]...), nil
		}
		if err != nil {
			return nil, element.ErrNotWellFormed
		}
		switch t := tok.(type) {
		case xml.StartElement:
			depth++
			space := namespace(t.Name.Space, header)
			if depth != 2 || space != nsTLS && space != nsRegister {
				continue
			}
			if err := d.Skip(); err != nil {
				return nil, element.ErrNotWellFormed
			}
			depth--
			out = append(out, features[kept:start]...)
			kept = int(d.InputOffset())
		case xml.EndElement:
			depth--
		}
	}
}

// namespace is what the decoder took for a namespace, or what the header has
// bound to it if it was a prefix.
func namespace(space string, h element.Header) string {
	for _, a := range h.Extra {
		if a.Name.Local == space {
			return a.Value
		}
	}
	return space
}

// appendDeclarations appends the namespace declarations of a header beyond the
// two that every stream has: stanzas behind it may use their prefixes.
func appendDeclarations(b []byte, h element.Header) []byte {
	for _, a := range h.Extra {
		b = append(b, " xmlns:"...)
		b = append(b, a.Name.Local...)
		b = append(b, "='"...)
		b = append(b, element.Escape(a.Value)...)
		b = append(b, '\'')
	}
	return b
}
