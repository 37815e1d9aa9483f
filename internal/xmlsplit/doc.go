// Package xmlsplit finds where the top-level elements of an XMPP stream end,
// on bytes alone: no tree is built and nothing is decoded.
//
// An XMPP stream is one XML document that is never whole (RFC 6120 §4.1): an
// opening tag, first-level elements one after another, a closing tag. [Scanner]
// is an automaton over those bytes that may be fed in pieces of any size.
// [Reader] puts a bounded buffer in front of it and returns whole units.
//
// The package promises framing, not well-formedness: on a well-formed stream
// the boundaries are right, and a fault after which two parsers could disagree
// about a boundary is an error. End tags are counted and not compared, UTF-8 is
// not checked, and namespaces are not looked at. Whoever uses a unit parses it
// (package element does), and whoever relays it has a receiver that does.
package xmlsplit
