package web

import (
	"bufio"
	"encoding/binary"
	"net"
	"sync"

	"xtokend/internal/proxyheader"
	"xtokend/internal/socket"
)

// Of a frame's header (RFC 6455 §5.2).
const (
	opContinuation = 0x0
	opText         = 0x1
	opClose        = 0x8
	opcodeBits     = 0x0f
	finalFrame     = 0x80
	lengthBits     = 0x7f
	length16       = 126 // two bytes of length follow
	length64       = 127 // eight do
	maskBytes      = 4
	// ourHeaderBytes has a frame of ours at most: not masked, and shorter than 64 KiB.
	ourHeaderBytes = 4
)

// frameConn is the connection beneath a WebSocket. Package websocket reads and writes a message at a time; with many at a
// time each would cost a system call or two, which are half of what a message costs. So whatever has come is read at once,
// and data frames are made here, as many as there are messages to be written. Control frames are made by package websocket;
// they may go between any two of ours (RFC 6455 §5.4). One goroutine reads and one sends data; any may Write.
type frameConn struct {
	net.Conn

	// Of the reading side.
	socket *socket.Conn  // Conn, if it is nothing else
	ahead  *bufio.Reader // package websocket's, on top
	lent   *frameBuffer  // nil: none
	unread []byte        // of lent, or what was read before there was a WebSocket

	// Of the writing side.
	mu  sync.Mutex // held while something is written
	err error      // of any later Write
}

func newFrameConn(conn net.Conn, unread []byte) *frameConn {
	c := &frameConn{Conn: conn, unread: unread}
	if proxied, ok := conn.(*proxyheader.Conn); ok && proxied.Past() {
		conn = proxied.NetConn()
	}
	c.socket, _ = conn.(*socket.Conn)
	return c
}

// Read implements net.Conn. While it waits, or there is nothing left to read, it has no buffer. What is no socket, as TLS
// is none, has read ahead itself.
func (c *frameConn) Read(p []byte) (int, error) {
	if len(c.unread) == 0 {
		if c.socket == nil {
			return c.Conn.Read(p)
		}
		n, err := c.socket.ReadLent(c)
		if err != nil {
			c.TakeBack()
			return 0, err
		}
		c.unread = c.lent[:n]
	}
	n := copy(p, c.unread)
	if c.unread = c.unread[n:]; len(c.unread) == 0 {
		c.TakeBack()
	}
	return n, nil
}

// Lend implements [socket.Lender].
func (c *frameConn) Lend() []byte {
	if c.lent == nil {
		c.lent = frameBuffers.Get().(*frameBuffer)
	}
	return c.lent[:]
}

// TakeBack implements [socket.Lender].
func (c *frameConn) TakeBack() {
	c.unread = nil
	if c.lent != nil {
		frameBuffers.Put(c.lent)
		c.lent = nil
	}
}

// holdsMessage says whether the next frame is a whole message of text, and has come: reading it will not wait.
func (c *frameConn) holdsMessage() bool {
	ahead, _ := c.ahead.Peek(c.ahead.Buffered())
	var head [4]byte
	copy(head[copy(head[:], ahead):], c.unread)
	held, length := len(ahead)+len(c.unread), int(head[1]&lengthBits)
	switch length {
	case length16:
		length = 2 + int(binary.BigEndian.Uint16(head[2:]))
	case length64:
		return false
	}
	return held >= len(head) && head[0] == finalFrame|opText && held >= 2+maskBytes+length
}

// Write writes whole frames. After one that has failed nothing is written any more, since part of a frame may have been;
// nor after a close frame (RFC 6455 §5.5.1), with which p must begin if there is one.
func (c *frameConn) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil || len(p) == 0 {
		return 0, c.err
	}
	n, err := c.Conn.Write(p)
	if c.err = err; err == nil && p[0]&opcodeBits == opClose {
		c.err = net.ErrClosed
	}
	return n, err
}

// batch is messages on their way into as few writes as they fit in.
type batch struct {
	conn    *frameConn
	lent    *frameBuffer
	frames  []byte // of lent: not written yet
	taken   int    // bytes of the units whose messages were added
	written int    // of these, those whose messages were written
}

func (c *frameConn) batch() batch {
	lent := frameBuffers.Get().(*frameBuffer)
	return batch{conn: c, lent: lent, frames: lent[:0]}
}

func (b *batch) giveBack() { frameBuffers.Put(b.lent) }

// add adds what a unit of so many bytes has become. A message that is longer than the buffer is written in fragments:
// pongs get between.
func (b *batch) add(message []byte, unit int) error {
	if len(b.frames)+ourHeaderBytes+len(message) > len(b.lent) {
		if err := b.flush(); err != nil {
			return err
		}
	}
	opcode := byte(opText)
	for most := len(b.lent) - ourHeaderBytes; len(message) > most; message = message[most:] {
		b.frames = appendFrame(b.frames, opcode, message[:most])
		if err := b.flush(); err != nil {
			return err
		}
		opcode = opContinuation
	}
	b.frames = appendFrame(b.frames, finalFrame|opcode, message)
	b.taken += unit
	return nil
}

// flush writes what was added.
func (b *batch) flush() error {
	_, err := b.conn.Write(b.frames)
	if err == nil {
		b.frames, b.written = b.frames[:0], b.taken
	}
	return err
}

// appendFrame appends a frame of less than 64 KiB.
func appendFrame(dst []byte, first byte, payload []byte) []byte {
	if n := len(payload); n < length16 {
		dst = append(dst, first, byte(n))
	} else {
		dst = binary.BigEndian.AppendUint16(append(dst, first, length16), uint16(n))
	}
	return append(dst, payload...)
}
