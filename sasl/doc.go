// Package sasl lets clients log in with a one-time token: the mechanisms
// X-TOKEN, HMAC and PLAIN for mellium.im/sasl, on both sides.
//
// The three differ in name alone. The client speaks first, with one message of
// the form that PLAIN has (RFC 4616 §2), the token in place of the password:
//
//	authzid NUL authcid NUL token
//
// [Server] hands the token to an auth.Verifier and turns each refusal into the
// SASL failure of RFC 6120 §6.5 that a peer may see, a [*Failure]. The package
// knows bytes, not XML: an embedder carries the messages and base64, for which
// there is [DecodeBase64].
package sasl
