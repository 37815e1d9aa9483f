package element

import (
	"encoding/xml"
	"strings"
	"unicode/utf8"
)

const (
	nsXML   = "http://www.w3.org/XML/1998/namespace"
	nsXMLNS = "http://www.w3.org/2000/xmlns/"
)

// rawName is a name as written. Its parts are NCNames; prefix may be empty.
type rawName struct{ prefix, local string }

// declares says whether an attribute of that name declares a namespace, and for
// which prefix.
func (n rawName) declares() (prefix string, ok bool) {
	switch {
	case n.prefix == "xmlns":
		return n.local, true
	case n.prefix == "" && n.local == "xmlns":
		return "", true
	}
	return "", false
}

// readName reads the name (QName of Namespaces in XML 1.0 §4) that s begins
// with, and says how long it is.
func readName(s string) (name rawName, size int, err error) {
	size = skip(s, 0, nameByte)
	name.local = s[:size]
	if colon := strings.IndexByte(name.local, ':'); colon >= 0 {
		name.prefix, name.local = s[:colon], s[colon+1:size]
		if !isNCName(name.prefix) {
			return rawName{}, 0, fault("bad prefix")
		}
	}
	if !isNCName(name.local) {
		return rawName{}, 0, fault("bad name")
	}
	return name, size, nil
}

// isNCName says whether part, all of whose bytes may stand in a name, is one
// without a colon.
func isNCName(part string) bool {
	if part == "" || classes[part[0]]&nameStart == 0 {
		return false
	}
	for i := range len(part) {
		switch c := part[i]; {
		case c == ':':
			return false
		case c >= utf8.RuneSelf:
			return !strings.Contains(part, ":") && decoderTakes(part)
		}
	}
	return true
}

// decoderTakes leaves names beyond ASCII, which XMPP has none of, to the tables
// of encoding/xml: those of XML 1.0 before its fifth edition, Appendix B.
func decoderTakes(name string) bool {
	_, err := xml.NewDecoder(strings.NewReader("<" + name + "/>")).RawToken()
	return err == nil
}

// wellKnown are namespaces that most streams use: a string of the peer's need not
// be made or kept for them.
var wellKnown = func() map[string]string {
	m := make(map[string]string)
	for _, ns := range []string{
		"jabber:client",
		"http://etherx.jabber.org/streams",
		"urn:ietf:params:xml:ns:xmpp-framing",
		"urn:ietf:params:xml:ns:xmpp-tls",
		"urn:ietf:params:xml:ns:xmpp-sasl",
		"urn:ietf:params:xml:ns:xmpp-bind",
		"urn:ietf:params:xml:ns:xmpp-session",
		"urn:xmpp:sm:3",
		"http://jabber.org/protocol/httpbind",
		"http://jabber.org/protocol/chatstates",
		"http://jabber.org/protocol/caps",
	} {
		m[ns] = ns
	}
	return m
}()
