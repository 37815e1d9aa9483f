package component

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"xtokend/internal/xmlsplit"
)

// relayBufferBytes is read at once at most, and is the size up to which an
// element is passed on whole.
const relayBufferBytes = 16384

// firstBytes is read at first where a read cannot be told to wait without a buffer
// (TLS, BOSH, the host): most stanzas are smaller.
const firstBytes = 512

var relayBuffers = sync.Pool{New: func() any { return new([relayBufferBytes]byte) }}

// pump passes plain stream form one way. It looks for the ends of elements only:
// to bound their size, to see the stream's end, and to leave off between two
// elements, where a stream error can still be sent. While it waits between two
// elements it has no relay buffer.
type pump struct {
	src, dst *boundedConn
	lender   lentReader // src, if it can wait without a buffer
	pending  []byte     // read from src already
	scanner  xmlsplit.Scanner
	whole    bool          // dst takes whole elements only; the scanner's limit bounds them
	count    *atomic.Int64 // bytes written
	torn     bool          // what was written ends within an element

	lent  *[relayBufferBytes]byte // nil: none
	buf   []byte                  // lent, or what a long element made it grow to
	held  int                     // bytes of an element in buf whose end has not come yet
	first []byte                  // firstBytes, once needed
	more  bool                    // the last read left something behind, perhaps
}

// Why a pump ended, beside the errors of its scanner.
var (
	errStreamEnd  = errors.New("stream end") // passed on
	errStopped    = errors.New("stopped")    // src was interrupted
	errSourceLost = errors.New("source lost")
	errSinkLost   = errors.New("sink lost")
	errPanicked   = errors.New("internal fault") // which recoverPanic has reported
)

// run pumps until one side ends; it never returns nil.
func (p *pump) run() error {
	p.lender = p.src.lentReader()
	if len(p.pending) == 0 {
		p.pending = nil // or it would keep what it was part of
	}
	defer p.TakeBack()
	for {
		n, readErr := p.read()
		whole, scanErr := p.scan(p.buf[p.held : p.held+n])
		if err := p.pass(n, whole, scanErr); err != nil {
			return err
		}
		switch {
		case scanErr != nil:
			return scanErr
		case isFault(readErr):
			return readErr
		case readErr != nil && p.src.interrupted.Load():
			return errStopped
		case readErr != nil:
			return fmt.Errorf("%w: %w", errSourceLost, readErr)
		}
	}
}

// pass writes what can be passed on of n bytes that were read, up to the last end
// of an element among them or, where dst takes parts and the buffer is full, all.
func (p *pump) pass(n, whole int, scanErr error) error {
	if n == 0 {
		return nil
	}
	pass := p.held + whole
	p.held += n
	switch {
	case whole > 0:
		p.torn = false
	case scanErr == nil && p.held == len(p.buf) && p.whole:
		p.buf, pass = append(p.buf, make([]byte, len(p.buf))...), 0
	case scanErr == nil && p.held == len(p.buf):
		pass, p.torn = p.held, true
	default:
		pass = 0
	}
	if pass > 0 {
		p.count.Add(int64(pass)) // whoever has got the bytes finds them counted
		if written, err := p.dst.Write(p.buf[:pass]); err != nil {
			p.count.Add(int64(written - pass))
			return fmt.Errorf("%w: %w", errSinkLost, err)
		}
		rest := p.buf[pass:p.held]
		if len(rest) < len(p.lent) {
			p.buf = p.lent[:] // what a long element made it grow to is let go
		}
		p.held = copy(p.buf, rest)
	}
	if p.held == 0 {
		p.TakeBack()
	}
	return nil
}

// Lend implements socket.Lender.
func (p *pump) Lend() []byte {
	if p.lent == nil {
		p.lent = relayBuffers.Get().(*[relayBufferBytes]byte)
		p.buf = p.lent[:]
	}
	return p.buf
}

// TakeBack implements socket.Lender.
func (p *pump) TakeBack() {
	if p.lent != nil {
		relayBuffers.Put(p.lent)
		p.lent, p.buf = nil, nil
	}
}

// discard reads on after run until the stream ends, or anything else does, or
// more than limit bytes have come.
func (p *pump) discard(limit int) {
	p.held = 0
	defer p.TakeBack()
	for limit > 0 {
		n, readErr := p.read()
		if _, err := p.scan(p.buf[:n]); err != nil || readErr != nil {
			return
		}
		limit -= n
	}
}

// scan gives the number of bytes of b up to the last end of an element in it.
// Its error is the scanner's, or errStreamEnd.
func (p *pump) scan(b []byte) (whole int, err error) {
	for off := 0; off < len(b); {
		n, kind, err := p.scanner.Scan(b[off:])
		off += n
		switch {
		case err != nil:
			return whole, err
		case kind == xmlsplit.End:
			return off, errStreamEnd
		case p.scanner.AtBoundary():
			whole = off
		}
	}
	return whole, nil
}

// isFault says whether a framing has found what the pump's scanner finds in
// bytes: that the peer broke a rule.
func isFault(err error) bool {
	return errors.Is(err, xmlsplit.ErrRestricted) || errors.Is(err, xmlsplit.ErrNotWellFormed) ||
		errors.Is(err, xmlsplit.ErrTooLong) || errors.Is(err, xmlsplit.ErrTooDeep)
}

// read reads behind what is held.
func (p *pump) read() (n int, err error) {
	switch {
	case len(p.pending) > 0:
		n = copy(p.Lend()[p.held:], p.pending)
		if p.pending = p.pending[n:]; len(p.pending) == 0 {
			p.pending = nil
		}
		return n, nil
	case p.held > 0 || p.more:
		n, err = p.src.Read(p.Lend()[p.held:])
		p.more = p.held+n == len(p.buf)
	case p.lender != nil:
		return p.lender.ReadLent(p)
	default:
		if p.first == nil {
			p.first = make([]byte, firstBytes)
		}
		n, err = p.src.Read(p.first)
		copy(p.Lend(), p.first[:n])
		p.more = n == firstBytes
	}
	return n, err
}
