package sasl

import (
	"bytes"
	"unicode/utf8"
)

const (
	// MaxIdentityBytes bounds authzid and authcid: no JID is longer
	// (RFC 7622 §3.1: three parts of 1023 octets and two separators).
	MaxIdentityBytes = 3071
	// MaxTokenBytes bounds what is verified as a token. A token has 85 octets,
	// and who types a password in its place seldom types more than this.
	MaxTokenBytes = 1024
)

// Credentials is the message of all three mechanisms, as the peer sent it:
// nothing is prepared or verified.
type Credentials struct {
	Authzid string // who the client wants to act as; empty: the user itself
	Authcid string // whose the token is
	Token   string // or, with PLAIN, whatever was given as the password
}

// Parse takes a message apart (RFC 4616 §2). All behind the second NUL is the
// token, also a NUL. The error is a [*Failure] with [MalformedRequest]: a NUL
// is missing, the text is not UTF-8, the authcid is empty, or an identity is
// longer than [MaxIdentityBytes]. Of what form the token is does not matter here.
func Parse(payload []byte) (Credentials, error) {
	authzid, rest, first := bytes.Cut(payload, []byte{0})
	authcid, token, second := bytes.Cut(rest, []byte{0})
	switch {
	case !first || !second:
		return Credentials{}, malformed("the message is not authzid NUL authcid NUL token")
	case len(authzid) > MaxIdentityBytes:
		return Credentials{}, malformed("the authzid is too long")
	case len(authcid) > MaxIdentityBytes:
		return Credentials{}, malformed("the authcid is too long")
	case !utf8.Valid(payload):
		return Credentials{}, malformed("the message is not UTF-8")
	case len(authcid) == 0:
		return Credentials{}, malformed("the authcid is empty")
	}
	return Credentials{Authzid: string(authzid), Authcid: string(authcid), Token: string(token)}, nil
}
