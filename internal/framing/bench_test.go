package framing_test

import (
	"testing"

	"xtokend/internal/framing"
)

const message = `<message to='bob@example.org/converse.js-123' type='chat' id='5e2c9c0e-5d3e'><body>Shall we meet at four o'clock? The room behind the library is free.</body>` +
	`<active xmlns='http://jabber.org/protocol/chatstates'/><request xmlns='urn:xmpp:receipts'/><origin-id xmlns='urn:xmpp:sid:0' id='5e2c9c0e'/></message>`

func BenchmarkQualify(b *testing.B) {
	h, unit := parsed(b), []byte(message)
	var dst []byte
	b.SetBytes(int64(len(unit)))
	b.ReportAllocs()
	for b.Loop() {
		dst = framing.Qualify(dst[:0], unit, h)
	}
}
