package auth

import (
	"crypto/sha256"
	"encoding/base64"
)

// The grammar of a token has one length only:
//
//	token     = otp nonce SP signature
//	otp       = 8 digits
//	nonce     = 32 digits
//	signature = base64 of 32 octets (RFC 4648 §4), padded
const (
	otpDigits       = 8
	nonceDigits     = 32
	signedDigits    = otpDigits + nonceDigits
	signatureOffset = signedDigits + 1
	signatureBytes  = sha256.Size
	signatureChars  = (signatureBytes + 2) / 3 * 4
	tokenBytes      = signatureOffset + signatureChars
)

// parsed is a token of good form.
type parsed struct {
	otp       uint32
	digits    [signedDigits / 2]byte // otp and nonce, two digits an octet
	signature [signatureBytes]byte
}

// parse reads a token into p and reports whether it has the form. Nothing else is accepted: with a nonce of free length
// the token of 1alice would be one of alice too, since the signed text has no separators.
func (p *parsed) parse(token string) bool {
	if len(token) != tokenBytes || token[signedDigits] != ' ' || token[tokenBytes-1] != '=' {
		return false
	}
	var bad byte
	for i := range p.digits {
		high, low := token[2*i]-'0', token[2*i+1]-'0'
		// Below ten the sum stays below 16; a wrapped or larger value sets a high bit.
		bad |= high | low | (high + 6) | (low + 6)
		p.digits[i] = high<<4 | low
	}
	if bad&0xf0 != 0 {
		return false
	}
	p.otp = 0
	for i := range otpDigits / 2 {
		p.otp = p.otp*100 + uint32(p.digits[i]>>4)*10 + uint32(p.digits[i]&0xf)
	}
	// The decoder skips CR and LF, but then too few octets come out of a text of this length.
	var text [signatureChars]byte
	copy(text[:], token[signatureOffset:])
	var octets [signatureChars / 4 * 3]byte
	n, err := strictBase64.Decode(octets[:], text[:])
	copy(p.signature[:], octets[:])
	return err == nil && n == signatureBytes
}

// strictBase64 refuses set bits behind the last octet, which would give one signature several spellings.
var strictBase64 = base64.StdEncoding.Strict()
