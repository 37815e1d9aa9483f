package web

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"xtokend/internal/xmlsplit"
)

const bodyStart = `<body rid='1' sid='SID' xmlns='http://jabber.org/protocol/httpbind' xmlns:x='urn:x'>`

func readBody(text string) (*boshBody, error) {
	b, err := readBodyTag(strings.NewReader(text))
	if err == nil {
		err = b.readPayload(1000, 2000)
	}
	return b, err
}

func TestReadBody(t *testing.T) {
	long := strings.Repeat("x", 1000-len("<a></a>"))
	for _, tc := range []struct {
		name, text string
		units      []string
		fault      error
	}{
		{"empty", `<body rid='1' sid='SID' xmlns='http://jabber.org/protocol/httpbind'/>`, nil, nil},
		{"empty, with an end", bodyStart + `</body>`, nil, nil},
		{"elements", bodyStart + "<a/> \n<b>1</b></body>", []string{"<a/>", "<b>1</b>"}, nil},
		{"a prefix", bodyStart + "<a><x:b/></a></body>", []string{"<a xmlns:x='urn:x'><x:b/></a>"}, nil},
		{"a comment", bodyStart + "<a/><!---->", nil, xmlsplit.ErrRestricted},
		{"an element that does not end", bodyStart + "<a/><b>", nil, xmlsplit.ErrNotWellFormed},
		{"no end", bodyStart + "<a/>", nil, xmlsplit.ErrNotWellFormed},
		{"another end", bodyStart + "<a/></x:body>", nil, xmlsplit.ErrNotWellFormed},
		{"end tags in the wrong order", bodyStart + "<a></body></a>", nil, xmlsplit.ErrNotWellFormed},
		{"another document", bodyStart + "</body><a/>", nil, xmlsplit.ErrNotWellFormed},
		{"a long element", bodyStart + "<a>" + long + "</a></body>", []string{"<a>" + long + "</a>"}, nil},
		{"a long element with its declarations", bodyStart + "<x:a>" + long[20:] + "</x:a></body>", []string{"<x:a xmlns:x='urn:x'>" + long[20:] + "</x:a>"}, nil},
		{"an element that is too long", bodyStart + "<a>" + long + "x</a></body>", nil, xmlsplit.ErrTooLong},
		{"an element that is too long with its declarations", bodyStart + "<x:a>" + long[10:] + "</x:a></body>", nil, xmlsplit.ErrTooLong},
		{"many elements", bodyStart + strings.Repeat("<a/>", 29) + "</body>", slices.Repeat([]string{"<a/>"}, 29), nil},
		{"too many elements", bodyStart + strings.Repeat("<a/>", 30) + "</body>", nil, xmlsplit.ErrTooLong},
	} {
		t.Run(tc.name, func(t *testing.T) {
			for name, r := range map[string]io.Reader{
				"at once": strings.NewReader(tc.text), "byte by byte": iotest.OneByteReader(strings.NewReader(tc.text)),
				"with the end": iotest.DataErrReader(strings.NewReader(tc.text)),
			} {
				b, err := readBodyTag(r)
				if err == nil {
					err = b.readPayload(1000, 2000)
				}
				var units []string
				for _, u := range b.Units {
					units = append(units, string(u))
				}
				if err != nil || b.Fault != tc.fault || !slices.Equal(units, tc.units) || b.SID != "SID" || b.RID != 1 {
					t.Errorf("%s: got %+v, %q, %v", name, b.Request, units, err)
				}
			}
		})
	}
}

// What is read is bounded, whatever is sent.
func TestReadBodyIsBounded(t *testing.T) {
	for name, text := range map[string]string{
		"elements":    bodyStart + strings.Repeat("<a/>", 100_000) + "</body>",
		"white space": bodyStart + strings.Repeat(" ", 100_000) + "</body>",
	} {
		r := strings.NewReader(text)
		b, err := readBodyTag(r)
		must(t, err)
		must(t, b.readPayload(1000, 2000))
		if read := len(text) - r.Len(); b.Fault != xmlsplit.ErrTooLong || read > bodyTagBytes+2001 {
			t.Errorf("%s: %d bytes were read, %v", name, read, b.Fault)
		}
	}
	r := strings.NewReader("<body " + strings.Repeat(" ", 100_000))
	if _, err := readBodyTag(r); err != xmlsplit.ErrTooLong || 100_006-r.Len() > bodyTagBytes+1 {
		t.Errorf("%d bytes are left, %v", r.Len(), err)
	}
}

// Declarations that every element gets a copy of do not make a request larger
// than it may be.
func TestReadBodyBoundsWhatDeclarationsAdd(t *testing.T) {
	for _, tc := range []struct{ name, tag, element, end string }{
		{"a default namespace", "<b:body rid='1' xmlns:b='http://jabber.org/protocol/httpbind' xmlns='$'>", "<a/>", "</b:body>"},
		{"a prefix", "<body rid='1' xmlns='http://jabber.org/protocol/httpbind' xmlns:a='$'>", "<a:a/>", "</body>"},
	} {
		for _, size := range []struct {
			quotes, elements int
			fault            error
		}{{1000, 3, nil}, {1000, 4, xmlsplit.ErrTooLong}, {3400, 1, xmlsplit.ErrTooLong}, {3700, 2600, xmlsplit.ErrTooLong}} {
			text := strings.Replace(tc.tag, "$", strings.Repeat(`"`, size.quotes), 1) + strings.Repeat(tc.element, size.elements) + tc.end
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			b, err := readBodyTag(strings.NewReader(text))
			must(t, err)
			must(t, b.readPayload(16384, 16384))
			runtime.ReadMemStats(&after)
			if b.Fault != size.fault || size.fault == nil && len(b.Units) != size.elements {
				t.Errorf("%s: %d elements: %d were kept, %v", tc.name, size.elements, len(b.Units), b.Fault)
			}
			if got := after.TotalAlloc - before.TotalAlloc; got > 1<<20 {
				t.Errorf("%s: %d bytes were allocated for a request of %d", tc.name, got, len(text))
			}
		}
	}
}

// A body has more time the more of it has come.
func TestPacedReader(t *testing.T) {
	begin := time.Unix(1700000000, 0)
	var deadlines []time.Duration
	r := &pacedReader{strings.NewReader(strings.Repeat("x", 3*bodyRate)), begin, func(d time.Time) error {
		deadlines = append(deadlines, d.Sub(begin))
		return nil
	}}
	for _, n := range []int{bodyRate, bodyRate / 2, 2 * bodyRate, 1} {
		io.ReadFull(r, make([]byte, n))
	}
	want := []time.Duration{0, time.Second, 1500 * time.Millisecond, 3 * time.Second, 3 * time.Second}
	if !slices.Equal(deadlines, want) {
		t.Errorf("deadlines are %v, want %v", deadlines, want)
	}
}

// A connection that breaks is no fault of the client's: it will send its request
// again.
func TestReadBodyTellsBrokenConnections(t *testing.T) {
	broken := errors.New("connection reset")
	for _, text := range []string{"", "<body", bodyStart, bodyStart + "<a>", bodyStart + "<a/>", bodyStart + "</body>"} {
		b, err := readBodyTag(io.MultiReader(strings.NewReader(text), iotest.ErrReader(broken)))
		if err == nil {
			err = b.readPayload(1000, 2000)
		}
		if err != broken || breaksSyntax(err) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// FuzzBOSHBody: what is accepted is what encoding/xml reads in the body, element
// by element, and nothing else of it.
func FuzzBOSHBody(f *testing.F) {
	for _, text := range []string{
		`<body rid='1' xmlns='http://jabber.org/protocol/httpbind'/>`, bodyStart + "<a><x:b y='1' x:y='2'/></a> <b/></body>",
		bodyStart + "<a xmlns='urn:y'>&lt;<![CDATA[<]]></a></body >", `<b:body rid='7' xmlns:b='http://jabber.org/protocol/httpbind'><b:a/></b:body>`,
		`<b:body rid='1' xmlns:b='http://jabber.org/protocol/httpbind'><A/><a xmlns=''/></b:body>`,
		`<?xml version='1.0'?><body rid='1' to='example.org' xmlns='http://jabber.org/protocol/httpbind' xmpp:version='1.0' xmlns:xmpp='urn:xmpp:xbosh'/>`,
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		b, err := readBody(text)
		if err != nil {
			if !breaksSyntax(err) {
				t.Fatalf("an error that is not the client's: %v", err)
			}
			return
		}
		whole := xmlTokens(text)
		if b.Fault != nil || whole == nil {
			return // end tags are compared where elements are parsed
		}
		got := xmlTokens("<w xmlns='jabber:client'>" + string(bytes.Join(b.Units, nil)) + "</w>")
		if len(whole) < 2 || len(got) < 2 || !slices.Equal(got[1:len(got)-1], whole[1:len(whole)-1]) {
			t.Fatalf("got %q, want %q", got, whole)
		}
		for _, u := range b.Units {
			s := xmlsplit.Scanner{}
			s.StartInside()
			if n, kind, err := s.Scan(u); n != len(u) || kind != xmlsplit.Element || err != nil {
				t.Fatalf("%q is no element: %v", u, err)
			}
		}
	})
}

// xmlTokens is what encoding/xml reads, space between elements aside, nil if it
// refuses the document. For this comparison the namespaces of BOSH and of
// stanzas are one (XEP-0206 §2).
func xmlTokens(document string) (out []string) {
	d := xml.NewDecoder(strings.NewReader(document))
	d.DefaultSpace = nsClient // whoever declares none means that of stanzas
	depth := 0
	for {
		token, err := d.Token()
		if err == io.EOF {
			return out
		}
		if err != nil {
			return nil
		}
		switch token := token.(type) {
		case xml.StartElement:
			depth++
			line := "<" + strings.Replace(token.Name.Space, nsHTTPBind, nsClient, 1) + " " + token.Name.Local
			for _, a := range token.Attr {
				if a.Name.Space != "xmlns" && a.Name.Local != "xmlns" {
					line += " " + strings.Replace(a.Name.Space, nsHTTPBind, nsClient, 1) + " " + a.Name.Local + "=" + a.Value
				}
			}
			out = append(out, line)
		case xml.EndElement:
			depth--
			out = append(out, ">")
		case xml.CharData:
			if depth > 1 {
				out = append(out, string(token))
			}
		}
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
