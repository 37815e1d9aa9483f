package main

import (
	"bytes"
	"crypto/sha1"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"net"
)

const (
	wsOpen  = "<open xmlns='urn:ietf:params:xml:ns:xmpp-framing' from='example.org' id='3f6b1c0e9a7d4285' version='1.0' xml:lang='en'/>"
	wsClose = "<close xmlns='urn:ietf:params:xml:ns:xmpp-framing'/>"
)

// serveWebSocket is one login over WebSocket (RFC 7395), to the client's end of it.
func serveWebSocket(c net.Conn) {
	var buf [maxReadBytes]byte
	if err := upgrade(c, buf[:]); err != nil {
		return
	}
	for step, answer := range [][]string{{wsOpen, mechanisms}, {success}, {wsOpen, features}, {bound}, {wsClose}} {
		message, err := readMessage(c, buf[:])
		if err != nil {
			return
		}
		if step == 1 {
			verify(message)
		}
		out := buf[:0] // the message has been used
		for _, text := range answer {
			out = appendFrame(out, text)
		}
		if _, err := c.Write(out); err != nil {
			return
		}
	}
}

// upgrade answers the opening handshake (RFC 6455 §4.2.2).
func upgrade(c net.Conn, buf []byte) error {
	n := 0
	for !bytes.HasSuffix(buf[:n], []byte("\r\n\r\n")) {
		if n == len(buf) {
			return errors.New("request too large")
		}
		m, err := c.Read(buf[n:])
		if err != nil {
			return err
		}
		n += m
	}
	_, rest, _ := bytes.Cut(buf[:n], []byte("Sec-WebSocket-Key: "))
	key, _, found := bytes.Cut(rest, []byte("\r\n"))
	if !found {
		return errors.New("no Sec-WebSocket-Key")
	}
	sum := sha1.Sum(append(bytes.Clone(key), "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"...))
	_, err := c.Write([]byte("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
		"Sec-WebSocket-Protocol: xmpp\r\nSec-WebSocket-Accept: " + base64.StdEncoding.EncodeToString(sum[:]) + "\r\n\r\n"))
	return err
}

// readMessage reads a masked frame, which the load generator sends in one write.
func readMessage(c net.Conn, buf []byte) ([]byte, error) {
	n := 0
	for {
		m, err := c.Read(buf[n:])
		if err != nil {
			return nil, err
		}
		n += m
		start, length := 2, 0
		if n >= 4 {
			if length = int(buf[1] & 0x7f); length == 126 {
				start, length = 4, int(binary.BigEndian.Uint16(buf[2:]))
			}
		}
		start += 4 // the mask
		if n < 4 || n < start+length {
			if n == len(buf) {
				return nil, errors.New("frame too large")
			}
			continue
		}
		mask, payload := buf[start-4:start], buf[start:start+length]
		for i := range payload {
			payload[i] ^= mask[i&3]
		}
		return payload, nil
	}
}

func appendFrame(out []byte, text string) []byte {
	const finText = 0x81
	if len(text) < 126 {
		out = append(out, finText, byte(len(text)))
	} else {
		out = binary.BigEndian.AppendUint16(append(out, finText, 126), uint16(len(text)))
	}
	return append(out, text...)
}
