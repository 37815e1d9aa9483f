package component

import "xtokend/internal/element"

const nsRegister = "http://jabber.org/features/iq-register"

// clientFeatures takes out of the upstream's features what a relayed client
// must not see: STARTTLS, which ends at the front, and in-band registration,
// by which it could change a password that only the front knows. All else
// stays as it is, byte for byte. parsed is the features.
func clientFeatures(features []byte, parsed element.Element) []byte {
	return element.Without(features, parsed.Children, func(feature element.Element) bool {
		return feature.Name.Space == nsTLS || feature.Name.Space == nsRegister
	})
}

// appendDeclarations appends the namespace declarations of a header beyond the
// two that every stream has: stanzas behind it may use their prefixes.
func appendDeclarations(b []byte, h element.Header) []byte {
	for _, a := range h.Extra {
		b = append(b, " xmlns:"...)
		b = append(b, a.Name.Local...)
		b = append(b, "='"...)
		b = element.AppendEscaped(b, a.Value)
		b = append(b, '\'')
	}
	return b
}
