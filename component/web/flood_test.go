package web_test

import (
	"bufio"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"xtokend/component/web"
)

// short is a bound that a test waits for.
const short = 500 * time.Millisecond

func dialTCP(t *testing.T, address string) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	must(t, err)
	t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(patience))
	return conn
}

// rest reads until the server hangs up.
func rest(t *testing.T, r io.Reader) string {
	t.Helper()
	b, err := io.ReadAll(r)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("the connection stays open, after %q", b)
	}
	return string(b)
}

func TestConnectionsThatDoNothingAreClosed(t *testing.T) {
	for _, tc := range []struct{ name, sent, want string }{
		{"nothing", "", ""},
		{"half a header", "GET /xtoken.js HTTP/1.1\r\nHost: a\r\n", ""},
		{"one request", "GET /nothing HTTP/1.1\r\nHost: a\r\n\r\n", "404 Not Found"},
		{"a body that does not come", "POST /xtoken.js HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n", "405 Method Not Allowed"},
		{"a header without end", "GET / HTTP/1.1\r\nHost: a\r\nX: " + strings.Repeat("x", 1<<16), "431 Request Header Fields Too Large"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			sc := &scene{header: short, idle: short}
			sc.start(t)
			conn := dialTCP(t, sc.http)
			io.WriteString(conn, tc.sent)
			if got := rest(t, conn); !strings.Contains(got, tc.want) {
				t.Errorf("the server said %q", got)
			}
		})
	}
}

// At the cap the connection that has waited longest makes room.
func TestTooManyConnections(t *testing.T) {
	sc := &scene{}
	sc.config.Limits.Connections = 3
	sc.start(t)
	var conns []net.Conn
	for range 5 {
		conn := dialTCP(t, sc.http)
		io.WriteString(conn, "GET /nothing HTTP/1.1\r\nHost: a\r\n\r\n")
		answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
		must(t, err)
		io.Copy(io.Discard, answer.Body)
		conns = append(conns, conn)
	}
	served := 0
	for i, conn := range conns {
		io.WriteString(conn, "GET /nothing HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
		if got := rest(t, conn); strings.Contains(got, "404") {
			served++
		} else if i == len(conns)-1 {
			t.Errorf("the youngest connection got %q", got)
		}
	}
	if served != 3 {
		t.Errorf("%d connections are open, want 3", served)
	}
}

// Whoever does not finish a request cannot keep its place, either.
func TestSlowBodiesMakeRoom(t *testing.T) {
	sc := &scene{}
	sc.config.Limits.Connections = 2
	sc.start(t)
	var slow []net.Conn
	for range 2 {
		conn := dialTCP(t, sc.http)
		io.WriteString(conn, "POST /http-bind HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 100\r\n\r\n")
		line, err := bufio.NewReader(conn).ReadString('\n')
		if err != nil || !strings.Contains(line, "100 Continue") {
			t.Fatalf("%q, %v", line, err)
		}
		slow = append(slow, conn)
	}
	if status, _, _ := sc.ask(t, http.MethodGet, "/xtoken.js", "", ""); status != http.StatusOK {
		t.Errorf("another client gets status %d", status)
	}
	rest(t, slow[0])
	if n := sc.web.LimitsReached(); n["streams"] != 1 || len(n) != 1 {
		t.Errorf("the limits met are %v", n)
	}
}

// WebSockets are streams of the front's, and not counted here.
func TestWebSocketsDoNotCountAsConnections(t *testing.T) {
	sc := &scene{}
	sc.config.Limits.Connections = 1
	sc.start(t)
	first := sc.dial(t, "ws://"+sc.http+"/xmpp-websocket", nil)
	first.login(sc)
	second := sc.dial(t, "ws://"+sc.http+"/xmpp-websocket", nil)
	second.login(sc)
	first.say("<message xmlns='jabber:client'/>")
	first.hear("<message xmlns='jabber:client'/>")
}

func TestAnswersThatNobodyReads(t *testing.T) {
	sc := &scene{}
	sc.config.Limits.WriteTimeout = short
	sc.start(t)
	near, far := net.Pipe() // has no buffers
	l := &oneConn{conn: far, closed: make(chan struct{})}
	served := make(chan error, 1)
	go func() { served <- sc.web.Serve(l) }()
	near.SetDeadline(time.Now().Add(patience))
	const request = "GET /xtoken.js HTTP/1.1\r\nHost: a\r\n\r\n"
	_, err := io.WriteString(near, request)
	must(t, err)
	if _, err = io.WriteString(near, request); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("the server did not hang up: %v", err)
	}
	sc.shutdown(t)
	<-served
}

// oneConn is a listener to which one client comes.
type oneConn struct {
	conn   net.Conn
	closed chan struct{}
	once   sync.Once
}

func (l *oneConn) Accept() (net.Conn, error) {
	if conn := l.conn; conn != nil {
		l.conn = nil
		return conn, nil
	}
	<-l.closed
	return nil, net.ErrClosed
}

func (l *oneConn) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

func (l *oneConn) Addr() net.Addr { return &net.UnixAddr{} }

// Over HTTP/2 the client may give no room for an answer.
func TestAnswersWithoutAWindow(t *testing.T) {
	sc := &scene{}
	sc.config.Limits.WriteTimeout = time.Second // long enough for what TLS and HTTP/2 begin with
	sc.start(t)
	config := sc.clientTLS.Clone()
	config.NextProtos = []string{"h2"}
	conn := tls.Client(dialTCP(t, sc.https), config)
	io.WriteString(conn, http2.ClientPreface)
	framer := http2.NewFramer(conn, conn)
	must(t, framer.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 0}))
	var block strings.Builder
	encoder := hpack.NewEncoder(&block)
	for _, field := range [][2]string{{":method", "GET"}, {":scheme", "https"}, {":authority", "a"}, {":path", "/xtoken.js"}} {
		encoder.WriteField(hpack.HeaderField{Name: field[0], Value: field[1]})
	}
	must(t, framer.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: []byte(block.String()), EndStream: true, EndHeaders: true}))
	for {
		frame, err := framer.ReadFrame()
		if err != nil {
			t.Fatalf("the stream was not reset: %v", err)
		}
		if _, reset := frame.(*http2.RSTStreamFrame); reset {
			return
		}
	}
}

// Whoever does not finish a request must not hold up the end of the program.
func TestShutdownDoesNotWaitForAStalledRequest(t *testing.T) {
	sc := (&scene{}).start(t)
	conn := dialTCP(t, sc.http)
	io.WriteString(conn, "POST /http-bind HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 100\r\n\r\n")
	line, err := bufio.NewReader(conn).ReadString('\n')
	if err != nil || !strings.Contains(line, "100 Continue") {
		t.Fatalf("%q, %v", line, err)
	}
	sc.shutdown(t)
	rest(t, conn)
}

func setTimeouts(sc *scene) {
	if sc.header > 0 {
		web.SetTimeouts(sc.web, sc.header, sc.idle)
	}
}
