package main

import (
	"bufio"
	"crypto/rand"
	"crypto/sha1"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	mathrand "math/rand/v2"
	"net"
	"net/http"
	"sync"
	"time"
)

// Opcodes of RFC 6455 §5.2.
const (
	opText  = 1
	opClose = 8
	opPing  = 9
	opPong  = 10
)

// webSocketConn is RFC 7395, and of RFC 6455 what a client of XMPP needs.
type webSocketConn struct {
	cfg *config
	net.Conn
	reader  *bufio.Reader
	message []byte // that is being read

	mu    sync.Mutex // of writing
	frame []byte
}

func dialWebSocket(cfg *config) (conn, error) {
	c, err := dial(cfg, cfg.url.Host, cfg.transport == "wss")
	if err != nil {
		return nil, err
	}
	w := &webSocketConn{cfg: cfg, Conn: c, reader: bufio.NewReader(c)}
	if err := w.upgrade(); err != nil {
		c.Close()
		return nil, at("upgrade", err)
	}
	return w, nil
}

// upgrade is the opening handshake (RFC 6455 §4.1).
func (w *webSocketConn) upgrade() error {
	var random [16]byte
	rand.Read(random[:])
	key := base64.StdEncoding.EncodeToString(random[:])
	_, err := fmt.Fprintf(w.Conn, "GET %s HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: %s\r\nSec-WebSocket-Protocol: xmpp\r\n\r\n",
		w.cfg.url.RequestURI(), w.cfg.httpHost, key)
	if err != nil {
		return err
	}
	response, err := http.ReadResponse(w.reader, nil)
	if err != nil {
		return err
	}
	if response.StatusCode != http.StatusSwitchingProtocols {
		return fmt.Errorf("HTTP status %d", response.StatusCode)
	}
	sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	if response.Header.Get("Sec-WebSocket-Accept") != base64.StdEncoding.EncodeToString(sum[:]) {
		return errors.New("bad Sec-WebSocket-Accept")
	}
	return nil
}

// write sends one masked frame.
func (w *webSocketConn) write(opcode byte, payload []byte) error {
	const fin, masked = 0x80, 0x80
	w.mu.Lock()
	defer w.mu.Unlock()
	b := append(w.frame[:0], fin|opcode)
	switch n := len(payload); {
	case n < 126:
		b = append(b, masked|byte(n))
	case n < 1<<16:
		b = binary.BigEndian.AppendUint16(append(b, masked|126), uint16(n))
	default:
		b = binary.BigEndian.AppendUint64(append(b, masked|127), uint64(n))
	}
	var mask [4]byte
	binary.LittleEndian.PutUint32(mask[:], mathrand.Uint32())
	b = append(b, mask[:]...)
	for i, c := range payload {
		b = append(b, c^mask[i&3])
	}
	w.frame = b
	_, err := w.Conn.Write(b)
	return err
}

// readFrame appends a frame's payload to the message.
func (w *webSocketConn) readFrame() (opcode byte, fin bool, payload []byte, err error) {
	var head [8]byte
	if _, err := io.ReadFull(w.reader, head[:2]); err != nil {
		return 0, false, nil, err
	}
	opcode, fin = head[0]&15, head[0]&0x80 != 0
	n := uint64(head[1] & 0x7f)
	switch n {
	case 126:
		_, err = io.ReadFull(w.reader, head[:2])
		n = uint64(binary.BigEndian.Uint16(head[:]))
	case 127:
		_, err = io.ReadFull(w.reader, head[:])
		n = binary.BigEndian.Uint64(head[:])
	}
	if err == nil && n > maxElementBytes {
		err = errors.New("frame too large")
	}
	if err != nil {
		return 0, false, nil, err
	}
	at := len(w.message)
	w.message = append(w.message, make([]byte, n)...)
	_, err = io.ReadFull(w.reader, w.message[at:])
	return opcode, fin, w.message[at:], err
}

func (w *webSocketConn) next() ([]byte, error) {
	for w.message = w.message[:0]; ; {
		opcode, fin, payload, err := w.readFrame()
		if err != nil {
			return nil, err
		}
		if opcode >= opClose {
			w.message = w.message[:len(w.message)-len(payload)]
		}
		switch {
		case opcode == opClose:
			return nil, errStreamEnd
		case opcode == opPing:
			if err := w.write(opPong, payload); err != nil {
				return nil, err
			}
		case opcode == opPong, !fin:
		case name(w.message) == "close":
			return nil, errStreamEnd
		default:
			return w.message, nil
		}
	}
}

func (w *webSocketConn) open(bool) error {
	const open = "<open xmlns='urn:ietf:params:xml:ns:xmpp-framing' to='%s' version='1.0' xml:lang='en'/>"
	if err := w.send(fmt.Appendf(nil, open, w.cfg.domain)); err != nil {
		return err
	}
	answer, err := w.next()
	if err == nil && name(answer) != "open" {
		err = fmt.Errorf("no <open/> but <%s>", name(answer))
	}
	return err
}

func (w *webSocketConn) send(element []byte) error { return w.write(opText, element) }
func (w *webSocketConn) setDeadline(d time.Time)   { w.SetDeadline(d) }
func (w *webSocketConn) abort()                    { w.Close() }

func (w *webSocketConn) sayEnd() error {
	return w.send([]byte("<close xmlns='urn:ietf:params:xml:ns:xmpp-framing'/>"))
}

func (w *webSocketConn) finish(within time.Duration) {
	w.SetDeadline(time.Now().Add(within))
	err := w.sayEnd()
	for err == nil {
		_, err = w.next()
	}
	w.write(opClose, binary.BigEndian.AppendUint16(nil, 1000))
	w.Close()
}
