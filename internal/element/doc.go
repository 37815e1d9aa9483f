// Package element parses one small element, or a stream header, strictly.
//
// It is for what a session must understand itself (negotiation, and what the
// host serves), not for what it relays. Everything that XML 1.0 and Namespaces
// in XML 1.0 forbid is an error, and so is what RFC 6120 §11.1 does: comments,
// processing instructions, DTDs, entities beyond the five. Names are those of
// XML 1.0 before its fifth edition, since that is what most clients' parsers
// know. Line ends are normalised; other white space in attributes stays.
//
// Bound the size and depth of a unit before parsing it (package xmlsplit does).
// The time is linear in the size, and nothing recurses.
package element
