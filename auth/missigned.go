package auth

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base32"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
)

// explainSignature looks for what the issuer may have signed instead.
func (v *Verifier) explainSignature(at time.Time, authcid string, name Name, p *parsed, token string) []string {
	digits, address, signature := token[:signedDigits], name.localpart+"@"+v.domain, p.signature
	var findings []string
	for i, k := range v.keys {
		signed := signedBySecret(k.secret, signature)
		if !k.liveAt(at) {
			if signed(digits + address) {
				findings = append(findings, fmt.Sprintf("signed with key %d, which ended at %s: give the issuer a newer key, or raise not_after", i+1, k.notAfter.UTC().Format(time.RFC3339)))
			}
			continue
		}
		for _, other := range v.missignings(authcid, name) {
			if signed(digits + other.text) {
				findings = append(findings, fmt.Sprintf("signed with key %d, but %s", i+1, other.finding))
			}
		}
		if decoded, ok := decodeSecret(k.secret); ok && signedBySecret(decoded, signature)(digits+address) {
			findings = append(findings, fmt.Sprintf("signed with the secret of key %d decoded from base32: the issuer must use the secret's characters as they are", i+1))
		}
		if signedBySecret(k.seed, signature)(digits + address) {
			findings = append(findings, fmt.Sprintf("signed with the OTP seed of key %d: the issuer has mixed up seed and secret", i+1))
		}
	}
	if len(findings) == 0 {
		findings = []string{fmt.Sprintf("not signed for %s with one of the %d keys: the issuer's token secret is another one (compare token_secret at both ends), or it has signed another user or domain (it must sign %s), or something else than the bare address", address, len(v.keys), address)}
	}
	return findings
}

// signedBySecret returns a function that says whether a text was signed with the secret. It is for one goroutine.
func signedBySecret(secret string, signature [signatureBytes]byte) func(text string) bool {
	mac := hmac.New(sha256.New, []byte(secret))
	var sum [sha256.Size]byte
	return func(text string) bool {
		mac.Reset()
		mac.Write([]byte(text))
		return hmac.Equal(mac.Sum(sum[:0]), signature[:])
	}
}

func decodeSecret(secret string) (string, bool) {
	encoding := base32.StdEncoding.WithPadding(base32.NoPadding)
	decoded, err := encoding.DecodeString(strings.TrimRight(strings.ToUpper(secret), "="))
	return string(decoded), err == nil && len(decoded) > 0
}

type missigning struct{ text, finding string }

// missignings lists texts that issuers are known to sign, or may well, in place of the prepared bare address.
func (v *Verifier) missignings(authcid string, name Name) []missigning {
	local, address := name.localpart, name.localpart+"@"+v.domain
	var list []missigning
	add := func(text, finding string) {
		known := func(m missigning) bool { return m.text == text }
		if text != address && !slices.ContainsFunc(list, known) {
			list = append(list, missigning{text, finding})
		}
	}
	asSent := "for the name as it was sent, not in its prepared form: the issuer must prepare it (lower case)"
	if name.sent != "" {
		asSent += "; or set fold_case, if no two user ids differ in case alone"
	}
	add(authcid+"@"+v.domain, asSent)
	for _, spelling := range capitals(local) {
		add(spelling+"@"+v.domain, "for the name with capitals: the issuer must sign it in lower case, for clients send it so")
	}
	add(local+"@"+strings.ToUpper(v.domain), "for the domain in upper case")
	add(local, "for the name alone, without @"+v.domain)
	add("@"+v.domain, "for an empty name")
	add(address+"\n", "with a line end behind the address: the issuer must strip it")
	add(address+" ", "with a space behind the address: the issuer must strip it")
	// A resource cannot be guessed, but clients have a few that they use when nobody names one.
	for _, resource := range []string{"", "converse.js", "converse", "plone", "web", "home", "work", "resource", "res", "xmpp"} {
		add(address+"/"+resource, "for a full JID: the issuer must sign the bare one, without resource")
	}
	const otherDomain = "for the domain %s: the issuer must sign %s, or this verifier must be set to the other one"
	for _, label := range []string{"www.", "xmpp.", "chat.", "jabber.", "conference."} {
		add(local+"@"+label+v.domain, fmt.Sprintf(otherDomain, label+v.domain, v.domain))
	}
	if _, parent, ok := strings.Cut(v.domain, "."); ok {
		add(local+"@"+parent, fmt.Sprintf(otherDomain, parent, v.domain))
	}
	add(local+"@localhost", fmt.Sprintf(otherDomain, "localhost", v.domain))
	return list
}

// maxSpelt bounds the names of which every letter is tried as a capital.
const maxSpelt = 32

// capitals lists spellings that people give a name of: JSMITH, John.Smith, and JSmith, JohnSmith and the like. Clients
// make names small, so that what was signed is not sent.
func capitals(local string) []string {
	spellings := []string{strings.ToUpper(local)}
	letters, words := []rune(local), []rune(local)
	begins := true
	for i, r := range letters {
		if begins {
			words[i] = unicode.ToUpper(r)
		}
		begins = strings.ContainsRune("._-+", r)
	}
	spellings = append(spellings, string(words))
	if len(letters) > maxSpelt {
		return spellings
	}
	letters[0] = unicode.ToUpper(letters[0])
	spellings = append(spellings, string(letters))
	for i := 1; i < len(letters); i++ {
		small := letters[i]
		letters[i] = unicode.ToUpper(small)
		spellings = append(spellings, string(letters))
		letters[i] = small
	}
	return spellings
}
