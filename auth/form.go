package auth

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strings"
	"unicode/utf8"
)

// describeForm says how a malformed token departs from the grammar, and what in the issuer does that. It never quotes
// the token.
func describeForm(token string) string {
	digits, signature, spaced := strings.Cut(token, " ")
	switch {
	case token == "":
		return "the token is empty"
	case len(token) > 2*tokenBytes:
		return fmt.Sprintf("the token has %d octets, not %d", len(token), tokenBytes)
	case strings.ContainsFunc(token, func(r rune) bool { return r >= utf8.RuneSelf }):
		return "the token holds characters beyond ASCII: digits must be 0 to 9"
	case strings.TrimRight(token, "\r\n") != token:
		return "a line end follows the token: the issuer must not print one, or must strip it"
	case strings.TrimSpace(token) != token && strings.TrimSpace(token) != digits:
		return "there is a space in front of the token or behind it"
	case !spaced:
		return "there is no space between nonce and signature"
	case strings.Trim(digits, "0123456789") != "":
		return "something else than digits stands in front of the space"
	case len(digits) != signedDigits:
		return fmt.Sprintf("%d digits stand in front of the space, not %d: the issuer must pad the one-time password to %d digits and the nonce to %d with zeros, as '%%0%dd' does, and use no more",
			len(digits), signedDigits, otpDigits, nonceDigits, nonceDigits)
	}
	return describeSignatureForm(signature)
}

func describeSignatureForm(signature string) string {
	_, hexErr := hex.DecodeString(signature)
	octets, base64Err := base64.StdEncoding.DecodeString(signature)
	switch {
	case signature == "":
		return "there is no signature behind the space"
	case strings.HasPrefix(signature, " "):
		return "there is more than one space between nonce and signature"
	case strings.HasPrefix(signature, "b'"), strings.HasPrefix(signature, `b"`):
		return "the signature is written as a Python 3 bytes literal, b'…': the issuer must add .decode('ascii') behind base64.b64encode(…)"
	case strings.ContainsAny(signature, "\r\n"):
		return "the signature is broken into lines: the issuer must use base64.b64encode, not encodebytes"
	case len(signature) == 2*signatureBytes && hexErr == nil:
		return "the signature is written in hexadecimal: the issuer must take base64 of digest(), not hexdigest()"
	case strings.ContainsAny(signature, "-_"):
		return "the signature is in URL-safe base64: the issuer must use the standard alphabet, base64.b64encode"
	case len(signature) == signatureChars-1 && !strings.Contains(signature, "="):
		return "the signature is base64 without its padding: the issuer must leave the = at its end"
	case base64Err != nil:
		return "the signature is not base64"
	case len(octets) != signatureBytes:
		return fmt.Sprintf("the signature has %d octets, not %d: the issuer must use HMAC-SHA-256", len(octets), signatureBytes)
	}
	return "the signature is not canonical base64: bits behind its last octet are set, so it was changed on its way"
}

// repair undoes what an issuer does wrong with the form alone, so that an explanation can tell of the rest.
func repair(token string) (repaired string, ok bool) {
	if len(token) > 2*tokenBytes {
		return "", false
	}
	digits, signature, _ := strings.Cut(strings.TrimSpace(token), " ")
	signature = strings.Join(strings.Fields(signature), "")
	if literal, found := strings.CutPrefix(signature, "b"); found && strings.HasPrefix(literal, "'") {
		signature = strings.Trim(literal, "'")
	}
	signature = strings.NewReplacer("-", "+", "_", "/").Replace(signature)
	if len(signature) == signatureChars-1 {
		signature += "="
	}
	repaired = digits + " " + signature
	return repaired, new(parsed).parse(repaired)
}
