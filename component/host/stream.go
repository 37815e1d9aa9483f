package host

import (
	"encoding/xml"
	"errors"

	"mellium.im/xmpp/stream"

	"xtokend/component/host/wire"
	"xtokend/internal/element"
	"xtokend/internal/xmlsplit"
)

const (
	nsStream  = "http://etherx.jabber.org/streams"
	nsStreams = "urn:ietf:params:xml:ns:xmpp-streams"
	nsBind    = "urn:ietf:params:xml:ns:xmpp-bind"
	nsSession = "urn:ietf:params:xml:ns:xmpp-session"
	nsSM      = "urn:xmpp:sm:3"
)

// clientHeader is for stanzas that the program itself has written.
var clientHeader = element.Header{ContentNS: wire.NSClient}

// features are offered to whom the front has authenticated. The session feature
// is for clients of RFC 3921; others may skip it.
const features = `<stream:features><bind xmlns='` + nsBind + `'><required/></bind>` +
	`<session xmlns='` + nsSession + `'><optional/></session>` +
	`<sm xmlns='` + nsSM + `'><optional/></sm></stream:features>`

// handle takes one whole unit of the client's stream.
func (c *conn) handle(kind xmlsplit.Kind, unit []byte) {
	switch {
	case kind == xmlsplit.Space:
	case kind == xmlsplit.End:
		c.endOfStream()
	case kind == xmlsplit.Header:
		c.openStream(unit)
	default:
		c.element(unit)
	}
}

// openStream answers the client's header with ours and the features.
func (c *conn) openStream(unit []byte) {
	h, err := element.ParseHeader(unit)
	c.header = h
	c.answerHeader()
	switch {
	case err != nil:
		c.fail(stream.NotWellFormed)
	case h.Name != xml.Name{Space: nsStream, Local: "stream"} || h.ContentNS != wire.NSClient:
		c.fail(stream.InvalidNamespace)
	case declarationBytes(h) > maxDeclarationBytes:
		c.fail(stream.PolicyViolation)
	default:
		c.say(item{unit: []byte(features)})
	}
}

// maxDeclarationBytes bounds the prefixes and namespaces that a header declares:
// each stanza is looked through for each, and takes those along that it uses.
const maxDeclarationBytes = 2048

func declarationBytes(h element.Header) int {
	n := 0
	for _, d := range h.Extra {
		n += len(d.Name.Local) + len(d.Value) + 16
	}
	return n
}

// answerHeader says our header, before anything else (RFC 6120 §4.9.1.2).
func (c *conn) answerHeader() {
	if !c.answered {
		c.answered = true
		c.say(item{unit: []byte(`<?xml version='1.0'?><stream:stream xmlns='jabber:client' xmlns:stream='` + nsStream + `' from='` +
			element.Escape(c.host.domain.String()) + `' id='` + newID() + `' version='1.0' xml:lang='en'>`)})
	}
}

// element takes a first-level element.
func (c *conn) element(unit []byte) {
	s, err := wire.Parse(unit, c.header, c.jid)
	switch {
	case errors.Is(err, wire.ErrNotStanza):
		e, _ := element.Parse(unit, c.header)
		c.management(e)
	case s == nil:
		c.fail(stream.NotWellFormed)
	default:
		c.stanza(s, err)
	}
}

// endOfStream is a clean close: there is nothing to resume.
func (c *conn) endOfStream() {
	c.host.turn(c, func(t *turn) {
		if t.session != nil {
			t.end(t.session)
		}
	})
	c.finish([]byte("</stream:stream>"))
}

// fail ends the stream with an error (RFC 6120 §4.9).
func (c *conn) fail(e stream.Error) { c.failWith(e, nil) }

// failWith adds an application-specific condition.
func (c *conn) failWith(e stream.Error, condition []byte) {
	c.answerHeader()
	c.finish(streamErrorOf(e, condition))
}

func streamErrorOf(e stream.Error, condition []byte) []byte {
	return []byte("<stream:error><" + e.Err + " xmlns='" + nsStreams + "'/>" + string(condition) + "</stream:error></stream:stream>")
}

// faultOf is the stream error for what the scanner found.
func faultOf(err error) stream.Error {
	switch {
	case errors.Is(err, xmlsplit.ErrRestricted):
		return stream.RestrictedXML
	case errors.Is(err, xmlsplit.ErrTooLong), errors.Is(err, xmlsplit.ErrTooDeep):
		return stream.PolicyViolation
	}
	return stream.NotWellFormed
}
