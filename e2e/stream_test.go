package e2e

import (
	"context"
	"crypto/tls"
	"encoding/base64"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net"
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
	XMLName  xml.Name
	Children []element `xml:",any"`
	Text     string    `xml:",chardata"`
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

// stream is the client side of an XMPP stream, one element at a time. Its
// context bounds its life.
type stream struct {
	conn    net.Conn
	decoder *xml.Decoder
	release func() bool
}

// dialStream connects and, with directTLS, makes the TLS handshake (XEP-0368).
func dialStream(ctx context.Context, address string, config *tls.Config, directTLS bool) (*stream, error) {
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	s := &stream{conn: conn}
	s.release = context.AfterFunc(ctx, func() { conn.Close() })
	if directTLS {
		config = config.Clone()
		config.NextProtos = []string{"xmpp-client"}
		if err := s.handshake(ctx, config); err != nil {
			s.close()
			return nil, err
		}
	}
	return s, nil
}

// close drops the connection without a stream end.
func (s *stream) close() {
	s.release()
	s.conn.Close()
}

func (s *stream) handshake(ctx context.Context, config *tls.Config) error {
	secure := tls.Client(s.conn, config)
	s.conn = secure
	return secure.HandshakeContext(ctx)
}

func (s *stream) write(format string, args ...any) error {
	_, err := fmt.Fprintf(s.conn, format, args...)
	return err
}

// open sends a stream header and returns the features.
func (s *stream) open() (element, error) {
	err := s.write("<?xml version='1.0'?><stream:stream xmlns='jabber:client' xmlns:stream='%s' to='%s' version='1.0'>", nsStreams, domain)
	if err != nil {
		return element{}, err
	}
	s.decoder = xml.NewDecoder(s.conn)
	for {
		token, err := s.decoder.Token()
		if err != nil {
			return element{}, err
		}
		if start, ok := token.(xml.StartElement); ok {
			if start.Name != (xml.Name{Space: nsStreams, Local: "stream"}) {
				return element{}, fmt.Errorf("the root is %v", start.Name)
			}
			break
		}
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
	for {
		token, err := s.decoder.Token()
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		if err != nil {
			return element{}, err
		}
		switch token := token.(type) {
		case xml.EndElement:
			return element{}, io.EOF
		case xml.StartElement:
			var e element
			if err := s.decoder.DecodeElement(&e, &token); err != nil {
				return element{}, err
			}
			if e.is(nsStreams, "error") && len(e.Children) > 0 {
				return e, streamError(e.Children[0].XMLName.Local)
			}
			return e, nil
		}
	}
}

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
	return s.handshake(ctx, config)
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
	if err := s.write("<iq type='set' id='bind'><bind xmlns='%s'/></iq>", nsBind); err != nil {
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
