// Command floor does what no server can leave out of a login with X-TOKEN and no more:
// the reads, one HMAC-SHA-256, the writes, and TLS or the frames of a WebSocket. Its
// answers are canned and everybody is let in. What it costs is the least that a login
// can cost a program written in Go, so that others can be compared with it.
//
// It is for measurements on loopback: it has neither limits nor deadlines.
package main

import (
	"crypto/tls"
	"flag"
	"fmt"
	"net"
	"os"
)

func main() {
	plain := flag.String("tcp", "", "host:port for streams in clear")
	direct := flag.String("tls", "", "host:port for streams in TLS")
	webSocket := flag.String("ws", "", "host:port for WebSocket")
	certificate := flag.String("certificate", "", "PEM file")
	key := flag.String("key", "", "PEM file")
	flag.Parse()
	if err := serve(*plain, *direct, *webSocket, *certificate, *key); err != nil {
		fmt.Fprintln(os.Stderr, "floor:", err)
		os.Exit(2)
	}
}

// serve returns when a listener fails.
func serve(plain, direct, webSocket, certificate, key string) error {
	pair, err := tls.LoadX509KeyPair(certificate, key)
	if err != nil {
		return err
	}
	settings := &tls.Config{
		Certificates:           []tls.Certificate{pair},
		NextProtos:             []string{"xmpp-client"}, // XEP-0368
		SessionTicketsDisabled: true,
	}
	failed := make(chan error)
	for _, l := range []struct {
		address string
		handle  func(net.Conn)
	}{
		{plain, serveStream},
		{direct, func(c net.Conn) { serveStream(tls.Server(c, settings)) }},
		{webSocket, serveWebSocket},
	} {
		listener, err := net.Listen("tcp", l.address)
		if err != nil {
			return err
		}
		go func() { failed <- accept(listener, l.handle) }()
	}
	return <-failed
}

func accept(l net.Listener, handle func(net.Conn)) error {
	for {
		c, err := l.Accept()
		if err != nil {
			return err
		}
		go func() {
			defer c.Close()
			handle(c)
		}()
	}
}
