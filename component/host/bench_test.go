package host_test

import (
	"testing"

	"mellium.im/xmpp/jid"

	"xtokend/component/host"
)

// BenchmarkLogin is a stream from its opening to its end, with a resource bound.
func BenchmarkLogin(b *testing.B) {
	h, err := host.New(host.Config{Domain: domain})
	if err != nil {
		b.Fatal(err)
	}
	defer h.Close()
	user := jid.MustParse("alice@example.org")
	buf := make([]byte, 16384)
	b.ReportAllocs()
	for b.Loop() {
		c, err := h.Open(b.Context(), user)
		if err != nil {
			b.Fatal(err)
		}
		for _, says := range []string{header, "<iq type='set' id='1'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>", "</stream:stream>"} {
			c.Write([]byte(says))
			c.Read(buf)
		}
		c.Close()
	}
}

// BenchmarkMessage is a message from one session to another.
func BenchmarkMessage(b *testing.B) {
	h, err := host.New(host.Config{Domain: domain})
	if err != nil {
		b.Fatal(err)
	}
	defer h.Close()
	alice, bob := online(b, h, "alice/a"), online(b, h, "bob/b")
	unit := []byte("<message to='bob@example.org/b' type='chat' id='1'><body>a message of usual length, as people write them</body></message>")
	buf := make([]byte, 16384)
	b.ReportAllocs()
	for b.Loop() {
		alice.conn.Write(unit)
		bob.conn.Read(buf)
	}
}
