package web

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"slices"
	"strings"
	"testing"

	"xtokend/internal/element"
)

var errBroken = errors.New("broken")

// writes keeps what is written. The last one that room allows is cut, and fails.
type writes struct {
	net.Conn
	room    int
	written [][]byte
}

func (w *writes) Write(p []byte) (int, error) {
	n := min(len(p), w.room)
	w.room -= n
	w.written = append(w.written, bytes.Clone(p[:n]))
	if n < len(p) {
		return n, errBroken
	}
	return n, nil
}

// written is a WebSocket whose writes are kept, and fail beyond room.
func written(room int) (*wsConn, *writes) {
	w := &writes{room: room}
	c := &wsConn{frames: newFrameConn(w, nil), sent: element.Header{ContentNS: "jabber:client"}}
	c.scanner.Relay = true
	c.scanner.StartInside()
	return c, w
}

// messages takes frames apart (RFC 6455 §5.2).
func messages(t *testing.T, frames []byte) (whole []string, opcodes []byte) {
	t.Helper()
	var message []byte
	for r := bytes.NewReader(frames); r.Len() > 0; {
		head := make([]byte, 4)
		io.ReadFull(r, head[:2])
		length := int(head[1])
		if length == 126 {
			io.ReadFull(r, head[2:])
			length = int(binary.BigEndian.Uint16(head[2:]))
		}
		payload := make([]byte, length)
		if n, err := io.ReadFull(r, payload); length > 126 && head[2]|head[3] == 0 || err != nil && length > 0 {
			t.Fatalf("a frame of %d bytes has %d", length, n)
		}
		opcodes = append(opcodes, head[0])
		if head[0]&0x0f > 2 {
			continue
		}
		if message = append(message, payload...); head[0]&0x80 != 0 {
			whole, message = append(whole, string(message)), nil
		}
	}
	if message != nil {
		t.Fatal("the last message has no end")
	}
	return whole, opcodes
}

func numbered(n, size int) (units []string) {
	for i := range n {
		units = append(units, "<message xmlns='jabber:client'><body>"+strings.Repeat(string(rune('a'+i%26)), size)+"</body></message>")
	}
	return units
}

func TestMessagesOfOneWriteLeaveTogether(t *testing.T) {
	for _, tc := range []struct {
		name    string
		units   []string
		writes  int
		opcodes []byte // nil: each in one frame
	}{
		{"one", numbered(1, 0), 1, nil},
		{"many", numbered(40, 300), 1, nil},
		{"the lengths around a longer header", []string{"<a xmlns='" + strings.Repeat("x", 112) + "'/>", "<a xmlns='" + strings.Repeat("x", 113) + "'/>"}, 1, nil},
		{"more than the buffer holds", numbered(100, 300), 3, nil},
		{"one that fills the buffer", numbered(1, frameBufferBytes-ourHeaderBytes-len("<message xmlns='jabber:client'><body></body></message>")), 1, nil},
		{"one byte more", numbered(1, frameBufferBytes-ourHeaderBytes-len("<message xmlns='jabber:client'><body></body></message>")+1), 2,
			[]byte{0x01, 0x80}},
		{"a long one among short ones", []string{numbered(1, 10)[0], numbered(1, 40000)[0], numbered(1, 10)[0]}, 4,
			[]byte{0x81, 0x01, 0x00, 0x80, 0x81}},
		{"only white space", nil, 0, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c, w := written(1 << 20)
			p := []byte(" " + strings.Join(tc.units, "\n") + " ")
			if n, err := c.Write(p); n != len(p) || err != nil {
				t.Fatalf("wrote %d of %d bytes, %v", n, len(p), err)
			}
			got, opcodes := messages(t, bytes.Join(w.written, nil))
			if !slices.Equal(got, tc.units) {
				t.Errorf("%d messages arrive, changed; %d were written", len(got), len(tc.units))
			}
			if tc.opcodes == nil {
				tc.opcodes = bytes.Repeat([]byte{0x81}, len(tc.units))
			}
			if !bytes.Equal(opcodes, tc.opcodes) {
				t.Errorf("the frames begin with %x, want %x", opcodes, tc.opcodes)
			}
			if len(w.written) != tc.writes {
				t.Errorf("%d writes, want %d", len(w.written), tc.writes)
			}
		})
	}
}

func TestACountIsOfUnitsThatWereWritten(t *testing.T) {
	units := numbered(100, 300)
	p := []byte(strings.Join(units, ""))
	inBuffer := frameBufferBytes / (ourHeaderBytes + len(units[0])) * len(units[0])
	for _, tc := range []struct {
		name       string
		room, want int
	}{
		{"none", 0, 0},
		{"part of the first write", frameBufferBytes / 2, 0},
		{"part of the second write", frameBufferBytes * 3 / 2, inBuffer},
		{"all but a byte", len(p) + ourHeaderBytes*len(units) - 1, 2 * inBuffer},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c, w := written(tc.room)
			if n, err := c.Write(p); n != tc.want || err != errBroken {
				t.Errorf("wrote %d bytes, %v; want %d", n, err, tc.want)
			}
			w.room = 1 << 20
			before := len(w.written)
			if n, err := c.Write([]byte(units[0])); n != 0 || err != errBroken {
				t.Errorf("afterwards: wrote %d bytes, %v", n, err)
			}
			if _, err := c.frames.Write([]byte{0x8a, 0}); err != errBroken || len(w.written) != before {
				t.Errorf("a pong was written behind part of a frame, %v", err)
			}
		})
	}
}

func TestUnitsBeforeOneThatIsBrokenAreWritten(t *testing.T) {
	c, w := written(1 << 20)
	good := strings.Join(numbered(2, 10), "")
	if n, err := c.Write([]byte(good + "<message>")); n != len(good) || err == nil {
		t.Errorf("wrote %d bytes, %v", n, err)
	}
	if got, _ := messages(t, bytes.Join(w.written, nil)); len(got) != 2 {
		t.Errorf("%d messages arrive", len(got))
	}
}

// RFC 6455 §5.5.1.
func TestNothingFollowsACloseFrame(t *testing.T) {
	c, w := written(1 << 20)
	if _, err := c.frames.Write([]byte{0x88, 0}); err != nil {
		t.Fatal(err)
	}
	if n, err := c.Write([]byte("<message/>")); n != 0 || !errors.Is(err, net.ErrClosed) || len(w.written) != 1 {
		t.Errorf("wrote %d bytes, %v", n, err)
	}
}

// However much of a frame has come, and wherever its bytes are.
func TestAMessageIsHeldOnlyIfItIsWhole(t *testing.T) {
	frame := func(first byte, payload int) []byte {
		b := appendFrame(nil, first, make([]byte, payload))
		b[1] |= 0x80
		mask := 2
		if payload > 125 {
			mask = 4
		}
		return slices.Insert(b, mask, 1, 2, 3, 4)
	}
	holds := func(ahead, unread []byte) bool {
		c := newFrameConn(nil, unread)
		c.ahead = bufio.NewReaderSize(bytes.NewReader(ahead), socketReaderBytes)
		c.ahead.Peek(len(ahead))
		return c.holdsMessage()
	}
	for _, payload := range []int{0, 1, 2, 125, 126, 300, 16000} {
		whole := frame(0x81, payload)
		for cut := range len(whole) + 2 {
			b := append(bytes.Clone(whole), 0x81)[:cut]
			for split := range min(cut, socketReaderBytes) + 1 {
				if got, want := holds(b[:split], b[split:]), cut >= len(whole); got != want {
					t.Fatalf("%d of %d bytes, %d of them in the reader: %t", cut, len(whole), split, got)
				}
			}
		}
	}
	for name, other := range map[string][]byte{
		"a ping": frame(0x89, 4), "a close frame": frame(0x88, 2), "a first fragment": frame(0x01, 10), "a last fragment": frame(0x80, 10),
		"binary": frame(0x82, 10), "a reserved bit": frame(0xc1, 10), "64 bits of length": append([]byte{0x81, 0xff}, make([]byte, 100)...),
	} {
		if holds(nil, other) {
			t.Errorf("%s is taken for a message", name)
		}
	}
}

func BenchmarkWebSocketWrite(b *testing.B) {
	c, w := written(0)
	c.frames.Conn = discard{w}
	p := []byte(strings.Join(numbered(12, 300), ""))
	b.SetBytes(int64(len(p)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := c.Write(p); err != nil {
			b.Fatal(err)
		}
	}
}

type discard struct{ net.Conn }

func (discard) Write(p []byte) (int, error) { return len(p), nil }
