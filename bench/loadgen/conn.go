package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"syscall"
	"time"
)

// conn is a client's connection by some transport, seen as a sequence of top-level
// elements. One goroutine may call next while another one calls send, but not over BOSH.
type conn interface {
	open(restart bool) error     // asks for a stream, or for another one; the features are next
	send(element []byte) error   // one whole element
	next() ([]byte, error)       // valid until the call after
	setDeadline(t time.Time)     // zero: none
	sayEnd() error               // asks for the end of the stream
	finish(within time.Duration) // ends the stream, waits for the server's end, closes
	abort()                      // closes the socket
}

// dialConn returns a connection with the deadline of a login.
func dialConn(cfg *config) (conn, error) {
	switch cfg.transport {
	case "ws", "wss":
		return dialWebSocket(cfg)
	case "bosh":
		return dialBOSH(cfg)
	}
	return dialTCP(cfg)
}

// ipBindAddressNoPort is IP_BIND_ADDRESS_NO_PORT of ip(7): a port is chosen at the connect,
// so that one is enough for each pair of addresses, and not for each source.
const ipBindAddressNoPort = 24

func dial(cfg *config, address string, secure bool) (net.Conn, error) {
	deadline := time.Now().Add(cfg.timeout)
	d := net.Dialer{Deadline: deadline}
	if cfg.sources > 0 {
		i := int(cfg.source.Add(1)) % cfg.sources
		d.LocalAddr = &net.TCPAddr{IP: net.IPv4(127, 77, byte(i/250), byte(1+i%250))}
		d.ControlContext = func(_ context.Context, _, _ string, raw syscall.RawConn) error {
			var failed error
			if err := raw.Control(func(fd uintptr) {
				failed = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_IP, ipBindAddressNoPort, 1)
			}); err != nil {
				return err
			}
			return failed
		}
	}
	c, err := d.Dial("tcp", address)
	if err != nil {
		return nil, at("dial", err)
	}
	c.SetDeadline(deadline)
	if secure {
		return handshake(cfg, c)
	}
	return c, nil
}

// handshake closes the connection if it fails.
func handshake(cfg *config, c net.Conn) (net.Conn, error) {
	t := tls.Client(c, cfg.tls)
	if err := t.Handshake(); err != nil {
		c.Close()
		return nil, at("tls", err)
	}
	cfg.version.Store(uint32(t.ConnectionState().Version))
	return t, nil
}

// tcpConn is a stream of RFC 6120, in clear or in TLS.
type tcpConn struct {
	cfg *config
	net.Conn
	scanner *scanner
}

func dialTCP(cfg *config) (conn, error) {
	c, err := dial(cfg, cfg.addr, cfg.transport == "tls")
	if err != nil {
		return nil, err
	}
	return &tcpConn{cfg: cfg, Conn: c, scanner: newScanner(c)}, nil
}

// startTLS follows the server's <proceed/>.
func (t *tcpConn) startTLS() error {
	c, err := handshake(t.cfg, t.Conn)
	if err != nil {
		return err
	}
	t.Conn, t.scanner = c, newScanner(c)
	return nil
}

func (t *tcpConn) open(bool) error {
	const header = "<?xml version='1.0'?><stream:stream to='%s' version='1.0' xml:lang='en' " +
		"xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>"
	if err := t.send(fmt.Appendf(nil, header, t.cfg.domain)); err != nil {
		return err
	}
	answer, err := t.scanner.next()
	if err == nil && name(answer) != "stream:stream" {
		err = fmt.Errorf("no stream header but <%s>", name(answer))
	}
	return err
}

func (t *tcpConn) send(element []byte) error { _, err := t.Write(element); return err }
func (t *tcpConn) next() ([]byte, error)     { return t.scanner.next() }
func (t *tcpConn) setDeadline(d time.Time)   { t.SetDeadline(d) }
func (t *tcpConn) sayEnd() error             { return t.send([]byte("</stream:stream>")) }
func (t *tcpConn) abort()                    { t.Close() }

func (t *tcpConn) finish(within time.Duration) {
	t.SetDeadline(time.Now().Add(within))
	err := t.sayEnd()
	for err == nil {
		_, err = t.scanner.next()
	}
	t.Close()
}
