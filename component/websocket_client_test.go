package component_test

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/coder/websocket"

	"xtokend/internal/xmlsplit"
)

// framedClient is the client's end of a WebSocket for tests that are written in
// plain stream form: it translates as RFC 7395 has it.
type framedClient struct {
	net.Conn // beneath the WebSocket
	ws       *websocket.Conn
	unread   string
}

func dialWebSocket(t *testing.T, address string) *framedClient {
	t.Helper()
	c := &framedClient{}
	dialer := http.Transport{DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := new(net.Dialer).DialContext(ctx, network, address)
		c.Conn = conn
		return conn, err
	}}
	ws, _, err := websocket.Dial(t.Context(), "ws://"+address+"/xmpp-websocket", &websocket.DialOptions{
		HTTPClient: &http.Client{Transport: &dialer}, Subprotocols: []string{"xmpp"}})
	must(t, err)
	ws.SetReadLimit(1 << 20)
	c.ws = ws
	return c
}

var (
	plainHeader = regexp.MustCompile(`^(?:<\?xml[^>]*\?>)?<stream:(\w+)([^>]*)>$`)
	declared    = regexp.MustCompile(` xmlns(?::stream)?=('[^']*'|"[^"]*")`)
	openElement = regexp.MustCompile(`^<open xmlns='urn:ietf:params:xml:ns:xmpp-framing'([^>]*)/>$`)
	startTag    = regexp.MustCompile(`^<[^>]*>`)
	streamOnes  = regexp.MustCompile(` xmlns(?::stream='http://etherx.jabber.org/streams'|='jabber:client')`)
)

// Write sends each unit as a message; what is no unit goes as it is.
func (c *framedClient) Write(p []byte) (int, error) {
	for rest := p; len(rest) > 0; {
		unit := firstUnit(rest)
		rest = rest[len(unit):]
		text := string(unit)
		if m := plainHeader.FindStringSubmatch(text); m != nil {
			name := strings.Replace(m[1], "stream", "open", 1)
			text = "<" + name + " xmlns='urn:ietf:params:xml:ns:xmpp-framing'" + declared.ReplaceAllString(m[2], "") + "/>"
		}
		if text == "</stream:stream>" {
			text = "<close xmlns='urn:ietf:params:xml:ns:xmpp-framing'/>"
		}
		if err := c.ws.Write(context.Background(), websocket.MessageText, []byte(text)); err != nil {
			return 0, err
		}
	}
	return len(p), nil
}

// firstUnit is the unit that p begins with; all of p if it begins with none.
func firstUnit(p []byte) []byte {
	s := xmlsplit.Scanner{Relay: true}
	if !bytes.HasPrefix(p, []byte("<?xml")) && !bytes.HasPrefix(p, []byte("<stream:")) {
		s.StartInside()
	}
	n, kind, err := s.Scan(p)
	if err != nil || kind == xmlsplit.None {
		return p
	}
	return p[:n]
}

func (c *framedClient) Read(p []byte) (int, error) {
	if c.unread == "" {
		kind, message, err := c.ws.Read(context.Background())
		if websocket.CloseStatus(err) == websocket.StatusNormalClosure {
			return 0, io.EOF
		}
		if err != nil || kind != websocket.MessageText {
			return 0, err
		}
		c.unread = plain(string(message))
	}
	n := copy(p, c.unread)
	c.unread = c.unread[n:]
	return n, nil
}

func (c *framedClient) Close() error { return c.ws.CloseNow() }

// plain takes away the declarations that an element in a message must have and
// on a stream has not. A message without them stays as it is, and is not what a
// test expects.
func plain(message string) string {
	if m := openElement.FindStringSubmatch(message); m != nil {
		return `<?xml version='1.0'?><stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'` + m[1] + `>`
	}
	if message == `<close xmlns="urn:ietf:params:xml:ns:xmpp-framing" />` {
		return "</stream:stream>"
	}
	tag := startTag.FindString(message)
	if !strings.Contains(tag, " xmlns=") {
		return "not qualified: " + message
	}
	return streamOnes.ReplaceAllString(tag, "") + message[len(tag):]
}
