package web

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"time"

	"xtokend/internal/bosh"
	"xtokend/internal/element"
	"xtokend/internal/framing"
	"xtokend/internal/xmlsplit"
)

const (
	nsHTTPBind = "http://jabber.org/protocol/httpbind" // XEP-0124 §6
	nsClient   = "jabber:client"
	// bodyTagBytes bounds the start tag of a <body/>, the XML declaration before
	// it included.
	bodyTagBytes = 4096
	// bodyReadBytes is read at once at least.
	bodyReadBytes = 2048
	// bodyRate is how many bytes a second bring a request's body further time.
	bodyRate = 4096
)

// pacedReader reads a body that may take longer the more of it has arrived.
type pacedReader struct {
	io.Reader
	deadline    time.Time // of the next read
	setDeadline func(time.Time) error
}

func (p *pacedReader) Read(b []byte) (int, error) {
	p.setDeadline(p.deadline)
	n, err := p.Reader.Read(b)
	p.deadline = p.deadline.Add(time.Duration(n) * time.Second / bodyRate)
	return n, err
}

// bodyReader reads one <body/> of a client, as much of it as is allowed.
type bodyReader struct {
	r       io.Reader
	scanner xmlsplit.Scanner
	buf     []byte
	scanned int  // bytes of buf
	eof     bool // r has ended
}

func newBodyReader(r io.Reader) *bodyReader {
	return &bodyReader{r: r, scanner: xmlsplit.Scanner{Limits: xmlsplit.Limits{ElementBytes: bodyTagBytes}}}
}

// next returns the next unit and its kind; at the end of the document that is
// None. It reads no more than most bytes from the document's beginning on; what
// is longer is ErrTooLong.
func (b *bodyReader) next(most int) (xmlsplit.Kind, []byte, error) {
	begin := b.scanned
	for {
		for b.scanned < len(b.buf) {
			n, kind, err := b.scanner.Scan(b.buf[b.scanned:])
			b.scanned += n
			switch {
			case err != nil:
				return xmlsplit.None, nil, err
			case kind == xmlsplit.Space:
				begin = b.scanned
			case kind != xmlsplit.None:
				return kind, b.buf[begin:b.scanned], nil
			}
		}
		if b.eof {
			if begin != b.scanned {
				return xmlsplit.None, nil, xmlsplit.ErrNotWellFormed
			}
			return xmlsplit.None, nil, nil
		}
		if err := b.fill(most); err != nil {
			return xmlsplit.None, nil, err
		}
	}
}

// fill reads more. Units that were returned stay as they are.
func (b *bodyReader) fill(most int) error {
	room := min(max(len(b.buf), bodyReadBytes), most+1-len(b.buf))
	if room <= 0 {
		return xmlsplit.ErrTooLong
	}
	b.buf = append(make([]byte, 0, len(b.buf)+room), b.buf...)
	for len(b.buf) < cap(b.buf) && !b.eof {
		n, err := b.r.Read(b.buf[len(b.buf):cap(b.buf)])
		b.buf = b.buf[:len(b.buf)+n]
		if err != nil && err != io.EOF {
			return err
		}
		b.eof = err == io.EOF
	}
	return nil
}

// boshBody is a <body/> whose start tag was read.
type boshBody struct {
	bosh.Request
	stream streamAttributes
	reader *bodyReader
	scope  element.Header // declarations that hold in the payload
	name   string         // of the root, as written
	empty  bool           // it ends where it begins
}

// readBodyTag reads the start tag. Beside an error it returns what could be
// understood: the SID, maybe.
func readBodyTag(r io.Reader) (*boshBody, error) {
	b := &boshBody{reader: newBodyReader(r)}
	kind, unit, err := b.reader.next(bodyTagBytes)
	if err != nil {
		return b, err
	}
	if kind != xmlsplit.Header {
		return b, xmlsplit.ErrNotWellFormed
	}
	if b.scope, err = element.ParseHeader(unit); err != nil {
		return b, err
	}
	tag := unit[bytes.LastIndexByte(unit, '<'):] // no value may have one
	b.name = qualifiedName(tag)
	if b.empty = bytes.HasSuffix(tag, []byte("/>")); !b.empty {
		tag = append(bytes.Clone(tag[:len(tag)-1]), "/>"...)
	}
	root, err := element.Parse(tag, element.Header{})
	if err != nil {
		return b, err
	}
	if root.Name.Space != nsHTTPBind || root.Name.Local != "body" {
		return b, fmt.Errorf("%w: the root is no body", bosh.ErrBadRequest)
	}
	// Who declares nothing for stanzas means jabber:client (XEP-0206 §2), which
	// is what holds in a stream.
	if ns := b.scope.ContentNS; ns == nsHTTPBind || ns == nsClient {
		b.scope.ContentNS = ""
	}
	b.Request, err = bosh.ParseRequest(root.Attr)
	b.stream = streamAttributes{b.To, b.From, b.XMPPVersion, b.Lang}
	return b, err
}

// readPayload reads the elements, each of elementBytes at most, in a document of
// most bytes beside the start tag. They can stand in a stream afterwards, and the
// same limits hold for what they have become by then, where several count
// bosh.UnitOverhead each. A rule of XML that is broken is the request's Fault, and
// then it has no elements; an error is one of reading.
func (b *boshBody) readPayload(elementBytes, most int) error {
	b.reader.scanner.Limits.ElementBytes = elementBytes
	err := b.readElements(elementBytes, most)
	if isXMLFault(err) {
		b.Units, b.Fault = nil, err
		return nil
	}
	return err
}

func (b *boshBody) readElements(elementBytes, most int) error {
	var element []byte
	size := 0
	for ended := b.empty; ; {
		kind, unit, err := b.reader.next(most + bodyTagBytes)
		switch {
		case err != nil:
			return err
		case kind == xmlsplit.None && ended:
			return nil
		case kind == xmlsplit.Element:
			// Each gets a copy of the declarations, which are long if the client
			// wants to make us keep more than it has sent.
			element = framing.Qualify(element[:0], unit, b.scope)
			size += len(element) + bosh.UnitOverhead
			if len(element) > elementBytes || len(b.Units) > 0 && size > most {
				return xmlsplit.ErrTooLong
			}
			b.Units = append(b.Units, bytes.Clone(element))
		case kind == xmlsplit.End && qualifiedName(unit[1:]) == b.name:
			ended = true
		default:
			return xmlsplit.ErrNotWellFormed
		}
	}
}

// breaksSyntax says whether an error is the client's, and not the connection's.
func breaksSyntax(err error) bool {
	return isXMLFault(err) || errors.Is(err, bosh.ErrBadRequest) ||
		errors.Is(err, element.ErrNotWellFormed) || errors.Is(err, element.ErrUnsupportedEncoding)
}

func isXMLFault(err error) bool {
	switch err {
	case xmlsplit.ErrRestricted, xmlsplit.ErrNotWellFormed, xmlsplit.ErrTooLong, xmlsplit.ErrTooDeep:
		return true
	}
	return false
}

// qualifiedName is the name in a tag, as written.
func qualifiedName(tag []byte) string {
	tag = tag[1:]
	if i := bytes.IndexAny(tag, " \t\r\n/>"); i >= 0 {
		tag = tag[:i]
	}
	return string(tag)
}

// streamAttributes are what a <body/> says of the stream that it begins.
type streamAttributes struct{ to, from, version, lang string }

// orElse takes from o what a restart has left out.
func (a streamAttributes) orElse(o streamAttributes) streamAttributes {
	return streamAttributes{cmp.Or(a.to, o.to), cmp.Or(a.from, o.from), o.version, cmp.Or(a.lang, o.lang)}
}

func (a streamAttributes) header() []byte {
	b := []byte("<?xml version='1.0'?><stream:stream xmlns='" + nsClient + "' xmlns:stream='" + nsStream + "'")
	b = appendAttribute(b, "to", a.to)
	if a.from != "" {
		b = appendAttribute(b, "from", a.from)
	}
	b = appendAttribute(b, "version", a.version)
	if a.lang != "" {
		b = appendAttribute(b, "xml:lang", a.lang)
	}
	return append(b, '>')
}
