package stockservertest

import (
	"net"
	"strings"
	"testing"

	"xtokend/internal/stockserver"
)

// Features opens a stream on c and returns the server's answer up to its features.
func Features(t testing.TB, c net.Conn, domain string) string {
	t.Helper()
	header := "<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' version='1.0' to='" + domain + "'>"
	if _, err := c.Write([]byte(header)); err != nil {
		t.Fatal(err)
	}
	var got strings.Builder
	buf := make([]byte, 4096)
	for !strings.Contains(got.String(), "</stream:features>") {
		n, err := c.Read(buf)
		got.Write(buf[:n])
		if err != nil {
			t.Fatalf("%v after %q", err, got.String())
		}
	}
	return got.String()
}

// PlainFeatures does so at the server's client port, behind preamble.
func PlainFeatures(t testing.TB, s *stockserver.Server, preamble string) string {
	t.Helper()
	c, err := net.Dial("tcp", s.C2S)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Write([]byte(preamble)); err != nil {
		t.Fatal(err)
	}
	return Features(t, c, s.Domain)
}
