package doctor

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/coder/websocket"

	"xtokend/internal/element"
)

const nsFraming = "urn:ietf:params:xml:ns:xmpp-framing"

// webSocket is a stream over WebSocket (RFC 7395): each message is one element.
type webSocket struct {
	ctx    context.Context
	conn   *websocket.Conn
	domain string
}

func dialWebSocket(ctx context.Context, client *http.Client, url string, header http.Header, domain string) (*webSocket, error) {
	conn, answer, err := websocket.Dial(ctx, url, &websocket.DialOptions{
		HTTPClient: client, HTTPHeader: header, Subprotocols: []string{"xmpp"},
	})
	if answer != nil && answer.StatusCode != http.StatusSwitchingProtocols {
		return nil, &statusError{answer.StatusCode}
	}
	if err != nil {
		return nil, err
	}
	if conn.Subprotocol() != "xmpp" {
		conn.CloseNow()
		return nil, errors.New("the answer does not choose the subprotocol xmpp, so browsers close it")
	}
	conn.SetReadLimit(maxElementBytes)
	return &webSocket{ctx: ctx, conn: conn, domain: domain}, nil
}

// statusError is an HTTP answer that is not the one that was asked for.
type statusError struct{ status int }

func (e *statusError) Error() string {
	return fmt.Sprintf("HTTP status %d %s", e.status, http.StatusText(e.status))
}

func (w *webSocket) open() (element.Element, error) {
	err := w.send("<open xmlns='" + nsFraming + "' version='1.0' to='" + element.Escape(w.domain) + "'/>")
	if err != nil {
		return element.Element{}, err
	}
	if _, err := expect(w, nsFraming, "open"); err != nil {
		return element.Element{}, err
	}
	return expect(w, nsStream, "features")
}

func (w *webSocket) send(text string) error {
	return w.conn.Write(w.ctx, websocket.MessageText, []byte(text))
}

func (w *webSocket) next() (element.Element, error) {
	_, message, err := w.conn.Read(w.ctx)
	if err != nil {
		return element.Element{}, fmt.Errorf("the WebSocket has ended: %w", err)
	}
	return parseElement(message, element.Header{})
}

func (w *webSocket) close() {
	w.send("<close xmlns='" + nsFraming + "'/>")
	w.conn.Close(websocket.StatusNormalClosure, "")
}
