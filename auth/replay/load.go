package replay

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
)

// errDamaged marks a file that has lost records, or may have.
var errDamaged = errors.New("the file is damaged")

// life is what a file says of when it was open last.
type life struct {
	empty bool // it has no content: it may be new
	boot  string
	clean bool // it was closed
}

// load reads a file into an empty ledger, once from its beginning to its end. After an error the ledger has what the
// file says before the place where it is not as this package writes it.
func (l *ledger) load(r io.Reader) (life, error) {
	in := bufio.NewReaderSize(r, frameHeaderBytes+maxFrameBytes)
	header, err := in.Peek(headerBytes)
	switch {
	case len(header) == 0 && err == io.EOF:
		return life{empty: true}, nil
	case len(header) < headerBytes || string(header[:len(magic)]) != magic:
		return life{}, explain(in)
	case header[len(magic)] != formatVersion || header[len(magic)+1] != '\n':
		return life{}, fmt.Errorf("it has format %q, this program knows %q", header[len(magic)], formatVersion)
	}
	sum := crc32.Checksum(header[headerBytes-saltBytes:], castagnoli)
	_, _ = in.Discard(headerBytes) // which were peeked at
	p := &parser{ledger: l}
	for at := int64(headerBytes); ; {
		payload, next, err := readFrame(in, sum)
		if err == nil && payload != nil {
			err = p.parse(payload)
		}
		switch {
		case err != nil:
			return p.life, fmt.Errorf("at octet %d: %w", at, err)
		case payload == nil && !p.begun:
			return p.life, errors.New("it has no records")
		case payload == nil:
			return p.life, nil
		}
		sum = next
		at += int64(frameHeaderBytes + len(payload))
	}
}

// cut says what an error of reading is.
func cut(err error) error {
	if err == io.EOF {
		return errors.New("it was cut there")
	}
	return err
}

// readFrame returns no payload at the end of the log. The payload is good until the next call.
func readFrame(in *bufio.Reader, sum uint32) (payload []byte, next uint32, err error) {
	header, err := in.Peek(frameHeaderBytes)
	if err != nil {
		return nil, 0, cut(err)
	}
	length := binary.BigEndian.Uint32(header)
	next = binary.BigEndian.Uint32(header[4:])
	switch {
	case length == 0 && next == 0:
		return nil, 0, onlyZeros(in)
	case length == 0 || length > maxFrameBytes:
		return nil, 0, fmt.Errorf("a frame of %d octets", length)
	}
	frame, err := in.Peek(frameHeaderBytes + int(length))
	if err != nil {
		return nil, 0, cut(err)
	}
	_, _ = in.Discard(len(frame))
	payload = frame[frameHeaderBytes:]
	if chain(sum, frame[:4], payload) != next {
		return nil, 0, errors.New("a frame has a wrong checksum")
	}
	return payload, next, nil
}

// onlyZeros reads to the end.
func onlyZeros(in *bufio.Reader) error {
	for {
		_, err := in.Peek(1)
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		octets, _ := in.Peek(in.Buffered())
		if len(bytes.TrimLeft(octets, "\x00")) > 0 {
			return errors.New("there is something behind the last frame")
		}
		_, _ = in.Discard(len(octets))
	}
}

// parser takes records into a ledger.
type parser struct {
	ledger  *ledger
	life    life
	begun   bool     // the first record has come
	domains []string // by number
	rest    []byte   // of the payload
	short   bool     // more was taken of the payload than it has
}

var errRecord = errors.New("a record that this program never writes")

func (p *parser) parse(payload []byte) error {
	p.rest = payload
	for len(p.rest) > 0 {
		kind := p.take(kindBytes)[0]
		if p.begun == (kind == recordState) || p.life.clean {
			return errRecord
		}
		if !p.record(kind) || p.short {
			return errRecord
		}
		p.begun = true
	}
	return nil
}

// record takes one record, and returns false if it is none.
func (p *parser) record(kind byte) bool {
	l := p.ledger
	switch kind {
	case recordState:
		p.life.boot = p.text()
		l.opened, l.reach = p.step(), p.step()
		l.hasLost = p.take(1)[0] == 1
		l.lost = p.step()
	case recordDomain:
		p.domains = append(p.domains, p.text())
	case recordUse:
		a := p.account()
		step, id := p.step(), [idBytes]byte(p.take(idBytes))
		if a == nil || p.short {
			return false
		}
		l.loadUse(a, id, step)
	case recordRevocation:
		a := p.account()
		through, address := p.step(), p.text()
		if a == nil || p.short {
			return false
		}
		l.keepRevocation(a, address, through)
	case recordReach:
		l.reach = p.step()
	case recordReleased:
		a := p.account()
		s := p.spans()
		if a == nil || s == nil {
			return false
		}
		l.setReleased(a, s)
	case recordClosed:
		p.life.clean = true
	default:
		return false
	}
	return true
}

// take returns zeros for what is not there.
func (p *parser) take(n int) []byte {
	if len(p.rest) < n {
		p.short, p.rest = true, nil
		return make([]byte, n)
	}
	taken := p.rest[:n]
	p.rest = p.rest[n:]
	return taken
}

func (p *parser) step() int64 { return int64(binary.BigEndian.Uint64(p.take(stepBytes))) }

func (p *parser) text() string {
	return string(p.take(int(binary.BigEndian.Uint16(p.take(textBytes)))))
}

// account returns nil for a number that no domain has.
func (p *parser) account() *account {
	n := binary.BigEndian.Uint32(p.take(numberBytes))
	if int64(n) >= int64(len(p.domains)) {
		return nil
	}
	return p.ledger.account(p.domains[n])
}

// spans returns nil for what are none.
func (p *parser) spans() spans {
	n := int(p.take(1)[0])
	if n > maxSpans {
		return nil
	}
	s := make(spans, 0, maxSpans+1)
	for i := range n {
		each := span{p.step(), p.step()}
		if each.first > each.last || i > 0 && each.first <= s[i-1].last || p.short {
			return nil
		}
		s = append(s, each)
	}
	return s
}
