package web

import (
	"bytes"
	"net/http"
	"strings"

	"xtokend/internal/element"
	"xtokend/internal/xmlsplit"
)

const (
	nsFraming = "urn:ietf:params:xml:ns:xmpp-framing" // RFC 7395 §3.3.2
	nsStream  = "http://etherx.jabber.org/streams"
	nsXML     = "http://www.w3.org/XML/1998/namespace"
)

// closeElement is spelt as strophe.js spells it: it compares the text, and takes
// any other for a stanza.
const closeElement = `<close xmlns="` + nsFraming + `" />`

// streamHeader is the header that an <open/> stands for (RFC 7395 §3.4). What is
// no <open/> becomes a header of another name or namespace than a stream has, for
// whoever judges headers.
func streamHeader(open element.Element) []byte {
	name, space := "stream", nsStream
	if open.Name.Space != nsFraming {
		space = nsFraming
	}
	if open.Name.Local != "open" || len(open.Children) > 0 || open.Text != "" {
		name = "open"
	}
	b := []byte("<?xml version='1.0'?><stream:" + name + " xmlns='jabber:client' xmlns:stream='" + space + "'")
	for _, a := range open.Attr {
		switch {
		case a.Name.Space == nsXML && a.Name.Local == "lang":
			b = appendAttribute(b, "xml:lang", a.Value)
		case a.Name.Space == "" && strings.Contains(" to from id version ", " "+a.Name.Local+" "):
			b = appendAttribute(b, a.Name.Local, a.Value)
		}
	}
	return append(b, '>')
}

// appendOpen appends the <open/> that stands for a header.
func appendOpen(b []byte, h element.Header) []byte {
	b = append(b, "<open xmlns='"+nsFraming+"'"...)
	b = appendAttribute(b, "version", h.Version)
	b = appendAttribute(b, "xml:lang", h.Lang)
	b = appendAttribute(b, "id", h.ID)
	b = appendAttribute(b, "from", h.From)
	if h.To != "" {
		b = appendAttribute(b, "to", h.To)
	}
	return append(b, "/>"...)
}

func appendAttribute(b []byte, name, value string) []byte {
	b = append(b, ' ')
	b = append(b, name...)
	b = append(b, "='"...)
	b = append(b, element.Escape(value)...)
	return append(b, '\'')
}

// oneUnit says whether b is one element, and white space at most beside it: no
// message holds more (RFC 7395 §3.3.3). Of white space alone the kind is Space.
func oneUnit(b []byte, s xmlsplit.Scanner) (xmlsplit.Kind, error) {
	s.StartInside()
	found := xmlsplit.Space
	for len(b) > 0 {
		n, kind, err := s.Scan(b)
		if err != nil {
			return xmlsplit.None, err
		}
		if kind != xmlsplit.Space {
			if kind != xmlsplit.Element || found == xmlsplit.Element {
				return xmlsplit.None, xmlsplit.ErrNotWellFormed
			}
			found = kind
		}
		b = b[n:]
	}
	return found, nil
}

// rootName is the local name of the element that b begins with, behind white
// space.
func rootName(b []byte) string {
	b = bytes.TrimLeft(b, " \t\r\n<")
	if i := bytes.IndexAny(b, " \t\r\n/>"); i >= 0 {
		b = b[:i]
	}
	if i := bytes.IndexByte(b, ':'); i >= 0 {
		b = b[i+1:]
	}
	return string(b)
}

// offers says whether a client asks for the subprotocol (RFC 6455 §4.1).
func offers(h http.Header, protocol string) bool {
	for _, line := range h.Values("Sec-Websocket-Protocol") {
		for name := range strings.SplitSeq(line, ",") {
			if strings.TrimSpace(name) == protocol {
				return true
			}
		}
	}
	return false
}
