package component

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"strconv"
	"strings"

	"mellium.im/xmpp/jid"
	"mellium.im/xmpp/stream"

	"xtokend/internal/element"
	"xtokend/internal/xmlsplit"
)

const (
	nsClient = "jabber:client"
	nsStream = stream.NS
	nsTLS    = "urn:ietf:params:xml:ns:xmpp-tls"
	nsSASL   = "urn:ietf:params:xml:ns:xmpp-sasl"
)

// openStream reads the client's stream header and judges it (RFC 6120 §4.2 and
// §4.7 to §4.9). Before authentication it answers at once with a header and
// our features; after it joinUpstream does.
func (s *session) openStream() error {
	s.answered = false
	kind, unit, err := s.transport.next()
	if err != nil {
		return err
	}
	if s.upstream == nil {
		s.settings = s.front.settings.Load()
	}
	if kind != xmlsplit.Header {
		return fail(stream.NotWellFormed, "")
	}
	h, err := element.ParseHeader(unit)
	if err != nil {
		return err
	}
	s.header = &h
	switch {
	case bytes.HasSuffix(unit, []byte("/>")): // a stream that ends where it begins
		return fail(stream.BadFormat, "")
	case h.Name.Local != "stream":
		return fail(stream.BadFormat, "")
	case h.Name.Space != nsStream:
		return fail(stream.InvalidNamespace, "")
	case h.Prefix != "stream":
		return fail(stream.BadNamespacePrefix, "")
	case h.ContentNS != nsClient:
		return fail(stream.InvalidNamespace, "")
	case !versionAtLeast1(h.Version):
		return fail(stream.UnsupportedVersion, "")
	}
	domain := s.settings.streamDomain(preparedDomain(h.To))
	if domain == nil || s.upstream != nil && domain != s.domain {
		unknown := fail(stream.HostUnknown, "this service does not serve that domain")
		unknown.cause = fmt.Errorf("the client asks for the domain %.64q: correct the address that the web application gives it, or add a [[domain]]", h.To)
		return unknown
	}
	s.domain = domain
	if s.upstream != nil || s.verdict == refused {
		return nil
	}
	return s.answer(element.Header{}, s.appendFeatures)
}

// answer sends our stream header, with the namespace declarations of the
// upstream's if there is one, and what follows it, in one write.
func (s *session) answer(upstream element.Header, rest func([]byte) []byte) error {
	b := rest(s.appendHeader(nil, upstream))
	s.answered = true
	_, err := s.transport.Write(b)
	return err
}

// appendHeader appends our stream header, with an id that nobody can guess (RFC
// 6120 §4.7.3). The client's address is echoed only once it is known.
func (s *session) appendHeader(b []byte, upstream element.Header) []byte {
	from := s.settings.fallback.Name
	if s.domain != nil {
		from = s.domain.Name
	}
	b = append(b, "<?xml version='1.0'?><stream:stream xmlns='jabber:client' xmlns:stream='"+nsStream+"' version='1.0' xml:lang='en' id='"...)
	b = append(b, rand.Text()...)
	b = append(b, "' from='"...)
	b = append(b, element.Escape(from)...)
	if s.upstream != nil {
		b = append(b, "' to='"...)
		b = append(b, element.Escape(s.user.String())...)
	}
	b = append(b, '\'')
	return append(appendDeclarations(b, upstream), '>')
}

// appendFeatures appends what a client can do before authentication (RFC 6120
// §4.3.2): STARTTLS if it can still be done, mandatory where mechanisms are not
// offered, else the mechanisms too.
func (s *session) appendFeatures(b []byte) []byte {
	b = append(b, "<stream:features>"...)
	if s.canStartTLS() {
		b = append(b, "<starttls xmlns='"+nsTLS+"'>"...)
		if !s.mayAuthenticate() {
			b = append(b, "<required/>"...)
		}
		b = append(b, "</starttls>"...)
	}
	if s.mayAuthenticate() {
		b = append(b, "<mechanisms xmlns='"+nsSASL+"'>"...)
		for _, m := range s.domain.Mechanisms {
			b = append(b, "<mechanism>"...)
			b = append(b, m...)
			b = append(b, "</mechanism>"...)
		}
		b = append(b, "</mechanisms>"...)
	}
	return append(b, "</stream:features>"...)
}

func (s *session) canStartTLS() bool {
	return s.settings.tls != nil && !s.transport.secure && s.transport.framed == nil
}

// mayAuthenticate says whether a token may be sent over this transport as it is.
func (s *session) mayAuthenticate() bool { return s.transport.secure || s.transport.loopback }

// versionAtLeast1 judges a stream's version attribute (RFC 6120 §4.7.5).
func versionAtLeast1(v string) bool {
	major, minor, ok := strings.Cut(v, ".")
	if !ok {
		return false
	}
	m, err := strconv.ParseUint(major, 10, 16)
	if err != nil || m < 1 {
		return false
	}
	_, err = strconv.ParseUint(minor, 10, 16)
	return err == nil
}

// preparedDomain is the prepared form of a 'to' that is a domainpart alone; ""
// for all else.
func preparedDomain(to string) string {
	j, err := jid.Parse(to)
	if err != nil || j.Localpart() != "" || j.Resourcepart() != "" {
		return ""
	}
	return j.Domainpart()
}
