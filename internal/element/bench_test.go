package element_test

import (
	"testing"

	"xtokend/internal/element"
)

const (
	clientHeader = `<?xml version='1.0'?><stream:stream to='example.org' version='1.0' xml:lang='en' xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>`
	auth         = `<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='X-TOKEN'>AGFsaWNlADg1MjQ5MTcxMzE0MTU5MjY1MzU4OTc5MzIzODQ2MjY0MzM4MzI3OTUgRzlSUHdqVDZITWpaTjNmdzhxbmhBUHZLM0ZwZnhnK0Q2RXV4S1J1Umk3dz0=</auth>`
	message      = `<message to='bob@example.org/converse.js-123' type='chat' id='5e2c9c0e-5d3e'><body>Shall we meet at four o'clock? The room behind the library is free.</body>` +
		`<active xmlns='http://jabber.org/protocol/chatstates'/><request xmlns='urn:xmpp:receipts'/><origin-id xmlns='urn:xmpp:sid:0' id='5e2c9c0e'/></message>`
	// features is what a Prosody with many modules says after authentication.
	features = `<stream:features><starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><required/></bind>` +
		`<session xmlns='urn:ietf:params:xml:ns:xmpp-session'><optional/></session><ver xmlns='urn:xmpp:features:rosterver'/>` +
		`<sub xmlns='urn:xmpp:features:pre-approval'/><sm xmlns='urn:xmpp:sm:2'><optional/></sm><sm xmlns='urn:xmpp:sm:3'><optional/></sm>` +
		`<csi xmlns='urn:xmpp:csi:0'/><register xmlns='http://jabber.org/features/iq-register'/>` +
		`<c xmlns='http://jabber.org/protocol/caps' hash='sha-1' node='http://prosody.im' ver='q07IKJEyjvHSyhy//CH0CxmKi8w='/>` +
		`<mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><mechanism>SCRAM-SHA-256-PLUS</mechanism><mechanism>SCRAM-SHA-256</mechanism>` +
		`<mechanism>SCRAM-SHA-1-PLUS</mechanism><mechanism>SCRAM-SHA-1</mechanism><mechanism>OAUTHBEARER</mechanism><mechanism>PLAIN</mechanism></mechanisms>` +
		`<sasl-channel-binding xmlns='urn:xmpp:sasl-cb:0'><channel-binding type='tls-exporter'/><channel-binding type='tls-server-end-point'/></sasl-channel-binding>` +
		`<authentication xmlns='urn:xmpp:sasl:2'><mechanism>SCRAM-SHA-256-PLUS</mechanism><mechanism>SCRAM-SHA-256</mechanism><mechanism>PLAIN</mechanism>` +
		`<inline><sm xmlns='urn:xmpp:sm:3'/><bind xmlns='urn:xmpp:bind:0'><inline><feature var='urn:xmpp:carbons:2'/><feature var='urn:xmpp:csi:0'/><feature var='urn:xmpp:sm:3'/></inline></bind>` +
		`<fast xmlns='urn:xmpp:fast:0'><mechanism>HT-SHA-256-EXPR</mechanism><mechanism>HT-SHA-256-NONE</mechanism></fast></inline></authentication>` +
		`<limits xmlns='urn:xmpp:stream-limits:0'><max-bytes>262144</max-bytes><idle-seconds>840</idle-seconds></limits></stream:features>`
)

func BenchmarkParseHeader(b *testing.B) {
	unit := []byte(clientHeader)
	b.SetBytes(int64(len(unit)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := element.ParseHeader(unit); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkParse(b *testing.B) {
	for _, bc := range []struct{ name, unit string }{{"auth", auth}, {"message", message}, {"features", features}} {
		unit := []byte(bc.unit)
		b.Run(bc.name, func(b *testing.B) {
			b.SetBytes(int64(len(unit)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := element.Parse(unit, stream); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
