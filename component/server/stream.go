package server

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"

	"mellium.im/xmpp/jid"

	"xtokend/internal/element"
	"xtokend/internal/xmlsplit"
)

const (
	nsClient   = "jabber:client"
	nsStream   = "http://etherx.jabber.org/streams"
	nsStreams  = "urn:ietf:params:xml:ns:xmpp-streams"
	nsTLS      = "urn:ietf:params:xml:ns:xmpp-tls"
	nsSASL     = "urn:ietf:params:xml:ns:xmpp-sasl"
	nsFeature  = "http://jabber.org/features/iq-register"
	nsRegister = "jabber:iq:register"
	nsStanzas  = "urn:ietf:params:xml:ns:xmpp-stanzas"
)

// stream is a client's side of a stream before authentication.
type stream struct {
	conn       net.Conn
	reader     *xmlsplit.Reader
	domain     jid.JID
	user       jid.JID
	header     element.Header // the server's
	features   element.Element
	handedOver bool
}

func newStream(conn net.Conn, domain, user jid.JID) *stream {
	st := &stream{domain: domain, user: user}
	st.use(conn)
	return st
}

// use continues on conn with nothing read.
func (st *stream) use(conn net.Conn) {
	st.conn = conn
	st.reader = xmlsplit.NewReader(conn, xmlsplit.Limits{ElementBytes: maxElementBytes, Depth: maxElementDepth})
}

// handOver gives the connection away. The caller has seen that nothing was read
// ahead.
func (st *stream) handOver() net.Conn {
	st.handedOver = true
	return st.conn
}

func (st *stream) send(text string) error {
	_, err := st.conn.Write([]byte(text))
	return err
}

// open sends a stream header, with the user in it if named, and reads the
// answer up to its features (RFC 6120 §4.3.2).
func (st *stream) open(named bool) error {
	from := ""
	if named {
		from = " from='" + element.Escape(st.user.String()) + "'"
	}
	err := st.send("<?xml version='1.0'?><stream:stream xmlns='" + nsClient + "' xmlns:stream='" + nsStream +
		"' version='1.0' to='" + element.Escape(st.domain.String()) + "'" + from + ">")
	if err != nil {
		return fmt.Errorf("stream header: %w", err)
	}
	if err := st.readHeader(); err != nil {
		return fmt.Errorf("stream header: %w", err)
	}
	st.features, err = st.expect(nsStream, "features")
	if err != nil {
		return fmt.Errorf("features: %w", err)
	}
	return nil
}

func (st *stream) readHeader() error {
	kind, unit, err := st.reader.Next()
	if err != nil {
		return unexpectedEnd(err)
	}
	if kind != xmlsplit.Header {
		return errors.New("the answer is no stream")
	}
	if st.header, err = element.ParseHeader(unit); err != nil {
		return err
	}
	if st.header.Name.Space != nsStream || st.header.Name.Local != "stream" || st.header.ContentNS != nsClient {
		return errors.New("the answer is no stream for clients (is this the server's client port?)")
	}
	return nil
}

// next reads one element. A stream error and the stream's end are errors.
func (st *stream) next() (element.Element, error) {
	kind, unit, err := st.reader.Next()
	if err != nil {
		return element.Element{}, unexpectedEnd(err)
	}
	if kind != xmlsplit.Element {
		return element.Element{}, errors.New("the server closed the stream")
	}
	e, err := element.Parse(unit, st.header)
	if err != nil {
		return element.Element{}, err
	}
	if e.Name.Space == nsStream && e.Name.Local == "error" {
		return element.Element{}, fmt.Errorf("stream error %s", describe(e, nsStreams))
	}
	return e, nil
}

// expect reads one element, which must have this name.
func (st *stream) expect(space, local string) (element.Element, error) {
	e, err := st.next()
	if err == nil && (e.Name.Space != space || e.Name.Local != local) {
		err = fmt.Errorf("expected <%s/>, the server sent <%.64s/>", local, e.Name.Local)
	}
	return e, err
}

// startTLS asks for TLS and reads the consent (RFC 6120 §5.4.2).
func (st *stream) startTLS() error {
	if _, ok := st.features.Child(nsTLS, "starttls"); !ok {
		return errors.New("the server does not offer it")
	}
	if err := st.send("<starttls xmlns='" + nsTLS + "'/>"); err != nil {
		return err
	}
	if _, err := st.expect(nsTLS, "proceed"); err != nil {
		return err
	}
	return st.nothingAhead()
}

// handshake continues the stream's connection under TLS.
func (st *stream) handshake(ctx context.Context, config *tls.Config) error {
	conn := tls.Client(st.conn, config)
	if err := conn.HandshakeContext(ctx); err != nil {
		return fmt.Errorf("TLS: %w", err)
	}
	st.use(conn)
	return nil
}

// nothingAhead refuses bytes that came behind an element after which the
// stream begins anew: they would be lost, or taken for protected ones.
func (st *stream) nothingAhead() error {
	if n := len(st.reader.Buffered()); n > 0 {
		return fmt.Errorf("%d bytes behind the end of the stream that is restarted", n)
	}
	return nil
}

// unexpectedEnd says in words that a connection ended.
func unexpectedEnd(err error) error {
	if errors.Is(err, io.EOF) {
		return fmt.Errorf("the server closed the connection: %w", io.ErrUnexpectedEOF)
	}
	return err
}

// describe returns the condition of a stream error, a SASL failure or a stanza
// error, and its text if there is one.
func describe(e element.Element, space string) string {
	condition := condition(e, space)
	if condition == "" {
		condition = "without a condition"
	}
	text, _ := e.Child(space, "text")
	if said := strings.TrimSpace(text.Text); said != "" {
		return fmt.Sprintf("%s (%.200q)", condition, said)
	}
	return condition
}

func condition(e element.Element, space string) string {
	for _, c := range e.Children {
		if c.Name.Space == space && c.Name.Local != "text" {
			return fmt.Sprintf("%.64s", c.Name.Local)
		}
	}
	return ""
}
