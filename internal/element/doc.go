// Package element parses one small element, or a stream header, strictly.
//
// It is for what a session must understand itself (negotiation), not for what
// it relays. Everything that XML 1.0 and Namespaces in XML 1.0 forbid is an
// error, also where encoding/xml lets it pass: duplicate attributes, unbound
// prefixes, references to surrogates, missing space between attributes. Bound
// the size and depth of a unit before parsing it (package xmlsplit does).
package element
