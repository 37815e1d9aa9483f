package link

import (
	"bytes"
	"encoding/xml"
	"net"

	"mellium.im/xmpp/stream"

	"xtokend/internal/xmlsplit"
)

const (
	// maxElementBytes leaves room for a list of some 50,000 accounts; Prosody
	// passes stanzas of up to 512 kB to components.
	// How deep elements are nested has no bound of its own: users of any server send
	// stanzas here, and one of them must not end the connection.
	maxElementBytes = 4 << 20

	readBytes = 16384 // at once
)

// limited bounds what is read from a server: the size of each element, and no
// restricted XML. mellium's decoder knows no such bounds. It also takes an element
// of the stream's namespace, wherever it stands, for one of the stream: stanzas
// that have one inside are left out, lest their senders end the connection.
type limited struct {
	net.Conn
	scanner xmlsplit.Scanner
	buf     []byte
	begun   []byte // of a unit
	ready   []byte // whole units, to be read
	err     error  // why nothing more can be read
}

func limit(conn net.Conn) *limited {
	return &limited{Conn: conn, buf: make([]byte, readBytes), scanner: xmlsplit.Scanner{Limits: xmlsplit.Limits{ElementBytes: maxElementBytes}}}
}

// Read implements net.Conn. It gives no byte of a unit that breaks a bound.
func (l *limited) Read(p []byte) (int, error) {
	for len(l.ready) == 0 {
		if l.err != nil {
			return 0, l.err
		}
		n, err := l.Conn.Read(l.buf)
		l.err = err
		if err := l.split(l.buf[:n]); err != nil {
			l.err = err
		}
	}
	n := copy(p, l.ready)
	if l.ready = l.ready[n:]; len(l.ready) == 0 {
		l.ready = nil
	}
	return n, nil
}

func (l *limited) split(b []byte) error {
	for len(b) > 0 {
		n, kind, err := l.scanner.Scan(b)
		if err != nil {
			return err
		}
		l.begun, b = append(l.begun, b[:n]...), b[n:]
		if kind == xmlsplit.None {
			continue
		}
		if kind != xmlsplit.Element || !hasStreamInside(l.begun) {
			l.ready = append(l.ready, l.begun...)
		}
		l.begun = nil
		if kind == xmlsplit.End {
			return nil // nothing behind the stream's end is looked at
		}
	}
	return nil
}

// hasStreamInside reports whether a top-level element has another inside that is of
// the stream's namespace, by its name or by the prefix of the stream's header. What
// is not well-formed is left to the session.
func hasStreamInside(unit []byte) bool {
	d := xml.NewDecoder(bytes.NewReader(unit))
	for depth := 0; ; {
		t, err := d.Token()
		if err != nil {
			return false
		}
		switch t := t.(type) {
		case xml.StartElement:
			if depth > 0 && (t.Name.Space == stream.NS || t.Name.Space == "stream") {
				return true
			}
			depth++
		case xml.EndElement:
			depth--
		}
	}
}
