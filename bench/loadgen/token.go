package main

import (
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base32"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"
)

// tokens makes tokens: OTP (8 digits, RFC 6238 with SHA-1 and steps of 30 s), nonce (32
// digits), a space, and base64 of HMAC-SHA-256 over OTP, nonce and address.
type tokens struct {
	seed   []byte
	secret []byte // the secret's own ASCII, not what it would be in base32
}

func newTokens(seed, secret string) (*tokens, error) {
	decoded, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(strings.ToUpper(strings.TrimRight(seed, "=")))
	if err != nil {
		return nil, fmt.Errorf("-seed: %w", err)
	}
	return &tokens{seed: decoded, secret: []byte(secret)}, nil
}

// fresh is a token that nobody has used.
func (t *tokens) fresh(address string) string {
	nonce := make([]byte, 32)
	for i := range nonce {
		nonce[i] = byte('0' + rand.IntN(10))
	}
	return t.sign(t.otp(time.Now()), string(nonce), address)
}

func (t *tokens) sign(otp, nonce, address string) string {
	mac := hmac.New(sha256.New, t.secret)
	mac.Write([]byte(otp + nonce + address))
	return otp + nonce + " " + base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

func (t *tokens) otp(now time.Time) string {
	var step [8]byte
	binary.BigEndian.PutUint64(step[:], uint64(now.Unix()/30))
	mac := hmac.New(sha1.New, t.seed)
	mac.Write(step[:])
	hash := mac.Sum(nil)
	truncated := binary.BigEndian.Uint32(hash[hash[19]&15:]) & 0x7fffffff // RFC 4226 §5.3
	return fmt.Sprintf("%08d", truncated%100_000_000)
}

// passwords are those of users of a server.
type passwords struct {
	same          string // everybody's
	accountSecret string // empty: all have the same
}

// of is the password of an address. xtokend gives the accounts that it makes base64url of
// HMAC-SHA-256 over "xtokend account 1", NUL and the address.
func (p passwords) of(address string) string {
	if p.accountSecret == "" {
		return p.same
	}
	mac := hmac.New(sha256.New, []byte(p.accountSecret))
	mac.Write([]byte("xtokend account 1\x00" + address))
	return base64.URLEncoding.EncodeToString(mac.Sum(nil))
}
