package link

import (
	"net"

	"xtokend/internal/xmlsplit"
)

const (
	// maxElementBytes leaves room for a list of some 50,000 accounts; Prosody
	// passes stanzas of up to 512 kB to components.
	// How deep elements are nested has no bound of its own: users of any server send
	// stanzas here, and one of them must not end the connection.
	maxElementBytes = 4 << 20
)

// limited bounds what is read from a server: the size of each element, and no
// restricted XML. mellium's decoder knows no such bounds.
type limited struct {
	net.Conn
	scanner xmlsplit.Scanner
	err     error // why nothing more can be read
}

func limit(conn net.Conn) *limited {
	return &limited{Conn: conn, scanner: xmlsplit.Scanner{Limits: xmlsplit.Limits{ElementBytes: maxElementBytes}}}
}

// Read gives no byte of a read that breaks a bound.
func (l *limited) Read(p []byte) (int, error) {
	if l.err != nil {
		return 0, l.err
	}
	n, err := l.Conn.Read(p)
	for rest := p[:n]; len(rest) > 0; {
		consumed, kind, scanErr := l.scanner.Scan(rest)
		if scanErr != nil {
			l.err = scanErr
			return 0, scanErr
		}
		if kind == xmlsplit.End {
			break // nothing behind the stream's end is looked at
		}
		rest = rest[consumed:]
	}
	l.err = err
	return n, err
}
