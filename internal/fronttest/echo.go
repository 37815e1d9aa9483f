// Package fronttest has what tests of a front need on its other side.
package fronttest

import (
	"context"
	"net"
	"slices"
	"sync"

	"mellium.im/xmpp/jid"

	"xtokend/internal/xmlsplit"
)

// Echo is an upstream that answers the stream header as servers do and sends
// every element back. The zero value is ready; it may be used by several
// goroutines.
type Echo struct {
	// Features is what stands inside <stream:features/>; a server's usual ones if
	// empty.
	Features string

	mu     sync.Mutex
	opened []string
	conns  []net.Conn // our ends
	heard  []string
	ends   []error
	served sync.WaitGroup
}

const defaultFeatures = `<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>` +
	`<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><required/></bind>` +
	`<register xmlns='http://jabber.org/features/iq-register'/>` +
	`<sm xmlns='urn:xmpp:sm:3'><optional/></sm>`

// Open implements upstream.Upstream.
func (e *Echo) Open(ctx context.Context, user jid.JID) (net.Conn, error) {
	near, far, err := SocketPair(ctx)
	if err != nil {
		return nil, err
	}
	e.mu.Lock()
	e.opened = append(e.opened, user.String())
	e.conns = append(e.conns, far)
	e.mu.Unlock()
	e.served.Go(func() { e.serve(far) })
	return near, nil
}

// SocketPair is a TCP connection over loopback, both ends.
func SocketPair(ctx context.Context) (near, far net.Conn, err error) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return nil, nil, err
	}
	defer l.Close()
	if near, err = new(net.Dialer).DialContext(ctx, "tcp4", l.Addr().String()); err != nil {
		return nil, nil, err
	}
	if far, err = l.Accept(); err != nil {
		near.Close()
	}
	return near, far, err
}

func (e *Echo) serve(conn net.Conn) {
	defer conn.Close()
	r := xmlsplit.NewReader(conn, xmlsplit.Limits{ElementBytes: 1 << 24, Depth: 1 << 10})
	for {
		kind, unit, err := r.Next()
		e.mu.Lock()
		if err != nil || kind == xmlsplit.End {
			e.ends = append(e.ends, err)
		} else {
			e.heard = append(e.heard, string(unit))
		}
		e.mu.Unlock()
		answer := string(unit)
		switch {
		case err != nil:
			return
		case kind == xmlsplit.End:
			conn.Write([]byte("</stream:stream>"))
			return
		case kind == xmlsplit.Header:
			features := e.Features
			if features == "" {
				features = defaultFeatures
			}
			answer = `<?xml version='1.0'?><stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'` +
				` from='example.org' id='upstream' version='1.0' xmlns:x='urn:x'><stream:features>` + features + `</stream:features>`
		}
		if _, err := conn.Write([]byte(answer)); err != nil {
			return
		}
	}
}

// Last is our end of the newest connection.
func (e *Echo) Last() net.Conn {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.conns[len(e.conns)-1]
}

// Opened are the users whose streams were opened, as bare JIDs.
func (e *Echo) Opened() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.opened)
}

// Heard are the headers and elements that have come.
func (e *Echo) Heard() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.heard)
}

// Ends waits until all streams have ended and says how each did: nil for a
// stream end.
func (e *Echo) Ends() []error {
	e.served.Wait()
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.ends)
}
