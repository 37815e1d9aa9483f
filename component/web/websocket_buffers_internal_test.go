package web

import (
	"bufio"
	"net"
	"net/http"
	"strings"
	"testing"
)

// hijacked is a connection of net/http of which something was read ahead.
type hijacked struct {
	http.ResponseWriter
	buffers *bufio.ReadWriter
}

func (h hijacked) Hijack() (net.Conn, *bufio.ReadWriter, error) { return nil, h.buffers, nil }

func TestAWebSocketHasSmallBuffersAndAllThatWasReadAhead(t *testing.T) {
	for _, ahead := range []int{0, 1, readerBytes, readerBytes + 1, 4096} {
		text := strings.Repeat("x", ahead)
		old := bufio.NewReader(strings.NewReader(text))
		old.Peek(ahead)
		_, buffers, err := smallBuffers{hijacked{buffers: bufio.NewReadWriter(old, bufio.NewWriter(nil))}}.Hijack()
		if err != nil {
			t.Fatal(err)
		}
		if got, _ := buffers.Reader.Peek(buffers.Reader.Buffered()); string(got) != text {
			t.Errorf("of %d bytes that were read ahead %d are there", ahead, len(got))
		}
		if r, w := buffers.Reader.Size(), buffers.Writer.Size(); r > max(readerBytes, ahead) || w > writerBytes {
			t.Errorf("with %d bytes ahead, the buffers have %d and %d", ahead, r, w)
		}
	}
}
