package bosh

import (
	"crypto/sha1"
	"crypto/subtle"
	"encoding/hex"
	"strings"
)

// keys follows a client's key sequence (XEP-0124 §15). Its zero value expects
// none until one is begun.
type keys struct {
	expected string // hash of the next key, in lower case; empty: no sequence
}

// begin takes the first request of a session.
func (k *keys) begin(newKey string) { k.expected = strings.ToLower(newKey) }

// accept checks the next request in rid order, and goes on to the one after it.
// Once a sequence is begun it cannot be left.
func (k *keys) accept(key, newKey string) bool {
	if k.expected != "" {
		sum := sha1.Sum([]byte(key))
		hash := hex.EncodeToString(sum[:])
		if subtle.ConstantTimeCompare([]byte(hash), []byte(k.expected)) != 1 {
			return false
		}
	}
	k.expected = strings.ToLower(key)
	if newKey != "" {
		k.expected = strings.ToLower(newKey)
	}
	return true
}

// sameKey compares the keys of a request and of its repetition.
func sameKey(a, b string) bool {
	return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1
}

// isKey says whether s can be the hash of a key.
func isKey(s string) bool {
	_, err := hex.DecodeString(s)
	return err == nil && len(s) == maxKeyBytes
}
