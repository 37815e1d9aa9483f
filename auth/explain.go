package auth

import (
	"fmt"
	"time"

	"xtokend/auth/replay"
)

// describeForm says how a malformed token departs from the grammar.
func describeForm(token string) string {
	return fmt.Sprintf("the token is not %d digits, a space and %d characters of base64", signedDigits, signatureChars)
}

// describeSkew says in words how far the issuer's clock is off.
func describeSkew(skew int) string {
	d := time.Duration(abs(int64(skew))) * replay.StepSeconds * time.Second
	if skew < 0 {
		return d.String() + " behind"
	}
	return d.String() + " ahead"
}
