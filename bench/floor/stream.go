package main

import (
	"crypto/hmac"
	"crypto/sha256"
	"net"
)

// secret is as long as a token secret.
var secret = []byte("JYXEX4IQOEYFYQ2S3MC5P4ZT4SDHYEA7")

// What a server says in a login, one write each.
const (
	header = "<?xml version='1.0'?><stream:stream from='example.org' id='3f6b1c0e9a7d4285' version='1.0' " +
		"xml:lang='en' xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>"
	mechanisms = "<stream:features xmlns:stream='http://etherx.jabber.org/streams'>" +
		"<mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>" +
		"<mechanism>X-TOKEN</mechanism><mechanism>PLAIN</mechanism></mechanisms></stream:features>"
	success  = "<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>"
	features = "<stream:features xmlns:stream='http://etherx.jabber.org/streams'>" +
		"<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></stream:features>"
	bound = "<iq type='result' id='b' xmlns='jabber:client'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'>" +
		"<jid>u0@example.org/9a7d4285</jid></bind></iq>"
	streamEnd = "</stream:stream>"
)

// maxReadBytes is more than a client of the load generator sends at a time.
const maxReadBytes = 2048

// verify takes as long as a signature does.
func verify(message []byte) {
	mac := hmac.New(sha256.New, secret)
	mac.Write(message)
	var sum [sha256.Size]byte
	mac.Sum(sum[:0])
}

// serveStream is one login over a stream, to the client's end of it.
func serveStream(c net.Conn) {
	var buf [maxReadBytes]byte
	for step, answer := range []string{header + mechanisms, success, header + features, bound, streamEnd} {
		n, err := readElement(c, buf[:])
		if err != nil {
			return
		}
		if step == 1 {
			verify(buf[:n])
		}
		if _, err := c.Write([]byte(answer)); err != nil {
			return
		}
	}
	c.Close() // TLS says so
}

// readElement reads up to a '>': what the load generator sends ends there and is one write,
// so that this is one read.
func readElement(c net.Conn, buf []byte) (n int, err error) {
	for n < len(buf) {
		m, err := c.Read(buf[n:])
		n += m
		if n > 0 && buf[n-1] == '>' {
			return n, nil
		}
		if err != nil {
			return n, err
		}
	}
	return n, nil
}
