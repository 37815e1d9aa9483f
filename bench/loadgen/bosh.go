package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"time"
)

// boshConn is XEP-0124 and XEP-0206 as a client needs them that logs in: it waits for the
// answer to each request before it makes the next, all of them on one connection.
type boshConn struct {
	cfg      *config
	conn     net.Conn // nil after the server has closed it
	reader   *bufio.Reader
	deadline time.Time

	sid     string
	rid     uint64
	waiting [][]byte // elements that have come and not been asked for
	ended   error    // what the server ended the session with
}

func dialBOSH(cfg *config) (conn, error) {
	b := &boshConn{cfg: cfg, rid: uint64(rand.Uint32()), deadline: time.Now().Add(cfg.timeout)}
	return b, b.dial()
}

func (b *boshConn) dial() error {
	c, err := dial(b.cfg, b.cfg.url.Host, b.cfg.url.Scheme == "https")
	if err != nil {
		return err
	}
	c.SetDeadline(b.deadline)
	b.conn, b.reader = c, bufio.NewReader(c)
	return nil
}

// post sends a <body/> and takes in the one that answers it.
func (b *boshConn) post(attributes string, payload []byte) error {
	if b.conn == nil {
		if err := b.dial(); err != nil {
			return err
		}
	}
	body := fmt.Appendf(nil, "<body xmlns='http://jabber.org/protocol/httpbind' rid='%d'", b.rid)
	if b.sid != "" {
		body = fmt.Appendf(body, " sid='%s'", b.sid)
	}
	body = fmt.Appendf(body, "%s>%s</body>", attributes, payload)
	b.rid++
	request := fmt.Appendf(nil, "POST %s HTTP/1.1\r\nHost: %s\r\nContent-Type: text/xml; charset=utf-8\r\nContent-Length: %d\r\n\r\n%s",
		b.cfg.url.RequestURI(), b.cfg.httpHost, len(body), body)
	if _, err := b.conn.Write(request); err != nil {
		return err
	}
	response, err := http.ReadResponse(b.reader, nil)
	if err != nil {
		return err
	}
	answer, err := io.ReadAll(io.LimitReader(response.Body, maxElementBytes))
	response.Body.Close()
	if err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("HTTP status %d", response.StatusCode)
	}
	if response.Close {
		b.conn.Close()
		b.conn = nil
	}
	return b.take(answer)
}

// take splits an answer into its elements.
func (b *boshConn) take(answer []byte) error {
	i := bytes.Index(answer, []byte("<body"))
	end := bytes.IndexByte(answer[max(i, 0):], '>')
	if i < 0 || end < 0 {
		return errors.New("no <body/> in the answer")
	}
	tag, content := answer[i:i+end+1], answer[i+end+1:]
	if sid := attr(tag, "sid"); sid != "" {
		b.sid = sid
	}
	if tag[len(tag)-2] != '/' {
		elements := newScanner(bytes.NewReader(content))
		for {
			element, err := elements.next()
			if err != nil { // the end of the body
				break
			}
			b.waiting = append(b.waiting, bytes.Clone(element))
		}
	}
	if attr(tag, "type") == "terminate" {
		b.ended = errStreamEnd
		if condition := attr(tag, "condition"); condition != "" && condition != "remote-stream-error" {
			b.ended = at("terminated", errors.New(condition))
		}
	}
	return nil
}

// next asks the server with an empty body if nothing has come.
func (b *boshConn) next() ([]byte, error) {
	for len(b.waiting) == 0 {
		if b.ended != nil {
			return nil, b.ended
		}
		if err := b.post("", nil); err != nil {
			return nil, err
		}
	}
	element := b.waiting[0]
	b.waiting = b.waiting[1:]
	return element, nil
}

func (b *boshConn) open(restart bool) error {
	const namespace = " xmlns:xmpp='urn:xmpp:xbosh'"
	if restart {
		return b.post(" xmpp:restart='true'"+namespace+" to='"+b.cfg.domain+"'", nil)
	}
	return b.post(" to='"+b.cfg.domain+"' ver='1.6' wait='60' hold='1' content='text/xml; charset=utf-8'"+
		" xml:lang='en' xmpp:version='1.0'"+namespace, nil)
}

func (b *boshConn) send(element []byte) error { return b.post("", element) }
func (b *boshConn) sayEnd() error             { return b.post(" type='terminate'", nil) }

func (b *boshConn) setDeadline(d time.Time) {
	b.deadline = d
	if b.conn != nil {
		b.conn.SetDeadline(d)
	}
}

func (b *boshConn) finish(within time.Duration) {
	b.setDeadline(time.Now().Add(within))
	if b.ended == nil {
		b.sayEnd() // the answer is the server's end
	}
	b.abort()
}

func (b *boshConn) abort() {
	if b.conn != nil {
		b.conn.Close()
	}
}
