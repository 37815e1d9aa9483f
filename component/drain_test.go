package component_test

import (
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
)

// A front that is drained takes nobody new, and leaves everybody else alone.
func TestDrain(t *testing.T) {
	sc := (&scene{}).start(t)
	var all []*client
	for _, transport := range []string{"tcp", "tls", "websocket", "bosh"} {
		c := sc.dial(t, transport)
		c.login(sc, "alice")
		all = append(all, c)
	}
	half := sc.dial(t, "tcp")
	half.open()
	sc.front.Drain()
	sc.front.Drain()
	if !sc.front.Draining() {
		t.Error("the front does not say so")
	}
	for _, address := range []string{sc.tcp.String(), sc.tls.String()} {
		conn, err := net.Dial("tcp4", address)
		if err == nil {
			conn.Close()
			t.Errorf("%s accepts", address)
		}
	}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+sc.http.String()+"/xmpp-websocket", nil)
	must(t, err)
	for key, value := range map[string]string{"Connection": "Upgrade", "Upgrade": "websocket", "Sec-Websocket-Version": "13",
		"Sec-Websocket-Key": "dGhlIHNhbXBsZSBub25jZQ==", "Sec-Websocket-Protocol": "xmpp"} {
		request.Header.Set(key, value)
	}
	answer, err := http.DefaultTransport.RoundTrip(request)
	must(t, err)
	answer.Body.Close()
	if answer.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("a WebSocket is answered with %s", answer.Status)
	}
	answer, err = http.Post("http://"+sc.http.String()+"/http-bind", "text/xml; charset=utf-8", strings.NewReader(
		"<body xmlns='http://jabber.org/protocol/httpbind' rid='1' to='example.org' ver='1.6' wait='10' hold='1'/>"))
	must(t, err)
	text, err := io.ReadAll(answer.Body)
	answer.Body.Close()
	if err != nil || !strings.Contains(string(text), "condition='system-shutdown'") {
		t.Errorf("a new BOSH session is answered with %q, %v", text, err)
	}
	http.DefaultClient.CloseIdleConnections()
	half.authenticate(sc, "bob")
	for _, c := range append(all, half) {
		c.send("<message/>")
		c.expect("<message/>")
	}
}
