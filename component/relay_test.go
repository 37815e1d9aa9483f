package component_test

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"mellium.im/xmpp/jid"

	"xtokend/internal/fronttest"
	"xtokend/internal/transcript"
)

// scriptedUpstream hands its end of each connection to a function of the test.
type scriptedUpstream struct {
	script func(conn *net.TCPConn)
	ended  sync.WaitGroup
}

func (u *scriptedUpstream) Open(ctx context.Context, _ jid.JID) (net.Conn, error) {
	near, far, err := fronttest.SocketPair(ctx)
	if err != nil {
		return nil, err
	}
	u.ended.Go(func() {
		defer far.Close()
		far.SetDeadline(time.Now().Add(patience))
		u.script(far.(*net.TCPConn))
	})
	return near, nil
}

const upstreamHead = `<?xml version='1.0'?><stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'` +
	` from='example.org' id='upstream' version='1.0' xmlns:x='urn:x'>`

// answerHeader reads a stream header and says text.
func answerHeader(conn net.Conn, text string) {
	b := make([]byte, 1)
	for last := byte(0); last != '\'' || b[0] != '>'; { // the front ends its header so
		last = b[0]
		if _, err := conn.Read(b); err != nil {
			return
		}
	}
	io.WriteString(conn, text)
}

// authenticated is a client that may open its second stream.
func (sc *scene) authenticated(t *testing.T, transport string) *client {
	t.Helper()
	c := sc.dial(t, transport)
	c.open()
	c.send(transcript.AuthElement("X-TOKEN", "", "alice", sc.token(t, "alice", 0)))
	c.expect(success)
	return c
}

// conversation makes elements of about total bytes, some larger than a relay's
// buffer or just as large, some with what looks like an end and is none.
func conversation(r *rand.Rand, total int) string {
	var b strings.Builder
	for b.Len() < total {
		switch r.IntN(7) {
		case 0:
			b.WriteString(" \n"[:1+r.IntN(2)])
		case 1:
			b.WriteString("<a/>")
		case 2:
			fmt.Fprintf(&b, "<m a='>\"/'><![CDATA[</stream:stream>%s]]></m>", strings.Repeat("]", r.IntN(3)))
		case 3:
			fmt.Fprintf(&b, "<message><body>%s</body></message>", strings.Repeat("y", r.IntN(70000)))
		case 4:
			fmt.Fprintf(&b, "<m>%s</m>", strings.Repeat("z", 16384-16-7+r.IntN(32)))
		default:
			fmt.Fprintf(&b, "<iq><!-- </m> --><x>%s</x></iq>", strings.Repeat("é&amp;", r.IntN(300)))
		}
	}
	return b.String()
}

// inPieces writes s in pieces of random size.
func inPieces(w io.Writer, r *rand.Rand, s string) {
	for len(s) > 0 {
		n := min(len(s), 1+r.IntN([]int{3, 100, 20000, 70000}[r.IntN(4)]))
		if _, err := io.WriteString(w, s[:n]); err != nil {
			return
		}
		s = s[n:]
	}
}

func TestRelayNeitherLosesNorDoublesNorReorders(t *testing.T) {
	const end = "</stream:stream>"
	for _, transport := range []string{"tcp", "starttls", "tls"} {
		t.Run(transport, func(t *testing.T) {
			t.Parallel()
			seed := rand.Uint64()
			t.Logf("seed %d", seed)
			fromClient := conversation(rand.New(rand.NewPCG(seed, 1)), 1<<20) + end
			toClient := conversation(rand.New(rand.NewPCG(seed, 2)), 1<<20) + end
			heard := make(chan string, 1)
			u := &scriptedUpstream{script: func(conn *net.TCPConn) {
				answerHeader(conn, upstreamHead+"<stream:features/>")
				all := make(chan struct{})
				go func() {
					defer close(all)
					b := make([]byte, len(fromClient))
					n, _ := io.ReadFull(conn, b)
					heard <- string(b[:n])
				}()
				inPieces(conn, rand.New(rand.NewPCG(seed, 3)), strings.TrimSuffix(toClient, end))
				<-all
				io.WriteString(conn, end)
			}}
			sc := (&scene{upstream: u}).start(t)
			c := sc.authenticated(t, transport)
			c.send(header)
			c.expect(ourHeader + "<stream:features/>")
			sent := make(chan struct{})
			go func() {
				defer close(sent)
				inPieces(c.conn, rand.New(rand.NewPCG(seed, 4)), fromClient)
			}()
			for c.more() == nil {
			}
			<-sent
			if got := c.buf.String(); got != toClient {
				t.Errorf("the client received %d bytes that are not the %d sent", len(got), len(toClient))
			}
			if got := <-heard; got != fromClient {
				t.Errorf("the server received %d bytes that are not the %d sent", len(got), len(fromClient))
			}
			u.ended.Wait()
		})
	}
}

// Whatever a server says instead of a stream, the client gets a stream that is
// well-formed and ends.
func TestWhatTheServerMaySayInsteadOfAStream(t *testing.T) {
	const lost = ourHeader + "<stream:error><remote-connection-failed xmlns='urn:ietf:params:xml:ns:xmpp-streams'/>…</stream:error></stream:stream>"
	const features = "<stream:features><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></stream:features>"
	serverError := "<stream:error><host-gone xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error>"
	cases := []struct{ name, says, want string }{
		{"nothing", "", lost},
		{"another protocol", "HTTP/1.1 200 OK\r\n\r\n", lost},
		{"half a header", upstreamHead[:60], lost},
		{"a header", upstreamHead, lost},
		{"half of its features", upstreamHead + features[:40], lost},
		{"a stream end", upstreamHead + "</stream:stream>", lost},
		{"a stanza", upstreamHead + "<message/>" + features, lost},
		{"features that are not well-formed", upstreamHead + "<stream:features><a></b></stream:features>", lost},
		{"too long features", upstreamHead + "<stream:features>" + strings.Repeat("<a/>", 20000) + "</stream:features>", lost},
		{"a stream error", upstreamHead + serverError + "</stream:stream>", ourHeader + serverError + "</stream:stream>"},
		{"a stream error and no end", upstreamHead + serverError, ourHeader + serverError + "</stream:stream>"},
		{"features and the end of the connection", upstreamHead + features, ourHeader + features + strings.TrimPrefix(lost, ourHeader)},
		{"features and a document type", upstreamHead + features + "<!DOCTYPE x>", ourHeader + features + strings.TrimPrefix(lost, ourHeader)},
		{"half of a stanza", upstreamHead + features + "<message/><message", ourHeader + features + "<message/>" + strings.TrimPrefix(lost, ourHeader)},
		{"STARTTLS under prefixes of its own", strings.Replace(upstreamHead, "urn:x", "urn:ietf:params:xml:ns:xmpp-tls", 1) +
			"<stream:features><x:starttls/><p:register xmlns:p='http://jabber.org/features/iq-register'/><a/></stream:features></stream:stream>",
			ourHeader + "<stream:features><a/></stream:features></stream:stream>"},
	}
	for _, k := range cases {
		t.Run(k.name, func(t *testing.T) {
			t.Parallel()
			u := &scriptedUpstream{script: func(conn *net.TCPConn) {
				answerHeader(conn, k.says)
				conn.CloseWrite()
				io.Copy(io.Discard, conn)
			}}
			sc := (&scene{upstream: u}).start(t)
			c := sc.authenticated(t, "tcp")
			c.send(header)
			c.expect(k.want)
			c.expectEOF()
			c.conn.Close()
			u.ended.Wait()
		})
	}
}

// A server that ends a session says why; that must arrive even if the client is
// writing at that moment and the front finds the connection broken.
func TestTheServersLastWordsReachAClientThatWrites(t *testing.T) {
	const last = "<stream:error><policy-violation xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error></stream:stream>"
	u := &scriptedUpstream{script: func(conn *net.TCPConn) {
		answerHeader(conn, upstreamHead+"<stream:features/>")
		conn.Read(make([]byte, 100))
		io.WriteString(conn, last)
	}}
	sc := (&scene{upstream: u}).start(t)
	for range 10 {
		c := sc.authenticated(t, "tcp")
		c.send(header)
		c.expect(ourHeader + "<stream:features/>")
		done := make(chan struct{})
		go func() {
			defer close(done)
			for {
				if _, err := io.WriteString(c.conn, "<message/>"); err != nil {
					return
				}
			}
		}()
		c.expect(last)
		c.conn.Close()
		<-done
		u.ended.Wait()
	}
}

// Nothing may be said on a stream whose last element is not whole, nor behind
// its end, nor in clear on a connection that was to be encrypted.
func TestShutdownSaysNothingWhereNothingMayBeSaid(t *testing.T) {
	t.Run("within an element", func(t *testing.T) {
		const part = 40000
		u := &scriptedUpstream{script: func(conn *net.TCPConn) {
			answerHeader(conn, upstreamHead+"<stream:features/><m>"+strings.Repeat("x", part))
			io.Copy(io.Discard, conn)
		}}
		sc := (&scene{upstream: u}).start(t)
		c := sc.authenticated(t, "tcp")
		c.send(header)
		c.expect(ourHeader + "<stream:features/><m>")
		for c.buf.Len() < 16384 {
			must(t, c.more())
		}
		sc.shutdown(t)
		for c.more() == nil {
		}
		if strings.Contains(c.buf.String(), "<") {
			t.Errorf("an element was cut and something said behind it: …%q", c.buf.String()[c.buf.Len()-100:])
		}
		u.ended.Wait()
	})
	t.Run("behind the client's stream end", func(t *testing.T) {
		heard := make(chan struct{})
		u := &scriptedUpstream{script: func(conn *net.TCPConn) {
			answerHeader(conn, upstreamHead+"<stream:features/>")
			io.ReadFull(conn, make([]byte, len("</stream:stream>")))
			close(heard)
			io.Copy(io.Discard, conn)
		}}
		sc := (&scene{upstream: u}).start(t)
		c := sc.authenticated(t, "tcp")
		c.send(header)
		c.expect(ourHeader + "<stream:features/>")
		c.send("</stream:stream>")
		<-heard
		sc.shutdown(t)
		c.expect("</stream:stream>")
		c.expectEOF()
		u.ended.Wait()
	})
	t.Run("in a TLS handshake", func(t *testing.T) {
		sc := (&scene{}).start(t)
		var clients []*client
		for range 50 {
			conn, err := net.Dial("tcp4", sc.tls.String())
			must(t, err)
			defer conn.Close()
			conn.SetDeadline(time.Now().Add(patience))
			c := &client{t: t, conn: conn}
			c.send("\x16\x03\x01") // the beginning of a ClientHello
			clients = append(clients, c)
		}
		sc.shutdown(t)
		for _, c := range clients {
			for c.more() == nil {
			}
			if strings.Contains(c.buf.String(), "<") {
				t.Fatalf("a client was told in clear %q", c.buf.String())
			}
		}
	})
}

// A displaced connection must not go on taking up one of the streams.
func TestADisplacedStreamMakesRoomAtOnce(t *testing.T) {
	sc := &scene{}
	sc.config.Limits.Unauthenticated = 1
	sc.config.Limits.Streams = 3
	sc.start(t)
	for range 20 { // silent, and never closed by the client
		silent := sc.dial(t, "tcp")
		silent.open()
		defer silent.conn.Close()
	}
}
