package web

import (
	"bufio"
	"bytes"
	"net"
	"net/http"
	"sync"
)

// Package websocket's buffers stay for as long as the connection, and those of net/http would be 4096 bytes each.
const (
	// readerBytes is what it reads ahead; of a socket frameConn does that, and this is the least that package bufio has.
	readerBytes, socketReaderBytes = 512, 16
	// writerBytes holds a control frame, so that each is one Write (RFC 6455 §5.5: 125 bytes, and 2 of header).
	writerBytes = 127
	// frameBufferBytes are read or written at once at most.
	frameBufferBytes = 16384
)

// smallBuffers gives a connection away with buffers that fit stanzas.
type smallBuffers struct {
	http.ResponseWriter
	conn *frameConn // once given away
}

// Hijack implements http.Hijacker.
func (w *smallBuffers) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, buffers, err := http.NewResponseController(w.ResponseWriter).Hijack()
	if err != nil {
		return nil, nil, err
	}
	ahead, err := buffers.Reader.Peek(buffers.Reader.Buffered())
	if err != nil {
		conn.Close()
		return nil, nil, err
	}
	w.conn = newFrameConn(conn, bytes.Clone(ahead))
	size := readerBytes
	if w.conn.socket != nil {
		size = socketReaderBytes
	}
	w.conn.ahead = bufio.NewReaderSize(w.conn, size)
	return w.conn, bufio.NewReadWriter(w.conn.ahead, bufio.NewWriterSize(w.conn, writerBytes)), nil
}

type frameBuffer [frameBufferBytes]byte

// frameBuffers are for frames that have come and are not read yet, or are being
// written: a WebSocket that is idle has none.
var frameBuffers = sync.Pool{New: func() any { return new(frameBuffer) }}

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
