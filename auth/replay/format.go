package replay

import (
	"encoding/binary"
	"hash/crc32"
)

// The file is a log: a header, then frames, then zeros to its end.
//
//	header  magic, version (1), end of line (1), salt (16)
//	frame   length of the payload (4), checksum (4), payload: whole records
//
// A checksum is the CRC-32C of the salt and of the lengths and payloads of all frames up to its own. So a frame stands
// for all before it: one that is missing, moved, of another file or of an earlier life of its blocks is found, as any
// flipped bit is. Zeros are written before the frames that take their place: where a frame would begin, eight of them
// with nothing but zeros behind say that the log ends there, and a file that ends without them was cut.
//
// What a log alone cannot tell is that its last frames were never written at all. A disk that loses them after it said
// that it has them does so when the power fails, which another boot gives away.
const (
	magic         = "xtokend replay log "
	formatVersion = '1'
	saltBytes     = 16
	headerBytes   = len(magic) + 2 + saltBytes

	frameHeaderBytes = 8

	// maxFrameBytes bounds what a reader takes into memory on the word of a length.
	maxFrameBytes = 64 << 10
)

// The kinds of records, their first octet. Integers are big-endian, a step is a signed one, and a text has its length
// (2) before it.
const (
	recordState      = 1 + iota // boot, opened, reach, 1 and the lost step or 0 and any: the first of a file, and only that
	recordDomain                // name: the first one has number 0, the next one 1
	recordUse                   // number of the domain (4), step, ID
	recordRevocation            // number of the domain (4), last step, address
	recordReach                 // reach
	recordReleased              // number of the domain (4), how many (1), first and last step of each span: all of the domain
	recordClosed                // nothing: the last of a file that was closed
)

const (
	kindBytes   = 1
	numberBytes = 4
	stepBytes   = 8
	textBytes   = 2
	idBytes     = 32
)

// maxNameBytes is the length of the longest name of a domain or a user that is kept. Those of XMPP have 1,023 octets at
// most (RFC 7622 §3.2, §3.3).
const maxNameBytes = 16 << 10

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// chain returns the checksum of a frame that follows one with the checksum sum.
func chain(sum uint32, length, payload []byte) uint32 {
	return crc32.Update(crc32.Update(sum, castagnoli, length), castagnoli, payload)
}

// encoder makes frames of records.
type encoder struct {
	octets  []byte
	frame   int               // where in octets the frame begins that takes the next record
	sum     uint32            // of the last whole frame
	numbers map[string]uint32 // of the domains that the file knows
	added   []string          // domains that it did not know before
}

// begin begins a record, of which size octets follow. No record is split: a frame without room for it is ended.
func (e *encoder) begin(kind byte, size int) {
	if len(e.octets)-e.frame+kindBytes+size > frameHeaderBytes+maxFrameBytes {
		e.end()
	}
	if len(e.octets) == e.frame {
		e.octets = append(e.octets, make([]byte, frameHeaderBytes)...)
	}
	e.octets = append(e.octets, kind)
}

// end makes the frame whole, if it has a record.
func (e *encoder) end() {
	if len(e.octets) == e.frame {
		return
	}
	header, payload := e.octets[e.frame:e.frame+frameHeaderBytes], e.octets[e.frame+frameHeaderBytes:]
	binary.BigEndian.PutUint32(header, uint32(len(payload)))
	e.sum = chain(e.sum, header[:4], payload)
	binary.BigEndian.PutUint32(header[4:], e.sum)
	e.frame = len(e.octets)
}

func (e *encoder) number(n uint32) { e.octets = binary.BigEndian.AppendUint32(e.octets, n) }

func (e *encoder) step(step int64) { e.octets = binary.BigEndian.AppendUint64(e.octets, uint64(step)) }

func (e *encoder) text(text string) {
	e.octets = append(binary.BigEndian.AppendUint16(e.octets, uint16(len(text))), text...)
}

// domain returns the number of a domain, and records its name if the file does not know it.
func (e *encoder) domain(name string) uint32 {
	n, ok := e.numbers[name]
	if !ok {
		n = uint32(len(e.numbers))
		e.numbers[name] = n
		e.added = append(e.added, name)
		e.begin(recordDomain, textBytes+len(name))
		e.text(name)
	}
	return n
}

func (e *encoder) state(boot string, l *ledger) {
	e.begin(recordState, textBytes+len(boot)+3*stepBytes+1)
	e.text(boot)
	e.step(l.opened)
	e.step(l.reach)
	var hasLost byte
	if l.hasLost {
		hasLost = 1
	}
	e.octets = append(e.octets, hasLost)
	e.step(l.lost)
}

func (e *encoder) use(domain string, step int64, id *[idBytes]byte) {
	n := e.domain(domain)
	e.begin(recordUse, numberBytes+stepBytes+idBytes)
	e.number(n)
	e.step(step)
	e.octets = append(e.octets, id[:]...)
}

func (e *encoder) revocation(domain, address string, through int64) {
	n := e.domain(domain)
	e.begin(recordRevocation, numberBytes+stepBytes+textBytes+len(address))
	e.number(n)
	e.step(through)
	e.text(address)
}

func (e *encoder) reach(reach int64) {
	e.begin(recordReach, stepBytes)
	e.step(reach)
}

func (e *encoder) released(domain string, s spans) {
	n := e.domain(domain)
	e.begin(recordReleased, numberBytes+1+len(s)*2*stepBytes)
	e.number(n)
	e.octets = append(e.octets, byte(len(s)))
	for _, each := range s {
		e.step(each.first)
		e.step(each.last)
	}
}

func (e *encoder) closed() { e.begin(recordClosed, 0) }
