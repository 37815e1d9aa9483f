package proxyheader

import (
	"errors"
	"io"
	"net"
	"net/netip"
)

// firstBytes is read first: it holds any header without a client's certificate,
// and most of what clients begin with.
const firstBytes = 512

// Conn is a connection whose peer may send a header ahead of everything else.
// Addresses are the peer's own, whatever a header says. Deadlines are those of
// the connection beneath, also while the header is read. Header and Read are for
// one goroutine at a time.
type Conn struct {
	net.Conn
	broken func(peer net.Addr, err error)

	known  bool // header and err are
	header *Header
	err    error
	rest   []byte // that was read behind the header
}

// NewConn returns conn with nothing read. If what its peer sends is a broken
// header, broken is called once, by whoever reads it.
func NewConn(conn net.Conn, broken func(peer net.Addr, err error)) *Conn {
	return &Conn{Conn: conn, broken: broken}
}

// Header reads the header if that has not been done, and returns it: nil if the
// peer has sent none. An error is an ErrBroken, or that of reading, and stays.
func (c *Conn) Header() (*Header, error) {
	if !c.known {
		c.header, c.err = c.read()
		c.known = true
		if errors.Is(c.err, ErrBroken) {
			c.broken(c.RemoteAddr(), c.err)
		}
	}
	return c.header, c.err
}

func (c *Conn) read() (*Header, error) {
	b := make([]byte, 0, firstBytes)
	for {
		n, err := c.Conn.Read(b[len(b):cap(b)])
		b = b[:len(b)+n]
		whole, faulty := size(b)
		switch {
		case faulty != nil:
			return nil, faulty
		case whole == 0:
			c.rest = b
			return nil, nil // an error of reading comes again
		case whole <= len(b):
			c.rest = b[whole:]
			return parse(b[:whole])
		case err == io.EOF && begun(b):
			return nil, errors.Join(ErrBroken, io.ErrUnexpectedEOF)
		case err != nil:
			return nil, err
		}
		if whole > cap(b) {
			b = append(make([]byte, 0, whole), b...)
		}
	}
}

// Read implements net.Conn with what follows the header.
func (c *Conn) Read(p []byte) (int, error) {
	if _, err := c.Header(); err != nil {
		return 0, err
	}
	if len(c.rest) == 0 {
		return c.Conn.Read(p)
	}
	n := copy(p, c.rest)
	if c.rest = c.rest[n:]; len(c.rest) == 0 {
		c.rest = nil
	}
	return n, nil
}

// Past says whether nothing is left but what the connection beneath reads.
func (c *Conn) Past() bool { return c.known && c.err == nil && len(c.rest) == 0 }

// NetConn is the connection beneath.
func (c *Conn) NetConn() net.Conn { return c.Conn }

// CloseWrite closes the writing side, if the connection beneath can.
func (c *Conn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return errors.ErrUnsupported
}

// From returns conn as a Conn if its peer is one of trusted, else as it is.
func From(conn net.Conn, trusted []netip.Prefix, broken func(peer net.Addr, err error)) net.Conn {
	tcp, ok := conn.RemoteAddr().(*net.TCPAddr)
	if !ok {
		return conn
	}
	peer := tcp.AddrPort().Addr().Unmap().WithZone("")
	for _, prefix := range trusted {
		if prefix.Contains(peer) {
			return NewConn(conn, broken)
		}
	}
	return conn
}
