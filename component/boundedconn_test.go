package component

import (
	"net"
	"testing"
	"time"
)

// deadlineConn records the deadlines that are set.
type deadlineConn struct {
	net.Conn
	read, write time.Time
	latest      time.Time // of the write deadlines
}

func (c *deadlineConn) Write(p []byte) (int, error)       { return len(p), nil }
func (c *deadlineConn) SetReadDeadline(t time.Time) error { c.read = t; return nil }
func (c *deadlineConn) SetWriteDeadline(t time.Time) error {
	c.write = t
	if t.After(c.latest) {
		c.latest = t
	}
	return nil
}

// crypto/tls answers a key update (RFC 8446 §4.6.3) from its reading side and is
// broken for good if a deadline has passed by then.
func TestNoWriteDeadlineStaysBehindAWrite(t *testing.T) {
	conn := &deadlineConn{}
	c := newBoundedConn(conn, time.Second)
	if _, err := c.Write([]byte("x")); err != nil || !conn.write.IsZero() {
		t.Errorf("after a write (%v) the deadline is %v", err, conn.write)
	}
}

// An element that must be written whole takes longer than its parts would.
func TestALongWriteMayTakeLonger(t *testing.T) {
	for _, tc := range []struct {
		bytes int
		want  time.Duration
	}{{1, time.Hour}, {relayBufferBytes, time.Hour}, {relayBufferBytes + 1, 2 * time.Hour}, {10 * relayBufferBytes, 10 * time.Hour}} {
		conn := &deadlineConn{}
		newBoundedConn(conn, time.Hour).Write(make([]byte, tc.bytes))
		if got := time.Until(conn.latest).Round(time.Hour); got != tc.want {
			t.Errorf("%d bytes may take %v, want %v", tc.bytes, got, tc.want)
		}
	}
}

func TestAnInterruptionOutlastsLaterDeadlines(t *testing.T) {
	conn := &deadlineConn{}
	c := newBoundedConn(conn, time.Hour)
	c.interrupt()
	c.Write([]byte("x"))
	c.setReadDeadline(time.Time{})
	if left := time.Until(conn.write); conn.write.IsZero() || left > closeTimeout {
		t.Errorf("writes are bounded by %v", conn.write)
	}
	if conn.read.IsZero() || time.Until(conn.read) > 0 {
		t.Errorf("reads are bounded by %v", conn.read)
	}
}
