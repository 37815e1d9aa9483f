package xmlsplit_test

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"xtokend/internal/xmlsplit"
)

var stanzas = []struct{ name, text string }{
	{"message", `<message xmlns='jabber:client' to='bob@example.org/converse.js-123' from='alice@example.org/a1b2' type='chat' id='5e2c9c0e-5d3e'>` +
		`<body>Shall we meet at four o'clock? The room behind the library is free until six, I looked.</body>` +
		`<active xmlns='http://jabber.org/protocol/chatstates'/><request xmlns='urn:xmpp:receipts'/><origin-id xmlns='urn:xmpp:sid:0' id='5e2c9c0e'/></message>`},
	{"presence", `<presence xmlns='jabber:client' id='p1'><priority>0</priority><c xmlns='http://jabber.org/protocol/caps' hash='sha-1' node='https://conversejs.org' ver='qgKJ3F8wqZ0='/></presence>`},
	{"roster", `<iq type='result' id='r1'><query xmlns='jabber:iq:roster'>` +
		strings.Repeat(`<item jid='somebody.else@example.org' name='Somebody Else' subscription='both'><group>Friends</group></item>`, 50) + `</query></iq>`},
	{"avatar", `<iq type='result' id='v1'><vCard xmlns='vcard-temp'><PHOTO><TYPE>image/png</TYPE><BINVAL>` +
		strings.Repeat("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJ", 200) + `</BINVAL></PHOTO></vCard></iq>`},
}

// BenchmarkScan times the framing of 64 kB of stanzas beside copying the same
// bytes and beside a bare search for each '<', which no framing can beat.
func BenchmarkScan(b *testing.B) {
	for _, stanza := range stanzas {
		input := bytes.Repeat([]byte(stanza.text), 1+65536/len(stanza.text))
		sink := make([]byte, len(input))
		scanWith := func(relay bool) func() {
			s := &xmlsplit.Scanner{Relay: relay, Limits: xmlsplit.Limits{ElementBytes: 262144, Depth: 64}}
			s.StartInside()
			return func() {
				for p := input; len(p) > 0; {
					n, k, err := s.Scan(p)
					if err != nil || k != xmlsplit.Element {
						b.Fatal(k, err)
					}
					p = p[n:]
				}
			}
		}
		search := func() {
			for p := input; ; {
				i := bytes.IndexByte(p, '<')
				if i < 0 {
					return
				}
				p = p[i+1:]
			}
		}
		for _, way := range []struct {
			name string
			run  func()
		}{
			{"relay", scanWith(true)},
			{"strict", scanWith(false)},
		} {
			b.Run(stanza.name+"/"+way.name, func(b *testing.B) {
				b.SetBytes(int64(len(input)))
				b.ReportAllocs()
				var scanned, searched, copied time.Duration
				for b.Loop() {
					t0 := time.Now()
					way.run()
					t1 := time.Now()
					search()
					t2 := time.Now()
					copy(sink, input)
					t3 := time.Now()
					scanned, searched, copied = scanned+t1.Sub(t0), searched+t2.Sub(t1), copied+t3.Sub(t2)
				}
				b.SetBytes(0)
				b.ReportMetric(float64(b.N)*float64(len(input))/1e6/scanned.Seconds(), "MB/s")
				b.ReportMetric(scanned.Seconds()/searched.Seconds(), "x-IndexByte")
				b.ReportMetric(scanned.Seconds()/copied.Seconds(), "x-copy")
			})
		}
	}
}

func BenchmarkReader(b *testing.B) {
	var input bytes.Buffer
	input.WriteString(header)
	for range 200 {
		input.WriteString(stanzas[0].text)
	}
	var in bytes.Reader
	b.SetBytes(int64(input.Len()))
	b.ReportAllocs()
	in.Reset(input.Bytes())
	r := xmlsplit.NewReader(&in, xmlsplit.Limits{ElementBytes: 16384, Depth: 64})
	for b.Loop() {
		in.Reset(input.Bytes())
		r.Reset()
		for range 201 {
			if _, _, err := r.Next(); err != nil {
				b.Fatal(err)
			}
		}
	}
}
