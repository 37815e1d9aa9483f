package doctor

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	"xtokend/internal/element"
	"xtokend/internal/xmlsplit"
)

const (
	nsClient   = "jabber:client"
	nsServer   = "jabber:server"
	nsStream   = "http://etherx.jabber.org/streams"
	nsTLS      = "urn:ietf:params:xml:ns:xmpp-tls"
	nsSASL     = "urn:ietf:params:xml:ns:xmpp-sasl"
	nsBind     = "urn:ietf:params:xml:ns:xmpp-bind"
	nsFeature  = "http://jabber.org/features/iq-register"
	nsRegister = "jabber:iq:register"

	// maxElementBytes and maxElementDepth bound what a peer sends.
	maxElementBytes = 256 << 10
	maxElementDepth = 32
)

// carrier carries the elements of a stream, whatever the transport.
type carrier interface {
	// open begins a stream, or restarts it, and returns its features.
	open() (element.Element, error)
	// send sends one element as it is written.
	send(text string) error
	// next returns the next element. The stream's end is an error.
	next() (element.Element, error)
	// close ends the stream in good order, as far as that is possible, and closes
	// the connection.
	close()
}

// stream is a stream over TCP.
type stream struct {
	conn    net.Conn
	domain  string
	content string // namespace: of clients or of servers
	reader  *xmlsplit.Reader
	header  element.Header
}

// newStream continues as a client on conn, which ends with ctx.
func newStream(ctx context.Context, conn net.Conn, domain string) *stream {
	context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })
	return &stream{conn: conn, domain: domain, content: nsClient}
}

func (s *stream) open() (element.Element, error) {
	s.reader = xmlsplit.NewReader(s.conn, xmlsplit.Limits{ElementBytes: maxElementBytes, Depth: maxElementDepth})
	err := s.send("<?xml version='1.0'?><stream:stream xmlns='" + s.content + "' xmlns:stream='" + nsStream +
		"' version='1.0' to='" + element.Escape(s.domain) + "'>")
	if err != nil {
		return element.Element{}, err
	}
	kind, unit, err := s.reader.Next()
	if err != nil {
		return element.Element{}, closedEarly(err)
	}
	if kind != xmlsplit.Header {
		return element.Element{}, errNoStream
	}
	if s.header, err = element.ParseHeader(unit); err != nil {
		return element.Element{}, errNoStream
	}
	if s.header.Name.Space != nsStream {
		return element.Element{}, errNoStream
	}
	if s.header.ContentNS != s.content {
		return element.Element{}, errAnotherStream
	}
	return expect(s, nsStream, "features")
}

var (
	errNoStream      = errors.New("the answer is no XMPP stream")
	errAnotherStream = errors.New("the answer is a stream of another kind")
)

func (s *stream) send(text string) error {
	_, err := io.WriteString(s.conn, text)
	return err
}

func (s *stream) next() (element.Element, error) {
	kind, unit, err := s.reader.Next()
	if err != nil {
		return element.Element{}, closedEarly(err)
	}
	if kind != xmlsplit.Element {
		return element.Element{}, errors.New("the stream was closed")
	}
	return parseElement(unit, s.header)
}

func (s *stream) close() {
	s.send("</stream:stream>")
	s.conn.Close()
}

// startTLS upgrades the stream, whose features have been read (RFC 6120 §5.4).
func (s *stream) startTLS(ctx context.Context, config *tls.Config) (tls.ConnectionState, error) {
	if err := s.send("<starttls xmlns='" + nsTLS + "'/>"); err != nil {
		return tls.ConnectionState{}, err
	}
	if _, err := expect(s, nsTLS, "proceed"); err != nil {
		return tls.ConnectionState{}, err
	}
	return s.handshake(ctx, config)
}

// handshake continues under TLS.
func (s *stream) handshake(ctx context.Context, config *tls.Config) (tls.ConnectionState, error) {
	secure := tls.Client(s.conn, config)
	if err := secure.HandshakeContext(ctx); err != nil {
		return tls.ConnectionState{}, err
	}
	s.conn = secure
	return secure.ConnectionState(), nil
}

// parseElement parses an element of a stream; a stream error is an error.
func parseElement(unit []byte, h element.Header) (element.Element, error) {
	e, err := element.Parse(unit, h)
	if err != nil {
		return element.Element{}, err
	}
	if e.Name.Space == nsStream && e.Name.Local == "error" {
		return element.Element{}, fmt.Errorf("stream error %s", condition(e))
	}
	return e, nil
}

// expect reads one element, which must have this name.
func expect(c carrier, space, local string) (element.Element, error) {
	e, err := c.next()
	if err == nil && (e.Name.Space != space || e.Name.Local != local) {
		err = fmt.Errorf("expected <%s/>, got <%.64s/> %s", local, e.Name.Local, condition(e))
	}
	return e, err
}

// condition is that of an error, with its text if there is one.
func condition(e element.Element) string {
	var name, text string
	for _, c := range e.Children {
		if c.Name.Local == "text" {
			text = strings.TrimSpace(c.Text)
		} else if name == "" {
			name = c.Name.Local
		}
	}
	if text == "" {
		return fmt.Sprintf("%.64s", name)
	}
	return fmt.Sprintf("%.64s (%.200q)", name, text)
}

// mechanisms are those that features offer.
func mechanisms(features element.Element) []string {
	offer, _ := features.Child(nsSASL, "mechanisms")
	var names []string
	for _, m := range offer.Children {
		names = append(names, strings.TrimSpace(m.Text))
	}
	return names
}

func closedEarly(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errors.New("the connection was closed")
	}
	var op *net.OpError
	switch {
	case errors.As(err, &op) && op.Timeout():
		return errors.New("no answer in time")
	case errors.As(err, &op):
		// The whole error names our port, another one each time.
		return fmt.Errorf("%s: %w", op.Op, op.Err)
	}
	return err
}
