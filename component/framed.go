package component

import (
	"net"
	"net/netip"
)

// Conn is a client's connection whose framing is not the front's own, such as
// WebSocket or BOSH, in plain stream form: what a TCP connection would carry.
type Conn interface {
	// Until Authenticated a Read returns bytes of one unit at most: a stream
	// header, a first-level element or a stream end. Where the client breaks a
	// rule of its framing or its XML, the error is one of package xmlsplit's;
	// where it has gone without a stream end, io.EOF. A Write is of whole units,
	// which must not be kept. Deadlines work as on any net.Conn; Close may be
	// called from any goroutine.
	net.Conn
	// CloseWrite says that nothing will be written any more. It waits for the
	// client's own end, within the deadlines and a bound of its own.
	CloseWrite() error
	// Authenticated says that the client has logged in and begins a new stream,
	// in which an element may have as many bytes as given; 16384 until then. It
	// is called between two Reads, once at most.
	Authenticated(elementBytes int)
}

// Client is what is known of the client at the other end of a Conn.
type Client struct {
	Address   netip.Addr // its own, not a proxy's; the zero address if unknown
	Transport string     // for the log
	Secure    bool       // encrypted all the way from the client
	Loopback  bool       // no other machine is involved
}

// ServeStream takes over a client's connection and serves it as Serve does, in
// goroutines of its own. After Shutdown it closes the connection.
func (f *Front) ServeStream(conn Conn, c Client) {
	settings := f.settings.Load()
	f.start(newFramedTransport(conn, c, settings.limits), settings)
}
