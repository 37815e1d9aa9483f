package e2e

import (
	"context"
	"crypto/tls"
	"encoding/base64"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
)

const (
	nsStreams = "http://etherx.jabber.org/streams"
	nsTLS     = "urn:ietf:params:xml:ns:xmpp-tls"
	nsSASL    = "urn:ietf:params:xml:ns:xmpp-sasl"
	nsBind    = "urn:ietf:params:xml:ns:xmpp-bind"
)

// saslFailure is the condition of a refused login (RFC 6120 §6.5).
type saslFailure string

func (f saslFailure) Error() string { return "SASL failure: " + string(f) }

// streamError is the condition that ended a stream (RFC 6120 §4.9.3).
type streamError string

func (e streamError) Error() string { return "stream error: " + string(e) }

// element is any XML element, whole.
type element struct {
	XMLName    xml.Name
	Attributes []xml.Attr `xml:",any,attr"`
	Children   []element  `xml:",any"`
	Text       string     `xml:",chardata"`
}

func (e element) is(space, local string) bool {
	return e.XMLName == xml.Name{Space: space, Local: local}
}

func (e element) child(local string) (element, bool) {
	for _, child := range e.Children {
		if child.XMLName.Local == local {
			return child, true
		}
	}
	return element{}, false
}

// attribute returns the value of the attribute without a namespace, empty when
// there is none.
func (e element) attribute(local string) string {
	for _, a := range e.Attributes {
		if a.Name == (xml.Name{Local: local}) {
			return a.Value
		}
	}
	return ""
}

// framing is how a stream travels. The context given when it was made bounds its
// life.
type framing interface {
	// header sends a stream header and reads the answer.
	header() error
	// next returns the next whole element, io.EOF at the stream's end.
	next() (element, error)
	// write sends one whole element.
	write(format string, args ...any) error
	// end says that the client ends the stream.
	end() error
	// close drops the connection without a stream end.
	close()
}

// stream is the client side of an XMPP stream, one element at a time.
type stream struct {
	framing
	private *private // may be nil
}

func (s *stream) write(format string, args ...any) error {
	s.private.addFrom(fmt.Sprintf(format, args...))
	return s.framing.write(format, args...)
}

// tcpFraming is RFC 6120's own.
type tcpFraming struct {
	conn    net.Conn
	decoder *xml.Decoder
	release func() bool
}

// dialStream connects and, where the service begins with TLS, makes the TLS
// handshake.
func dialStream(ctx context.Context, to service, config *tls.Config) (*stream, error) {
	if to.webSocket() {
		framing, err := dialWebSocket(ctx, to, config)
		return &stream{framing: framing}, err
	}
	if to.bosh() {
		client := &http.Client{Transport: &http.Transport{TLSClientConfig: config, DisableKeepAlives: true}}
		return &stream{framing: &boshFraming{ctx: ctx, client: client, url: to.url(), rid: rand.Int64N(1 << 32)}}, nil
	}
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "tcp", to.address)
	if err != nil {
		return nil, err
	}
	f := &tcpFraming{conn: conn}
	f.release = context.AfterFunc(ctx, func() { conn.Close() })
	if to.scheme == "xmpps" { // XEP-0368
		config = config.Clone()
		config.NextProtos = []string{"xmpp-client"}
		if err := f.handshake(ctx, config); err != nil {
			f.close()
			return nil, err
		}
	}
	return &stream{framing: f}, nil
}

func (f *tcpFraming) close() {
	f.release()
	f.conn.Close()
}

func (f *tcpFraming) handshake(ctx context.Context, config *tls.Config) error {
	secure := tls.Client(f.conn, config)
	f.conn = secure
	return unexpected(secure.HandshakeContext(ctx))
}

// unexpected says of an end that it is not the stream's: io.EOF is that alone.
func unexpected(err error) error {
	var syntax *xml.SyntaxError
	if errors.Is(err, io.EOF) || errors.As(err, &syntax) && syntax.Msg == "unexpected EOF" {
		return io.ErrUnexpectedEOF
	}
	return err
}

func (f *tcpFraming) write(format string, args ...any) error {
	_, err := fmt.Fprintf(f.conn, format, args...)
	return err
}

func (f *tcpFraming) end() error { return f.write("</stream:stream>") }

func (f *tcpFraming) header() error {
	err := f.write("<?xml version='1.0'?><stream:stream xmlns='jabber:client' xmlns:stream='%s' to='%s' version='1.0'>", nsStreams, domain)
	if err != nil {
		return err
	}
	f.decoder = xml.NewDecoder(f.conn)
	for {
		token, err := f.decoder.Token()
		if err != nil {
			return unexpected(err)
		}
		if start, ok := token.(xml.StartElement); ok {
			if start.Name != (xml.Name{Space: nsStreams, Local: "stream"}) {
				return fmt.Errorf("the root is %v", start.Name)
			}
			return nil
		}
	}
}

func (f *tcpFraming) next() (element, error) {
	for {
		token, err := f.decoder.Token()
		if err != nil {
			return element{}, unexpected(err)
		}
		switch token := token.(type) {
		case xml.EndElement:
			return element{}, io.EOF
		case xml.StartElement:
			var e element
			err := f.decoder.DecodeElement(&e, &token)
			return e, unexpected(err)
		}
	}
}

// open sends a stream header and returns the features.
func (s *stream) open() (element, error) {
	if err := s.header(); err != nil {
		return element{}, err
	}
	if bosh, ok := s.framing.(*boshFraming); ok {
		s.private.add(bosh.sid)
	}
	features, err := s.read()
	if err == nil && !features.is(nsStreams, "features") {
		err = fmt.Errorf("no features but %v", features)
	}
	return features, err
}

// read returns the next element of the stream; a stream error is an error, the
// stream's end is io.EOF and an end without a goodbye any other error.
func (s *stream) read() (element, error) {
	e, err := s.next()
	if err == nil && e.is(nsStreams, "error") && len(e.Children) > 0 {
		return e, streamError(e.Children[0].XMLName.Local)
	}
	if err == nil && e.is(nsSM, "enabled") {
		s.private.add(e.attribute("id"))
	}
	return e, err
}

// startTLS is for a stream over TCP.
func (s *stream) startTLS(ctx context.Context, config *tls.Config) error {
	if err := s.write("<starttls xmlns='%s'/>", nsTLS); err != nil {
		return err
	}
	answer, err := s.read()
	if err != nil {
		return err
	}
	if !answer.is(nsTLS, "proceed") {
		return fmt.Errorf("STARTTLS was answered by %v", answer)
	}
	return s.framing.(*tcpFraming).handshake(ctx, config)
}

// authenticate returns nil, a saslFailure, or what ended the stream.
func (s *stream) authenticate(mechanism, authcid, token string) error {
	err := s.write("<auth xmlns='%s' mechanism='%s'>%s</auth>", nsSASL, mechanism, initialResponse(authcid, token))
	if err != nil {
		return err
	}
	answer, err := s.read()
	if err != nil {
		return err
	}
	if answer.is(nsSASL, "success") {
		return nil
	}
	if !answer.is(nsSASL, "failure") || len(answer.Children) == 0 {
		return fmt.Errorf("<auth/> was answered by %v", answer)
	}
	return saslFailure(answer.Children[0].XMLName.Local)
}

// bind opens the stream that follows authentication and returns the full JID.
func (s *stream) bind() (string, error) {
	if _, err := s.open(); err != nil {
		return "", err
	}
	return s.bindResource()
}

// bindResource asks for a resource of the server's choice (RFC 6120 §7.6).
func (s *stream) bindResource() (string, error) {
	if err := s.write("<iq xmlns='jabber:client' type='set' id='bind'><bind xmlns='%s'/></iq>", nsBind); err != nil {
		return "", err
	}
	answer, err := s.read()
	if err != nil {
		return "", err
	}
	bound, ok := answer.child("bind")
	address, named := bound.child("jid")
	if !ok || !named {
		return "", fmt.Errorf("binding was answered by %v", answer)
	}
	return strings.TrimSpace(address.Text), nil
}

// initialResponse is that of X-TOKEN and PLAIN, without an authzid.
func initialResponse(authcid, token string) string {
	return base64.StdEncoding.EncodeToString([]byte("\x00" + authcid + "\x00" + token))
}
