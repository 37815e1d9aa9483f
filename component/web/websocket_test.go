package web_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
)

const (
	open      = `<open xmlns='urn:ietf:params:xml:ns:xmpp-framing' to='example.org' version='1.0'/>`
	ourOpen   = `<open xmlns='urn:ietf:params:xml:ns:xmpp-framing' version='1.0' xml:lang='en' id='…' from='example.org'/>`
	theirOpen = `<open xmlns='urn:ietf:params:xml:ns:xmpp-framing' version='1.0' xml:lang='en' id='…' from='example.org' to='alice@example.org'/>`
	closing   = `<close xmlns="urn:ietf:params:xml:ns:xmpp-framing" />` // strophe.js knows no other spelling
	success   = `<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>`
	features  = `<stream:features xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>…</stream:features>`
)

// socket is a WebSocket client that says messages and hears messages.
type socket struct {
	t    *testing.T
	ws   *websocket.Conn
	conn net.Conn // beneath
}

// dial opens a WebSocket at a URL, with header.
func (sc *scene) dial(t *testing.T, url string, header http.Header) *socket {
	t.Helper()
	s := &socket{t: t}
	client := sc.client(t)
	transport := client.Transport.(*http.Transport)
	transport.ForceAttemptHTTP2 = false
	transport.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := sc.connect(ctx, network, address)
		s.conn = conn
		return conn, err
	}
	client.Timeout = 0 // the library's rule
	ctx, done := context.WithTimeout(t.Context(), patience)
	defer done()
	ws, _, err := websocket.Dial(ctx, url, &websocket.DialOptions{
		HTTPClient: client, HTTPHeader: header, Subprotocols: []string{"other", "xmpp"}})
	must(t, err)
	if got := ws.Subprotocol(); got != "xmpp" {
		t.Errorf("the subprotocol is %q", got)
	}
	ws.SetReadLimit(1 << 21)
	s.ws = ws
	s.conn.SetDeadline(time.Now().Add(patience))
	t.Cleanup(func() { ws.CloseNow() })
	return s
}

func (s *socket) say(message string) {
	s.t.Helper()
	must(s.t, s.ws.Write(context.Background(), websocket.MessageText, []byte(message)))
}

// hear takes the next message, which must match the pattern, in which … stands
// for anything.
func (s *socket) hear(pattern string) {
	s.t.Helper()
	kind, message, err := s.ws.Read(context.Background())
	if err != nil || kind != websocket.MessageText {
		s.t.Fatalf("expected %s, got %v %v", pattern, kind, err)
	}
	match(s.t, string(message), pattern)
}

func match(t *testing.T, text, pattern string) {
	t.Helper()
	re := regexp.MustCompile(`(?s)^` + strings.ReplaceAll(regexp.QuoteMeta(pattern), "…", `.*?`) + `$`)
	if !re.MatchString(text) {
		t.Fatalf("expected\n%s\ngot\n%s", pattern, text)
	}
}

// hearEnd demands that the server closes the WebSocket in order.
func (s *socket) hearEnd() {
	s.t.Helper()
	_, message, err := s.ws.Read(context.Background())
	if websocket.CloseStatus(err) != websocket.StatusNormalClosure {
		s.t.Fatalf("expected the end, got %q, %v", message, err)
	}
}

func authElement(user, token string) string {
	return `<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='X-TOKEN'>` +
		base64.StdEncoding.EncodeToString([]byte("\x00"+user+"\x00"+token)) + `</auth>`
}

// login leads to the relay.
func (s *socket) login(sc *scene) {
	s.t.Helper()
	s.say(open)
	s.hear(ourOpen)
	s.hear(features)
	s.say(authElement("alice", sc.token(s.t, "alice")))
	s.hear(success)
	s.say(open)
	s.hear(theirOpen)
	s.hear(features)
}

func TestWebSocketLogin(t *testing.T) {
	sc := (&scene{}).start(t)
	for _, url := range []string{"ws://" + sc.http + "/xmpp-websocket", "wss://" + sc.https + "/xmpp-websocket", "ws://" + sc.http + "/xmpp-websocket/"} {
		t.Run(url, func(t *testing.T) {
			s := sc.dial(t, url, nil)
			s.login(sc)
			s.say(`<message xmlns='jabber:client' to='bob@example.org'><body>é&lt;</body></message>`)
			s.hear(`<message xmlns='jabber:client' to='bob@example.org'><body>é&lt;</body></message>`)
			s.say(closing)
			s.hear(closing)
			s.hearEnd()
		})
	}
}

// Each element of the server in a message that stands alone (RFC 7395 §3.3.3),
// however the server's bytes are cut, and long ones whole.
func TestWebSocketMessagesAreWholeElements(t *testing.T) {
	sc := (&scene{}).start(t)
	s := sc.dial(t, "ws://"+sc.http+"/xmpp-websocket", nil)
	s.login(sc)
	long := strings.Repeat("x", 500_000)
	bytes := "<message><body>1</body></message> <x:ext/>\n<message xmlns='jabber:client'><body>" + long + "</body></message><r xmlns='urn:xmpp:sm:3'/>"
	go func() {
		for part := range strings.SplitAfterSeq(bytes, "xxxxxxx") {
			if _, err := io.WriteString(sc.echo.Last(), part); err != nil {
				return
			}
		}
	}()
	s.hear("<message xmlns='jabber:client'><body>1</body></message>")
	s.hear("<x:ext xmlns='jabber:client' xmlns:x='urn:x'/>")
	s.hear("<message xmlns='jabber:client'><body>" + long + "</body></message>")
	s.hear("<r xmlns='urn:xmpp:sm:3'/>")
}

// A message that is long is sent in fragments, between which a pong can go.
func TestWebSocketFragmentsLongMessages(t *testing.T) {
	sc := (&scene{}).start(t)
	s := sc.dial(t, "ws://"+sc.http+"/xmpp-websocket", nil)
	s.login(sc)
	go io.WriteString(sc.echo.Last(), "<message>"+strings.Repeat("x", 100_000)+"</message>")
	r := bufio.NewReader(s.conn)
	for fragments, last := 0, false; !last; fragments++ {
		var head [4]byte // RFC 6455 §5.2: of an unmasked frame of more than 125 bytes
		if _, err := io.ReadFull(r, head[:2]); err != nil {
			t.Fatal(err)
		}
		last = head[0]&0x80 != 0
		length := int(head[1])
		if length == 126 {
			if _, err := io.ReadFull(r, head[2:]); err != nil {
				t.Fatal(err)
			}
			length = int(binary.BigEndian.Uint16(head[2:]))
		}
		if length > 16384 {
			t.Fatalf("fragment %d has %d bytes", fragments, length)
		}
		if _, err := r.Discard(length); err != nil {
			t.Fatal(err)
		}
	}
}

// Elements of other protocols may be called as those of the framing are.
func TestWebSocketPassesOnWhatIsCalledOpen(t *testing.T) {
	sc := (&scene{}).start(t)
	s := sc.dial(t, "ws://"+sc.http+"/xmpp-websocket", nil)
	s.login(sc)
	for _, message := range []string{"<open xmlns='urn:other'/>", "<x:close xmlns:x='urn:other' xmlns='urn:x'/>"} {
		s.say(message)
		s.hear(message)
	}
}

// The bound of an element that must be held back until it is whole.
func TestWebSocketBoundsElementsOfTheServer(t *testing.T) {
	sc := &scene{}
	sc.limits.UpstreamElementBytes = 20000
	sc.start(t)
	s := sc.dial(t, "ws://"+sc.http+"/xmpp-websocket", nil)
	s.login(sc)
	whole := "<message>" + strings.Repeat("x", 20000-len("<message></message>")) + "</message>"
	io.WriteString(sc.echo.Last(), whole)
	s.hear(strings.Replace(whole, "<message", "<message xmlns='jabber:client'", 1))
	io.WriteString(sc.echo.Last(), strings.Replace(whole, "x", "xx", 1))
	s.hear("<stream:error …><remote-connection-failed …</stream:error>")
	s.hear(closing)
	s.hearEnd()
}

// What the framing forbids ends the stream, before authentication and after.
func TestWebSocketBrokenRules(t *testing.T) {
	const notWellFormed = "<stream:error xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'><not-well-formed …</stream:error>"
	for _, tc := range []struct{ name, message, want string }{
		{"two elements", "<message/><message/>", notWellFormed},
		{"half an element", "<message>", notWellFormed},
		{"a stream end", "</stream:stream>", notWellFormed},
		{"a stream header", "<stream:stream xmlns:stream='http://etherx.jabber.org/streams'>", notWellFormed},
		{"text", "hello", notWellFormed},
		{"text behind an element", "<message/>x", notWellFormed},
		{"a third open", open, notWellFormed},
		{"an element too long", "<message>" + strings.Repeat("x", 300_000) + "</message>", "<stream:error …><policy-violation …</stream:error>"},
		{"a document type", "<!DOCTYPE x>", "<stream:error …><restricted-xml …</stream:error>"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			sc := (&scene{}).start(t)
			s := sc.dial(t, "ws://"+sc.http+"/xmpp-websocket", nil)
			s.login(sc)
			s.say(tc.message)
			s.hear(tc.want)
			s.hear(closing)
			s.hearEnd()
			if heard := sc.echo.Heard(); len(heard) != 1 {
				t.Errorf("the upstream heard %q", heard)
			}
			if ends := sc.echo.Ends(); len(ends) != 1 || !errors.Is(ends[0], io.EOF) {
				t.Errorf("the upstream's stream ended with %v", ends)
			}
		})
	}
}

func TestWebSocketFirstMessage(t *testing.T) {
	for _, tc := range []struct{ name, message, condition string }{
		{"no XML", "hello", "not-well-formed"},
		{"a stanza", "<message xmlns='jabber:client' to='example.org' version='1.0'/>", "bad-format"},
		{"a header of a stream", "<stream:stream to='example.org' version='1.0' xmlns:stream='http://etherx.jabber.org/streams'/>", "bad-format"},
		{"the namespace of a stream", strings.Replace(open, "urn:ietf:params:xml:ns:xmpp-framing", "http://etherx.jabber.org/streams", 1), "invalid-namespace"},
		{"an open with something in it", strings.Replace(open, "/>", "><x/></open>", 1), "bad-format"},
		{"another namespace", strings.Replace(open, "xmpp-framing", "other", 1), "invalid-namespace"},
		{"markup in its attributes", strings.Replace(open, "example.org", "&lt;x&apos;/&gt;", 1), "host-unknown"},
		{"no version", strings.Replace(open, " version='1.0'", "", 1), "unsupported-version"},
		{"a comment", "<!-- x -->" + open, "restricted-xml"},
		{"longer than one may be before authentication", "<open xmlns='urn:ietf:params:xml:ns:xmpp-framing' to='" + strings.Repeat("x", 16384) + "'/>", "policy-violation"},
		{"a stream end", closing, "not-well-formed"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			sc := (&scene{}).start(t)
			s := sc.dial(t, "ws://"+sc.http+"/xmpp-websocket", nil)
			s.say(tc.message)
			s.hear(ourOpen)
			s.hear("<stream:error …><" + tc.condition + " …</stream:error>")
			s.hear(closing)
			s.hearEnd()
		})
	}
}

func TestWebSocketIsTextOnly(t *testing.T) {
	sc := (&scene{}).start(t)
	s := sc.dial(t, "ws://"+sc.http+"/xmpp-websocket", nil)
	must(t, s.ws.Write(t.Context(), websocket.MessageBinary, []byte(open)))
	s.hear(ourOpen)
	s.hear("<stream:error …><not-well-formed …</stream:error>")
}

// A close frame alone is what a browser sends at a page reload: the server's
// session must stay resumable (XEP-0198 §5).
func TestWebSocketCloseFrameAloneIsNoStreamEnd(t *testing.T) {
	for _, status := range []websocket.StatusCode{websocket.StatusGoingAway, websocket.StatusNormalClosure} {
		t.Run(status.String(), func(t *testing.T) {
			sc := (&scene{}).start(t)
			s := sc.dial(t, "ws://"+sc.http+"/xmpp-websocket", nil)
			s.login(sc)
			must(t, s.ws.Close(status, ""))
			if ends := sc.echo.Ends(); len(ends) != 1 || !errors.Is(ends[0], io.EOF) {
				t.Errorf("the upstream's stream ended with %v", ends)
			}
			sc.awaitLog(t, "session closed", "transport=websocket", `reason="connection to the client lost"`)
		})
	}
}

func TestWebSocketShutdown(t *testing.T) {
	sc := (&scene{}).start(t)
	s := sc.dial(t, "wss://"+sc.https+"/xmpp-websocket", nil)
	s.login(sc)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		sc.shutdown(t)
	}()
	s.hear("<stream:error …><system-shutdown …</stream:error>")
	s.hear(closing)
	s.hearEnd()
	<-ended
	if ends := sc.echo.Ends(); len(ends) != 1 || !errors.Is(ends[0], io.EOF) {
		t.Errorf("the upstream's stream ended with %v", ends)
	}
}

// Without an encrypted connection from the client on no mechanism is offered, and
// a token that comes all the same is not looked at.
func TestWebSocketBehindAProxyWithoutTLS(t *testing.T) {
	sc := &scene{}
	sc.config.TrustedProxies = loopback
	sc.start(t)
	for _, tc := range []struct {
		name   string
		header http.Header
		want   string
	}{
		{"no scheme", http.Header{"X-Forwarded-For": {"192.0.2.1"}}, "encryption-required"},
		{"http", http.Header{"X-Forwarded-For": {"192.0.2.1"}, "X-Forwarded-Proto": {"http"}}, "encryption-required"},
		{"https", http.Header{"X-Forwarded-For": {"192.0.2.1"}, "X-Forwarded-Proto": {"https"}}, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := sc.dial(t, "ws://"+sc.http+"/xmpp-websocket", tc.header)
			s.say(open)
			s.hear(ourOpen)
			if tc.want != "" {
				s.hear("<stream:features xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'></stream:features>")
			} else {
				s.hear(features)
			}
			s.say(authElement("alice", sc.token(t, "alice")))
			if tc.want != "" {
				s.hear("<failure …><" + tc.want + "/>…</failure>")
				return
			}
			s.hear(success)
			sc.awaitLog(t, "authenticated", "address=192.0.2.1")
		})
	}
}

func TestWebSocketHandshake(t *testing.T) {
	sc := &scene{}
	sc.config.AllowedOrigins = []string{"https://www.example.org"}
	sc.start(t)
	upgrade := func(change func(http.Header)) *http.Request {
		r := httptest.NewRequest(http.MethodGet, "http://"+sc.http+"/xmpp-websocket", nil)
		r.RequestURI = ""
		r.Header = http.Header{"Connection": {"Upgrade"}, "Upgrade": {"websocket"}, "Sec-Websocket-Version": {"13"},
			"Sec-Websocket-Key": {"dGhlIHNhbXBsZSBub25jZQ=="}, "Sec-Websocket-Protocol": {"xmpp"}}
		change(r.Header)
		return r
	}
	for _, tc := range []struct {
		name   string
		change func(http.Header)
		want   int
	}{
		{"a good one", func(http.Header) {}, http.StatusSwitchingProtocols},
		{"an allowed page", func(h http.Header) { h.Set("Origin", "https://www.example.org") }, http.StatusSwitchingProtocols},
		{"another page", func(h http.Header) { h.Set("Origin", "https://evil.example") }, http.StatusForbidden},
		{"a sandboxed page", func(h http.Header) { h.Set("Origin", "null") }, http.StatusForbidden},
		{"no subprotocol", func(h http.Header) { h.Del("Sec-Websocket-Protocol") }, http.StatusBadRequest},
		{"another subprotocol", func(h http.Header) { h.Set("Sec-Websocket-Protocol", "xmppx, mqtt") }, http.StatusBadRequest},
		{"no upgrade", func(h http.Header) { h.Del("Upgrade") }, http.StatusUpgradeRequired},
		{"another version", func(h http.Header) { h.Set("Sec-Websocket-Version", "8") }, http.StatusBadRequest},
	} {
		t.Run(tc.name, func(t *testing.T) {
			answer, err := sc.client(t).Do(upgrade(tc.change))
			must(t, err)
			defer answer.Body.Close()
			if answer.StatusCode != tc.want {
				t.Errorf("status %d, want %d", answer.StatusCode, tc.want)
			}
			if tc.want == http.StatusForbidden {
				sc.awaitLog(t, "page refused", "reason=origin-not-allowed", "origin="+strings.Replace(answer.Request.Header.Get("Origin"), "null", "unknown", 1))
			}
			if got := answer.Header.Get("Sec-Websocket-Protocol"); tc.want == http.StatusSwitchingProtocols && got != "xmpp" {
				t.Errorf("subprotocol %q", got)
			}
		})
	}
}

// A listener that others can reach too is not loopback, whoever comes.
func TestWebSocketOnAWildcardListenerOffersNoLogin(t *testing.T) {
	sc := &scene{address: "0.0.0.0:0"}
	sc.start(t)
	_, port, err := net.SplitHostPort(sc.http)
	must(t, err)
	s := sc.dial(t, "ws://127.0.0.1:"+port+"/xmpp-websocket", nil)
	s.say(open)
	s.hear(ourOpen)
	s.hear("<stream:features xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'></stream:features>")
}

// Beyond loopback plain HTTP is for trusted proxies alone.
func TestServeProxies(t *testing.T) {
	for _, trusted := range []bool{true, false} {
		sc := &scene{}
		want := http.StatusForbidden
		if trusted {
			sc.config.TrustedProxies, want = loopback, http.StatusOK
		}
		sc.start(t)
		answer, err := sc.client(t).Get("http://" + sc.proxies + "/xtoken.js")
		must(t, err)
		body, err := io.ReadAll(answer.Body)
		must(t, err)
		answer.Body.Close()
		if answer.StatusCode != want || trusted != bytes.Contains(body, []byte("SASLPlain")) {
			t.Errorf("trusted %v: status %d, %q", trusted, answer.StatusCode, body)
		}
	}
}
