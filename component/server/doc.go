// Package server is the upstream for a stock XMPP server: each user has an
// ordinary account there, whose password only this program knows.
//
// [Server.Open] connects as a client would, protects the stream where it is
// told to (STARTTLS, RFC 6120 §5; direct TLS, XEP-0368), and logs the user in
// with SCRAM-SHA-256 or SCRAM-SHA-1 (RFC 5802, RFC 7677), never with PLAIN. The
// keys that SCRAM derives from a password and a salt are kept, so that a known
// user costs no derivation.
//
// An account that does not exist is made, through [Accounts], when the server
// answers not-authorized and only then.
package server
