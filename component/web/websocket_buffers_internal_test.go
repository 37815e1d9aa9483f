package web

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
)

// hijacked is a connection of net/http of which something was read ahead.
type hijacked struct {
	conn    net.Conn
	buffers *bufio.ReadWriter
}

func (h hijacked) Hijack() (net.Conn, *bufio.ReadWriter, error) { return h.conn, h.buffers, nil }
func (h hijacked) Header() http.Header                          { return nil }
func (h hijacked) WriteHeader(int)                              {}
func (h hijacked) Write([]byte) (int, error)                    { return 0, nil }

func TestAWebSocketHasSmallBuffersAndAllThatWasReadAhead(t *testing.T) {
	for _, ahead := range []int{0, 1, readerBytes, readerBytes + 1, 4096} {
		text := strings.Repeat("x", ahead)
		old := bufio.NewReader(strings.NewReader(text))
		old.Peek(ahead)
		beneath, _ := net.Pipe()
		beneath.Close()
		_, buffers, err := (&smallBuffers{ResponseWriter: hijacked{beneath, bufio.NewReadWriter(old, bufio.NewWriter(nil))}}).Hijack()
		if err != nil {
			t.Fatal(err)
		}
		if got, _ := io.ReadAll(buffers.Reader); string(got) != text {
			t.Errorf("of %d bytes that were read ahead %d are there", ahead, len(got))
		}
		if r, w := buffers.Reader.Size(), buffers.Writer.Size(); r > readerBytes || w > writerBytes {
			t.Errorf("with %d bytes ahead, the buffers have %d and %d", ahead, r, w)
		}
	}
}
