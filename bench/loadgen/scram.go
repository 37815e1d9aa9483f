package main

import (
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha1"
	"encoding/base64"
	"errors"
	"strconv"
	"strings"
	"sync"
)

// scram is the client's side of one SCRAM-SHA-1 exchange without channel binding (RFC
// 5802). A name must need no escaping.
type scram struct {
	password, nonce, bare string // bare: client-first-message-bare
	serverSignature       []byte // nil before final
}

func newSCRAM(user, password string) *scram { return newSCRAMWithNonce(user, password, rand.Text()) }

func newSCRAMWithNonce(user, password, nonce string) *scram {
	return &scram{password: password, nonce: nonce, bare: "n=" + user + ",r=" + nonce}
}

func (s *scram) first() string { return "n,," + s.bare }

// final answers the server's first message.
func (s *scram) final(serverFirst string) (string, error) {
	var nonce, salt string
	var iterations int
	for field := range strings.SplitSeq(serverFirst, ",") {
		name, value, _ := strings.Cut(field, "=")
		switch name {
		case "r":
			nonce = value
		case "s":
			salt = value
		case "i":
			iterations, _ = strconv.Atoi(value)
		}
	}
	if !strings.HasPrefix(nonce, s.nonce) || iterations < 1 || iterations > 1_000_000 {
		return "", errors.New("bad server-first-message")
	}
	salted, err := saltedPassword(s.password, salt, iterations)
	if err != nil {
		return "", err
	}
	withoutProof := "c=biws,r=" + nonce
	authMessage := s.bare + "," + serverFirst + "," + withoutProof
	clientKey := mac(salted, "Client Key")
	storedKey := sha1.Sum(clientKey)
	proof := mac(storedKey[:], authMessage)
	for i := range proof {
		proof[i] ^= clientKey[i]
	}
	s.serverSignature = mac(mac(salted, "Server Key"), authMessage)
	return withoutProof + ",p=" + base64.StdEncoding.EncodeToString(proof), nil
}

// verify checks the server's final message. An empty one passes: some servers leave it out.
func (s *scram) verify(serverFinal string) error {
	if serverFinal == "" || serverFinal == "v="+base64.StdEncoding.EncodeToString(s.serverSignature) {
		return nil
	}
	return errors.New("bad server signature")
}

func mac(key []byte, message string) []byte {
	m := hmac.New(sha1.New, key)
	m.Write([]byte(message))
	return m.Sum(nil)
}

// derivation names a salted password.
type derivation struct {
	password, salt string
	iterations     int
}

// derived keeps salted passwords ([]byte by derivation), as clients that log in again do:
// after the first login of a user SCRAM costs next to nothing here.
var derived sync.Map

func saltedPassword(password, salt string, iterations int) ([]byte, error) {
	key := derivation{password, salt, iterations}
	if kept, ok := derived.Load(key); ok {
		return kept.([]byte), nil
	}
	decoded, err := base64.StdEncoding.DecodeString(salt)
	if err != nil || len(decoded) == 0 {
		return nil, errors.New("bad salt")
	}
	salted, err := pbkdf2.Key(sha1.New, password, decoded, iterations, sha1.Size)
	if err == nil {
		derived.Store(key, salted)
	}
	return salted, err
}
