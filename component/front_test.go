package component_test

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"mellium.im/xmpp/jid"

	"xtokend/internal/fronttest"
	"xtokend/internal/transcript"
)

// The client may send its authentication and its second header in one packet,
// and stanzas behind it.
func TestPipelinedClientLosesNothing(t *testing.T) {
	for _, transport := range []string{"tcp", "starttls", "tls"} {
		t.Run(transport, func(t *testing.T) {
			sc := (&scene{}).start(t)
			for range 20 {
				c := sc.dial(t, transport)
				c.send(header + transcript.AuthElement("X-TOKEN", "", "alice", sc.token(t, "alice", 0)) +
					header + "<message id='1'/> <message id='2'/></stream:stream>")
				c.expect(ourHeader + "<stream:features>…</stream:features>" + success + ourHeader + relayedFeatures)
				c.expect("<message id='1'/><message id='2'/></stream:stream>")
				c.expectEOF()
			}
		})
	}
}

// go-xmpp ends what it sends with a line feed.
func TestWhiteSpaceBehindStartTLSIsNoData(t *testing.T) {
	sc := (&scene{}).start(t)
	c := sc.dial(t, "tcp")
	c.send(header + "\n")
	c.expect(ourHeader + "<stream:features>…</stream:features>")
	c.send("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>\n")
	c.expect("<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>")
	c.handshake(sc.clientTLS)
	c.login(sc, "alice")
}

// What is sent behind <starttls/> may come from an attacker on the way.
func TestBytesBeforeTheHandshakeEndTheConnection(t *testing.T) {
	sc := (&scene{}).start(t)
	c := sc.dial(t, "tcp")
	c.send(header)
	c.expect(ourHeader + "<stream:features>…</stream:features>")
	c.send("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>" + header)
	c.expect("<stream:error><policy-violation xmlns='urn:ietf:params:xml:ns:xmpp-streams'/>…</stream:error></stream:stream>")
	c.expectEOF()
}

func TestEveryStreamHasAnIDOfItsOwn(t *testing.T) {
	sc := (&scene{}).start(t)
	seen := make(map[string]bool)
	for range 50 {
		c := sc.dial(t, "tcp")
		c.send(header)
		for !strings.Contains(c.buf.String(), " id='") || !strings.Contains(c.buf.String(), "</stream:features>") {
			must(t, c.more())
		}
		_, rest, _ := strings.Cut(c.buf.String(), " id='")
		id, _, _ := strings.Cut(rest, "'")
		if len(id) < 22 { // 128 bits in any alphabet of base64's size or less
			t.Fatalf("the id %q is too short to be unpredictable", id)
		}
		if seen[id] {
			t.Fatalf("the id %q came twice", id)
		}
		seen[id] = true
		c.conn.Close()
	}
}

func TestDirectTLSNegotiatesALPN(t *testing.T) {
	sc := (&scene{}).start(t)
	c := sc.dial(t, "tls")
	if got := c.conn.(*tls.Conn).ConnectionState().NegotiatedProtocol; got != "xmpp-client" {
		t.Errorf("negotiated %q, want xmpp-client (XEP-0368)", got)
	}
	conn, err := net.Dial("tcp4", sc.tls.String())
	must(t, err)
	defer conn.Close()
	other := sc.clientTLS.Clone()
	other.NextProtos = []string{"http/1.1"}
	if err := tls.Client(conn, other).Handshake(); err == nil {
		t.Error("a client of another protocol was taken")
	}
}

// The upstream must learn who authenticated from the front, not from the client.
func TestUpstreamHeaderNamesTheAuthenticatedUser(t *testing.T) {
	sc := (&scene{}).start(t)
	c := sc.dial(t, "tls")
	c.open()
	c.send(transcript.AuthElement("X-TOKEN", "", "alice", sc.token(t, "alice", 0)))
	c.expect(success)
	c.send(`<stream:stream from='admin@example.org' to='example.org' version='1.0' xml:lang='de&lt;' xmlns='jabber:client'` +
		` xmlns:stream='http://etherx.jabber.org/streams' xmlns:y='urn:&quot;y'>`)
	c.expect(ourHeader + relayedFeatures)
	e := sc.upstream.(*fronttest.Echo)
	opened, heard := e.Opened(), e.Heard()
	want := `<?xml version='1.0'?><stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' version='1.0'` +
		` to='example.org' from='alice@example.org' xml:lang='de&lt;' xmlns:y='urn:&#34;y'>`
	if len(opened) != 1 || opened[0] != "alice@example.org" || len(heard) != 1 ||
		strings.ReplaceAll(heard[0], "&quot;", "&#34;") != want {
		t.Errorf("opened %q, header\n%q, want\n%q", opened, heard, want)
	}
}

// Only a stream end of the client's is one for the server: a resumable session
// must survive everything else (XEP-0198 §5).
func TestHowTheUpstreamStreamEnds(t *testing.T) {
	cases := []struct {
		name string
		end  func(t *testing.T, sc *scene, c *client)
		want error
	}{
		{"stream end", func(t *testing.T, _ *scene, c *client) {
			c.send("</stream:stream>")
			c.expect("</stream:stream>")
			c.expectEOF()
		}, nil},
		{"connection closed", func(t *testing.T, _ *scene, c *client) { c.conn.Close() }, io.EOF},
		{"connection reset", func(t *testing.T, _ *scene, c *client) {
			must(t, c.conn.(*net.TCPConn).SetLinger(0))
			c.conn.Close()
		}, io.EOF},
		{"shutdown", func(t *testing.T, sc *scene, c *client) { sc.shutdown(t) }, io.EOF},
		{"rule broken", func(t *testing.T, _ *scene, c *client) {
			c.send("<!DOCTYPE x>")
			c.expect("<stream:error><restricted-xml …</stream:stream>")
		}, io.EOF},
	}
	for _, k := range cases {
		t.Run(k.name, func(t *testing.T) {
			e := &fronttest.Echo{}
			sc := (&scene{upstream: e}).start(t)
			c := sc.dial(t, "tcp")
			c.login(sc, "alice")
			k.end(t, sc, c)
			if ends := e.Ends(); len(ends) != 1 || !errors.Is(ends[0], k.want) {
				t.Errorf("the upstream's stream ended with %v, want %v", ends, k.want)
			}
		})
	}
}

// What the server says last must reach the client, and then the end.
func TestTheServersOwnStreamErrorIsPassedOn(t *testing.T) {
	sc := (&scene{}).start(t)
	c := sc.dial(t, "starttls")
	c.login(sc, "alice")
	const last = "<stream:error><conflict xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error></stream:stream>"
	io.WriteString(sc.upstream.(*fronttest.Echo).Last(), last)
	c.expect(last)
	c.expectEOF()
}

func TestOldestUnauthenticatedStreamMakesRoom(t *testing.T) {
	sc := &scene{}
	sc.config.Limits.Unauthenticated = 2
	sc.start(t)
	logged := sc.dial(t, "tcp")
	logged.login(sc, "alice")
	oldest := sc.dial(t, "tcp")
	oldest.open()
	second := sc.dial(t, "tcp")
	second.open()
	third := sc.dial(t, "tcp")
	third.open()
	oldest.expect("<stream:error><resource-constraint …</stream:stream>")
	oldest.expectEOF()
	for _, c := range []*client{second, third} {
		c.send(transcript.AuthElement("X-TOKEN", "", "bob", sc.token(t, "bob", 0)))
		c.expect(success)
	}
	logged.send("<message/>")
	logged.expect("<message/>")
}

func TestStreamsAboveTheLimitAreToldSo(t *testing.T) {
	sc := &scene{}
	sc.config.Limits.Streams = 1
	sc.start(t)
	first := sc.dial(t, "tcp")
	first.login(sc, "alice")
	second := sc.dial(t, "tcp")
	second.send(header)
	second.expect(ourHeader + "<stream:error><resource-constraint …</stream:stream>")
	second.expectEOF()
	first.send("</stream:stream>")
	first.expect("</stream:stream>")
	first.expectEOF()
}

// A large element is passed on in parts, and comes whole.
func TestLargeElementsPass(t *testing.T) {
	sc := (&scene{}).start(t)
	c := sc.dial(t, "tls")
	c.login(sc, "alice")
	whole := "<message><body>" + strings.Repeat("x", 262144-len("<message><body></body></message>")) + "</body></message>"
	go io.WriteString(c.conn, whole)
	for c.buf.Len() < len(whole) {
		must(t, c.more())
	}
	if got := c.buf.String(); got != whole {
		t.Errorf("received %d bytes that differ from the %d sent", len(got), len(whole))
	}
}

// A client that does not read is cut, and the server's side of it too.
func TestAClientThatDoesNotReadIsCut(t *testing.T) {
	e := &fronttest.Echo{}
	sc := &scene{upstream: e}
	sc.config.Limits.WriteTimeout = 500 * time.Millisecond
	sc.start(t)
	c := sc.dial(t, "tcp")
	must(t, c.conn.(*net.TCPConn).SetReadBuffer(4096))
	c.login(sc, "alice")
	message := []byte("<message><body>" + strings.Repeat("x", 60000) + "</body></message>")
	flood := e.Last()
	flood.SetWriteDeadline(time.Now().Add(patience))
	for {
		if _, err := flood.Write(message); err != nil {
			if errors.Is(err, os.ErrDeadlineExceeded) {
				t.Fatal("the session goes on")
			}
			break
		}
	}
	e.Ends()
}

// A fault in the program ends one session and no other.
func TestAPanicEndsOneSession(t *testing.T) {
	u := &panickingUpstream{}
	sc := &scene{upstream: u}
	sc.start(t)
	bob := sc.dial(t, "tcp")
	bob.login(sc, "bob")
	c := sc.dial(t, "tcp")
	c.open()
	c.send(transcript.AuthElement("X-TOKEN", "", "mallory", sc.token(t, "mallory", 0)))
	c.expectEOF()
	bob.send("<message/>")
	bob.expect("<message/>")
	bob.conn.Close()
	u.Ends()
	if n := sc.front.Panics(); n != 1 {
		t.Errorf("%d panics were counted, want 1", n)
	}
	if !strings.Contains(sc.log.String(), "stack=") {
		t.Error("the log has no stack")
	}
	sc.panics = 1
}

// panickingUpstream has a fault that one user meets.
type panickingUpstream struct{ fronttest.Echo }

func (u *panickingUpstream) Open(ctx context.Context, user jid.JID) (net.Conn, error) {
	if user.Localpart() == "mallory" {
		panic("a fault")
	}
	return u.Echo.Open(ctx, user)
}

// Neither tokens nor stanzas may be found in the log, at any level.
func TestNothingSecretIsLogged(t *testing.T) {
	sc := &scene{}
	sc.config.Limits.NegotiationTimeout = patience
	sc.start(t)
	secrets := []string{testSeed, testSecret, "Lorem ipsum"}
	for _, attempt := range []string{sc.token(t, "alice", 0), sc.token(t, "alice", 9), forged(t, "alice"), "hunter2hunter2"} {
		secrets = append(secrets, attempt, attempt[len(attempt)/2:], encode("\x00alice\x00"+attempt))
		c := sc.dial(t, "tls")
		c.open()
		c.send(transcript.AuthElement("PLAIN", "", "alice", attempt))
		c.send(transcript.AuthElement("X-TOKEN", "", "Lorem ipsum", attempt))
		c.send(header + "<message><body>Lorem ipsum</body></message></stream:stream>")
		for c.more() == nil {
		}
	}
	sc.shutdown(t)
	log := sc.log.String()
	for _, secret := range secrets {
		if strings.Contains(log, secret) {
			t.Errorf("the log holds %q", secret)
		}
	}
	for _, want := range []string{"reason=bad-signature", "user=alice@example.org", "reason=expired", "reason=malformed", "session closed"} {
		if !strings.Contains(log, want) {
			t.Errorf("the log has no %s", want)
		}
	}
}

// … nor does it leave one behind that ends never, and counts against limits.
func TestAPanicLeavesNoSession(t *testing.T) {
	e := &fronttest.Echo{}
	sc := &scene{upstream: e}
	sc.start(t)
	sc.tcp = sc.listen(t, "127.0.0.1:0", func(l net.Listener) error { return sc.front.Serve(panickingListener{l}) })
	c := sc.dial(t, "tcp")
	c.login(sc, "alice")
	c.expectEOF()
	e.Ends()
	sc.panics = 1
	sc.shutdown(t)
	if sessions := sc.front.Sessions(); len(sessions) != 0 {
		t.Errorf("after the shutdown there are %v", sessions)
	}
}

// panickingListener accepts connections with a fault that they show when the relay begins.
type panickingListener struct{ net.Listener }

func (l panickingListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	return panickingConn{conn}, err
}

type panickingConn struct{ net.Conn }

func (c panickingConn) SetReadDeadline(t time.Time) error {
	if t.IsZero() {
		panic("a fault")
	}
	return c.Conn.SetReadDeadline(t)
}
