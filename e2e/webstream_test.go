package e2e

import (
	"context"
	"crypto/tls"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/coder/websocket"
)

const nsFraming = "urn:ietf:params:xml:ns:xmpp-framing"

// webFraming is that of RFC 7395: each message is one element that stands alone.
type webFraming struct {
	ctx  context.Context
	conn *websocket.Conn
}

func dialWebSocket(ctx context.Context, to service, config *tls.Config) (*webFraming, error) {
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: config}}
	conn, response, err := websocket.Dial(ctx, to.url(), &websocket.DialOptions{
		HTTPClient:   client,
		Subprotocols: []string{"xmpp"},
	})
	if err != nil && response == nil { // or half of one
		err = fmt.Errorf("%w: %w", io.ErrUnexpectedEOF, err)
	}
	if err != nil {
		return nil, err
	}
	if conn.Subprotocol() != "xmpp" {
		conn.CloseNow()
		return nil, fmt.Errorf("the subprotocol is %q", conn.Subprotocol())
	}
	conn.SetReadLimit(1 << 20) // bytes
	return &webFraming{ctx: ctx, conn: conn}, nil
}

func (f *webFraming) close() { f.conn.CloseNow() }

func (f *webFraming) write(format string, args ...any) error {
	return f.conn.Write(f.ctx, websocket.MessageText, fmt.Appendf(nil, format, args...))
}

func (f *webFraming) end() error { return f.write("<close xmlns='%s'/>", nsFraming) }

func (f *webFraming) header() error {
	if err := f.write("<open xmlns='%s' to='%s' version='1.0'/>", nsFraming, domain); err != nil {
		return err
	}
	answer, err := f.message()
	if err == nil && !answer.is(nsFraming, "open") {
		err = fmt.Errorf("<open/> was answered by %v", answer)
	}
	return err
}

func (f *webFraming) next() (element, error) {
	e, err := f.message()
	if err == nil && e.is(nsFraming, "close") {
		err = io.EOF
	}
	return e, err
}

func (f *webFraming) message() (element, error) {
	kind, text, err := f.conn.Read(f.ctx)
	err = unexpected(err)
	if err == nil && kind != websocket.MessageText {
		err = errors.New("a binary message")
	}
	var e element
	if err == nil {
		// A connection that ends between a frame's header and its payload ends the
		// message for the library, without an error.
		err = unexpected(xml.Unmarshal(text, &e))
	}
	return e, err
}
