package xmlsplit

import "io"

// firstBufferBytes holds the header and SASL elements of usual clients, so that
// most logins never grow the buffer.
const firstBufferBytes = 1024

// maxEmptyReads is how many times in a row a Read may return nothing and no
// error before it is taken for broken.
const maxEmptyReads = 100

// Reader returns the units of a stream one at a time. It reads only when it
// holds no whole unit, once, and never waits for more than a unit needs. It is
// not safe for use by several goroutines at once.
type Reader struct {
	r   io.Reader
	sc  Scanner
	err error // of a Read that also gave bytes, kept until they are used

	buf   []byte
	start int // first byte of the unit
	next  int // first byte not scanned yet
	end   int // behind the last byte read

	root    string // the root's name as written, once its header was returned
	atClose bool   // a self-closed root was returned, its End was not
}

// NewReader returns a Reader of the stream that r begins with, from its header
// on. XML that RFC 6120 §11.1 restricts is refused.
func NewReader(r io.Reader, l Limits) *Reader {
	return &Reader{r: r, sc: Scanner{Limits: l}}
}

// Next returns the next unit and its kind: Header, Element or End. Whitespace
// between units is dropped. The unit is valid until the next call of a method
// other than Buffered. A self-closed root is a Header, then an End without
// bytes.
//
// The errors are those of this package, io.EOF where the input ends between
// units, io.ErrUnexpectedEOF where it ends inside one, and whatever else the
// underlying Read returns (such as a deadline that has passed, after which Next
// may be called again: what was read is kept).
func (r *Reader) Next() (Kind, []byte, error) {
	if r.atClose {
		r.atClose = false
		return End, nil, nil
	}
	if r.sc.AtBoundary() { // else the call before ended inside a unit
		r.start = r.next
	}
	for {
		for r.next < r.end {
			n, k, err := r.sc.Scan(r.buf[r.next:r.end])
			r.next += n
			if err != nil {
				return None, nil, err
			}
			switch k {
			case None:
			case Space:
				r.start = r.next
			default:
				return r.unit(k)
			}
		}
		if err := r.fill(); err != nil {
			return None, nil, err
		}
	}
}

// unit returns what was scanned as a unit of kind k.
func (r *Reader) unit(k Kind) (Kind, []byte, error) {
	unit := r.buf[r.start:r.next]
	switch k {
	case Header:
		r.root = rootName(unit)
		r.atClose = r.sc.Closed()
	case End:
		if endTagName(unit) != r.root {
			return None, nil, ErrNotWellFormed
		}
	}
	return k, unit, nil
}

// fill reads once, more than nothing, behind the bytes of the begun unit.
func (r *Reader) fill() error {
	if err := r.err; err != nil {
		r.err = nil
		return r.readError(err)
	}
	r.makeRoom()
	for range maxEmptyReads {
		n, err := r.r.Read(r.buf[r.end:])
		r.end += n
		if n > 0 {
			r.err = err
			return nil
		}
		if err != nil {
			return r.readError(err)
		}
	}
	return io.ErrNoProgress
}

// makeRoom moves the begun unit to the front of the buffer and grows it if that
// leaves no room. The scanner bounds the unit, so it bounds the buffer.
func (r *Reader) makeRoom() {
	if r.start > 0 {
		copy(r.buf, r.buf[r.start:r.end])
		r.next -= r.start
		r.end -= r.start
		r.start = 0
	}
	if r.end < len(r.buf) {
		return
	}
	size := max(2*len(r.buf), firstBufferBytes)
	// One byte beyond the limit is enough to see that it is broken.
	if most := r.sc.Limits.ElementBytes; most > 0 {
		size = min(size, most+1)
	}
	grown := make([]byte, size)
	copy(grown, r.buf[:r.end])
	r.buf = grown
}

// readError says io.EOF only where a stream may be cut.
func (r *Reader) readError(err error) error {
	if err == io.EOF && !r.sc.AtBoundary() {
		return io.ErrUnexpectedEOF
	}
	return err
}

// Buffered returns the bytes that were read and not yet returned by Next. They
// are valid until the next call of another method.
func (r *Reader) Buffered() []byte { return r.buf[r.next:r.end] }

// Reset prepares for a stream restart (RFC 6120 §4.3.3): a header comes next,
// from the buffered bytes on.
func (r *Reader) Reset() {
	r.sc.Reset()
	r.root, r.atClose = "", false
}

// rootName returns the name in the opening tag that header ends with.
func rootName(header []byte) string {
	i := 0
	for header[i+1] == '?' {
		for i += 2; header[i] != '?' || header[i+1] != '>'; i++ {
		}
		i = skip(header, i+2, space)
	}
	return string(header[i+1 : skip(header, i+1, nameByte)])
}

// endTagName returns the name in an end tag.
func endTagName(tag []byte) string {
	return string(tag[2:skip(tag, 2, nameByte)])
}
