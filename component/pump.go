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

var relayBuffers = sync.Pool{New: func() any { return new([relayBufferBytes]byte) }}

// pump passes plain stream form one way. It looks for the ends of elements only:
// to bound their size, to see the stream's end, and to leave off between two
// elements, where a stream error can still be sent.
type pump struct {
	src, dst *boundedConn
	pending  []byte // read from src already
	scanner  xmlsplit.Scanner
	whole    bool          // dst takes whole elements only; the scanner's limit bounds them
	count    *atomic.Int64 // bytes written
	torn     bool          // what was written ends within an element
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
	pooled := relayBuffers.Get().(*[relayBufferBytes]byte)
	defer relayBuffers.Put(pooled)
	buf := pooled[:]
	held := 0 // bytes of an element whose end has not come yet
	for {
		n, readErr := p.read(buf[held:])
		whole, scanErr := p.scan(buf[held : held+n])
		pass := held + whole
		held += n
		switch {
		case whole > 0:
			p.torn = false
		case scanErr == nil && held == len(buf) && p.whole:
			buf, pass = append(buf, make([]byte, len(buf))...), 0
		case scanErr == nil && held == len(buf):
			pass, p.torn = held, true
		default:
			pass = 0
		}
		if pass > 0 {
			p.count.Add(int64(pass)) // whoever has got the bytes finds them counted
			if written, err := p.dst.Write(buf[:pass]); err != nil {
				p.count.Add(int64(written - pass))
				return fmt.Errorf("%w: %w", errSinkLost, err)
			}
			rest := buf[pass:held]
			if len(rest) < len(pooled) {
				buf = pooled[:] // what a long element made it grow to is let go
			}
			held = copy(buf, rest)
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

// discard reads on after run until the stream ends, or anything else does, or
// more than limit bytes have come.
func (p *pump) discard(limit int) {
	buf := relayBuffers.Get().(*[relayBufferBytes]byte)
	defer relayBuffers.Put(buf)
	for limit > 0 {
		n, readErr := p.read(buf[:])
		if _, err := p.scan(buf[:n]); err != nil || readErr != nil {
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

func (p *pump) read(b []byte) (int, error) {
	if len(p.pending) > 0 {
		n := copy(b, p.pending)
		if p.pending = p.pending[n:]; len(p.pending) == 0 {
			p.pending = nil
		}
		return n, nil
	}
	return p.src.Read(b)
}
