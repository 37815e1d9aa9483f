// Package component holds the XMPP side of xtokend: the front, which faces
// clients, and in its sub-packages the framings of browsers (web), the upstreams
// that it hands clients to, and the component link (XEP-0114).
//
// A [Front] accepts connections on any number of listeners, negotiates the
// stream (RFC 6120 §4 to §6), proves by a token who the client is, opens a
// stream for that user at the upstream, and from the client's second stream
// header on passes bytes both ways. Resource binding, stanzas, stream
// management and all that is to come are between client and upstream.
//
// What is not TCP comes through [Front.ServeStream], as a [Conn] in plain stream
// form.
//
// The life of a connection reads top to bottom in session.serve. What may be
// in one file only is in one file only: stream errors in streamerror.go, limits
// on streams in registry.go, on attempts in attempts.go.
//
// Implemented: RFC 6120 §4 (streams), §5 (STARTTLS), §6 (SASL), XEP-0368
// (direct TLS, with ALPN), XEP-0198 as far as a relay must leave it alone.
package component
