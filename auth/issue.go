package auth

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"math/big"
	"time"
)

// maxNonce is the first number of more than nonceDigits digits.
var maxNonce = new(big.Int).Exp(big.NewInt(10), big.NewInt(nonceDigits), nil)

// Issue makes a token of the step that holds at, for one login as name at domain. Its nonce comes from crypto/rand. It
// does not look at the key's end. It fails for the zero Key or Name, and for a domain that [NewVerifier] would refuse.
func (k Key) Issue(name Name, domain string, at time.Time) (token string, err error) {
	if k.hidden == nil {
		return "", errors.New("auth: the key is empty; make one with NewKey")
	}
	if name.localpart == "" {
		return "", errors.New("auth: the name is empty; make one with PrepareName")
	}
	if err := checkDomain(domain); err != nil {
		return "", err
	}
	nonce, err := rand.Int(rand.Reader, maxNonce)
	if err != nil {
		return "", err
	}
	digits := fmt.Sprintf("%0*d%0*d", otpDigits, k.code(stepOf(at)), nonceDigits, nonce)
	s := k.signers.Get().(*signer)
	defer k.signers.Put(s)
	signature := s.sign(digits, name.localpart, domain)
	return digits + " " + base64.StdEncoding.EncodeToString(signature[:]), nil
}
