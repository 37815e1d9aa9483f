package web_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"
)

// masked is a text frame of a client (RFC 6455 §5.2).
func masked(message string) []byte {
	frame := []byte{0x81}
	if n := len(message); n < 126 {
		frame = append(frame, 0x80|byte(n))
	} else {
		frame = binary.BigEndian.AppendUint16(append(frame, 0x80|126), uint16(n))
	}
	mask := [4]byte{0x12, 0x34, 0x56, 0x78}
	frame = append(frame, mask[:]...)
	for i := range len(message) {
		frame = append(frame, message[i]^mask[i%4])
	}
	return frame
}

func stanza(i int) string {
	return fmt.Sprintf("<message xmlns='jabber:client' id='%d'><body>%s</body></message>", i, strings.Repeat("x", i*7%700))
}

// Messages that come at once, cut anywhere, reach the server whole and in order.
func TestWebSocketMessagesThatComeTogether(t *testing.T) {
	const count = 300
	for _, piece := range []int{1 << 20, 16384, 1000, 511} {
		t.Run(fmt.Sprintf("%d bytes at a time", piece), func(t *testing.T) {
			sc := (&scene{}).start(t)
			s := sc.dial(t, "ws://"+sc.http+"/xmpp-websocket", nil)
			s.login(sc)
			var frames []byte
			for i := range count {
				frames = append(frames, masked(stanza(i))...)
				if i%10 == 0 {
					frames = append(frames, masked(" ")...)
				}
			}
			go func() {
				for part := range slices.Chunk(frames, piece) {
					if _, err := s.conn.Write(part); err != nil {
						return
					}
				}
			}()
			for i := range count {
				s.hear(stanza(i))
			}
		})
	}
}

// What stands before a message that breaks a rule still passes, and the breach is
// not overlooked, wherever in the burst it comes.
func TestWebSocketBreachAmongMessagesThatComeTogether(t *testing.T) {
	for _, before := range []int{0, 1, 2, 20, 100} {
		t.Run(fmt.Sprint(before), func(t *testing.T) {
			sc := (&scene{}).start(t)
			s := sc.dial(t, "ws://"+sc.http+"/xmpp-websocket", nil)
			s.say(open)
			s.hear(ourOpen)
			s.hear(features)
			s.say(authElement("alice", sc.token(t, "alice")))
			s.hear(success)
			burst, passed := masked(open), 0
			for i := range before {
				burst = append(burst, masked(stanza(i))...)
				passed += len(stanza(i))
			}
			burst = append(append(burst, masked("<message/><message/>")...), masked(stanza(before))...)
			if _, err := s.conn.Write(burst); err != nil {
				t.Fatal(err)
			}
			s.hear(theirOpen)
			var last string
			for !strings.Contains(last, "stream:error") {
				_, message, err := s.ws.Read(context.Background())
				if err != nil {
					t.Fatal(err)
				}
				last = string(message)
			}
			if !strings.Contains(last, "<not-well-formed ") {
				t.Errorf("the stream ends with %s", last)
			}
			s.hear(closing)
			s.hearEnd()
			// The upstream need not have heard all of it: its connection is dropped.
			sc.awaitLog(t, "session closed", fmt.Sprintf(" bytes_from_client=%d ", passed))
		})
	}
}

// Pongs get between messages, short ones and the fragments of long ones, and break none.
func TestWebSocketPongsAmongMessages(t *testing.T) {
	const count, pings = 2000, 50
	for _, scheme := range []string{"ws", "wss"} {
		t.Run(scheme, func(t *testing.T) {
			sc := (&scene{}).start(t)
			address := map[string]string{"ws": sc.http, "wss": sc.https}[scheme]
			s := sc.dial(t, scheme+"://"+address+"/xmpp-websocket", nil)
			s.login(sc)
			message := func(i int) string {
				if i%100 == 50 {
					return fmt.Sprintf("<message xmlns='jabber:client' id='%d'>%s</message>", i, strings.Repeat("y", 50_000))
				}
				return stanza(i)
			}
			go func() {
				for i := range count {
					if _, err := io.WriteString(sc.echo.Last(), message(i)); err != nil {
						return
					}
				}
			}()
			ponged := make(chan error, 1)
			go func() {
				for range pings {
					ctx, done := context.WithTimeout(context.Background(), patience)
					err := s.ws.Ping(ctx)
					done()
					if err != nil {
						ponged <- err
						return
					}
				}
				ponged <- nil
			}()
			for i := range count {
				s.hear(message(i))
			}
			// A Ping ends only while somebody reads.
			reading := s.ws.CloseRead(context.Background())
			if err := <-ponged; err != nil {
				t.Error(err)
			}
			s.ws.CloseNow()
			<-reading.Done()
		})
	}
}

// The deadline of a write that waits reaches through the WebSocket, also in TLS.
func TestWebSocketClientThatReadsNothingIsLeft(t *testing.T) {
	for _, scheme := range []string{"ws", "wss"} {
		t.Run(scheme, func(t *testing.T) {
			sc := &scene{}
			sc.limits.WriteTimeout = 100 * time.Millisecond
			sc.start(t)
			address := map[string]string{"ws": sc.http, "wss": sc.https}[scheme]
			s := sc.dial(t, scheme+"://"+address+"/xmpp-websocket", nil)
			s.login(sc)
			flood := strings.Repeat(stanza(50), 100)
			for {
				if _, err := io.WriteString(sc.echo.Last(), flood); err != nil {
					break // the front has left the upstream too
				}
			}
			sc.awaitLog(t, "session closed", "transport=websocket", "i/o timeout")
		})
	}
}
