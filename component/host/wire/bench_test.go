package wire_test

import (
	"testing"

	"xtokend/component/host/wire"
	"xtokend/internal/element"
)

const chat = `<message to='bob@example.org/converse.js-123' type='chat' id='5e2c9c0e-5d3e'><body>Shall we meet at four o'clock? The room behind the library is free.</body>` +
	`<active xmlns='http://jabber.org/protocol/chatstates'/><request xmlns='urn:xmpp:receipts'/><origin-id xmlns='urn:xmpp:sid:0' id='5e2c9c0e'/></message>`

// BenchmarkParse takes a message as it comes over TCP, and over WebSocket, where
// each says its namespace (RFC 7395 §3.3.3).
func BenchmarkParse(b *testing.B) {
	h, err := element.ParseHeader([]byte(streamHeader))
	if err != nil {
		b.Fatal(err)
	}
	for _, bc := range []struct{ name, unit string }{
		{"tcp", chat},
		{"websocket", "<message xmlns='jabber:client'" + chat[len("<message"):]},
	} {
		unit := []byte(bc.unit)
		b.Run(bc.name, func(b *testing.B) {
			b.SetBytes(int64(len(unit)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := wire.Parse(unit, h, alice); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
