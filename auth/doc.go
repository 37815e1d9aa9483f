// Package auth verifies one-time tokens that a web application signs for its logged-in users, so that they can log in
// to another service, such as an XMPP server, without a password.
//
// A token names nobody by itself. It is made for one user, one domain and one 30-second step:
//
//	token     = otp nonce SP signature
//	otp       = 8 digits      ; TOTP (RFC 6238), HMAC-SHA-1, seed in base32
//	nonce     = 32 digits
//	signature = base64 of HMAC-SHA-256(token secret, otp nonce localpart "@" domainpart)
//
// It is the token of collective.converse (Plone) and of the Prosody module mod_auth_token. [Verifier.Verify] accepts a
// token once, within a window of steps around its clock; a [replay.Store] remembers what was used. It is meant to be
// embedded in any server: the package knows neither sockets nor XMPP.
//
// Start with [NewKey], [NewVerifier] and [PrepareName]. [Verifier.Explain] tells an administrator what is wrong with a
// token, clock or time zone; [Key.Issue] makes tokens.
//
// Every input of [PrepareName] and [Verifier.Verify] may come from an attacker. Nothing that the package returns or
// prints contains a byte of a token, seed or secret.
package auth
