package web

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"sync"
)

const (
	// readerBytes and writerBytes are what a WebSocket reads ahead and gathers of
	// what it writes: those of net/http are 4096 bytes each, which would stay for
	// as long as the connection.
	readerBytes = 512
	writerBytes = 1024
)

// smallBuffers gives a connection away with buffers that fit stanzas.
type smallBuffers struct{ http.ResponseWriter }

// Hijack implements http.Hijacker.
func (w smallBuffers) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, buffers, err := http.NewResponseController(w.ResponseWriter).Hijack()
	if err != nil {
		return nil, nil, err
	}
	ahead := buffers.Reader.Buffered()
	// Were it seen to be a bufio.Reader, it would be returned as it is.
	old := struct{ io.Reader }{buffers.Reader}
	reader := bufio.NewReaderSize(old, max(readerBytes, ahead))
	if _, err := reader.Peek(ahead); err != nil { // moves what is buffered already
		conn.Close()
		return nil, nil, err
	}
	return conn, bufio.NewReadWriter(reader, bufio.NewWriterSize(conn, writerBytes)), nil
}

// messageBuffers are for messages that are being read or written: a WebSocket that
// is idle has none.
var messageBuffers = sync.Pool{New: func() any { return new([messageBufferBytes]byte) }}

func lend() []byte { return messageBuffers.Get().(*[messageBufferBytes]byte)[:0] }

// giveBack returns nil. What has grown beyond messageBufferBytes is let go.
func giveBack(b []byte) []byte {
	if cap(b) == messageBufferBytes {
		messageBuffers.Put((*[messageBufferBytes]byte)(b[:messageBufferBytes]))
	}
	return nil
}
