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
// stays as it is, byte for byte.
func clientFeatures(features []byte) ([]byte, error) {
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
			if depth != 2 || t.Name.Space != nsTLS && t.Name.Space != nsRegister {
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
