package auth

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base32"
	"errors"
	"fmt"
	"hash"
	"strings"
	"sync"
	"time"

	"github.com/pquerna/otp"
	"github.com/pquerna/otp/hotp"
)

const (
	seedBytes   = 20 // RFC 4226 §4 R6 recommends 160 bits
	secretBytes = 32 // RFC 2104 §3: the length of the hash
)

// A Key is an OTP seed and a token secret, which an issuer and a verifier share. It prints as nothing but its name. The
// zero Key is refused by [NewVerifier]. A Key may be copied and used concurrently.
type Key struct {
	*hidden
}

// hidden keeps a key out of reach of fmt, which follows one pointer, and no more, even of an unexported field and with
// a verb that does not fit. There it never asks Key for its methods.
type hidden struct {
	*key
}

type key struct {
	seed     string
	seedBits int
	secret   string
	notAfter time.Time
	signers  sync.Pool // of *signer
	almanac  almanac
}

// NewKey makes a key of a seed in base32 (RFC 4648 §6; padding, spaces and letter case do not matter) and a secret,
// whose ASCII characters themselves are the key of the signature even if they look like base32. From notAfter on the
// key does not exist for a verifier; the zero time means no end. Errors never contain seed or secret.
func NewKey(otpSeed, tokenSecret string, notAfter time.Time) (Key, error) {
	seed := strings.ToUpper(strings.Join(strings.Fields(otpSeed), ""))
	seed = strings.TrimRight(seed, "=")
	raw, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(seed)
	switch {
	case seed == "":
		return Key{}, errors.New("the OTP seed is empty; make a key with GenerateKey")
	case err != nil:
		return Key{}, errors.New("the OTP seed is not base32: letters A to Z and digits 2 to 7, as in the issuer's settings")
	case tokenSecret == "":
		return Key{}, errors.New("the token secret is empty; make a key with GenerateKey")
	}
	for i := range len(tokenSecret) {
		if c := tokenSecret[i]; c <= ' ' || c > '~' {
			return Key{}, fmt.Errorf("character %d of the token secret is not a printable ASCII character; look for a stray space or line end", i+1)
		}
	}
	k := &key{seed: seed, seedBits: len(raw) * 8, secret: tokenSecret, notAfter: notAfter}
	k.signers.New = func() any { return &signer{mac: hmac.New(sha256.New, []byte(tokenSecret))} }
	if k.code(0) == noCode {
		return Key{}, errors.New("no one-time password can be made of the OTP seed; make a key with GenerateKey")
	}
	return Key{&hidden{k}}, nil
}

// GenerateKey returns the texts of a new random key: a seed of 160 bits and a secret of 256, both in base32.
func GenerateKey() (otpSeed, tokenSecret string, err error) {
	random := make([]byte, seedBytes+secretBytes)
	if _, err := rand.Read(random); err != nil {
		return "", "", err
	}
	encoding := base32.StdEncoding.WithPadding(base32.NoPadding)
	return encoding.EncodeToString(random[:seedBytes]), encoding.EncodeToString(random[seedBytes:]), nil
}

// SeedBits returns the length of the OTP seed. RFC 4226 §4 R6 requires 128 bits; the documented example of
// collective.converse has 80, so shorter seeds work, and a program should warn.
func (k Key) SeedBits() int {
	if k.hidden == nil {
		return 0
	}
	return k.seedBits
}

// Equal reports whether k and other have the same seed, secret and end. How long it takes says nothing of them but
// their lengths. Two zero Keys are equal.
func (k Key) Equal(other Key) bool {
	if k.hidden == nil || other.hidden == nil {
		return k.hidden == other.hidden
	}
	return subtle.ConstantTimeCompare([]byte(k.seed), []byte(other.seed))&
		subtle.ConstantTimeCompare([]byte(k.secret), []byte(other.secret)) == 1 && k.notAfter.Equal(other.notAfter)
}

// String keeps the key out of logs.
func (Key) String() string { return "auth.Key" }

// GoString keeps the key out of logs.
func (Key) GoString() string { return "auth.Key" }

// Format keeps the key out of logs, whatever the verb.
func (Key) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte("auth.Key")) }

func (k *key) liveAt(at time.Time) bool { return k.notAfter.IsZero() || at.Before(k.notAfter) }

// signer holds the HMAC state of a key, from which each signature starts, and room for what is signed.
type signer struct {
	mac  hash.Hash
	text []byte
	sum  [signatureBytes]byte
}

// sign computes the signature of otp and nonce followed by localpart@domain. The result is valid until the next call.
func (s *signer) sign(digits, localpart, domain string) *[signatureBytes]byte {
	s.text = append(s.text[:0], digits...)
	s.text = append(s.text, localpart...)
	s.text = append(s.text, '@')
	s.text = append(s.text, domain...)
	s.mac.Reset()
	s.mac.Write(s.text)
	s.mac.Sum(s.sum[:0])
	return &s.sum
}

// noCode is more than any one-time password, so nothing matches it.
const noCode = 100_000_000

// code returns the one-time password of a step (RFC 6238), or noCode if the seed is not usable.
func (k *key) code(step int64) uint32 {
	text, err := hotp.GenerateCodeCustom(k.seed, uint64(step), hotp.ValidateOpts{
		Digits:    otp.DigitsEight,
		Algorithm: otp.AlgorithmSHA1,
	})
	if err != nil {
		return noCode
	}
	var code uint32
	for i := range len(text) {
		code = code*10 + uint32(text[i]-'0')
	}
	return code
}
