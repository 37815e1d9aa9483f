package replay

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

var (
	// errForeign is for a file of value to another program.
	errForeign = errors.New("it is a database of another program; name another path")

	errFormer = errors.New("the file is of an earlier xtokend, in a format that this one does not read")
)

// The second field of the meta page that a bbolt database begins with.
const (
	boltMagic       = 0xED0CDAED
	boltMagicOffset = 16
)

// What xtokend kept before it wrote logs was a bbolt database. Three of its keys, the last one with its value, lay at
// these distances: between them were a step and a checksum.
const (
	formerFirst   = "opened"
	formerSecond  = "reach"
	formerThird   = "version1"
	formerBetween = 8 + 4
)

// explain says of a file that does not begin as ours do what it is.
func explain(in *bufio.Reader) error {
	begin, _ := in.Peek(boltMagicOffset + 4)
	if len(begin) < boltMagicOffset+4 || binary.NativeEndian.Uint32(begin[boltMagicOffset:]) != boltMagic {
		return errors.New("it does not begin as the file of a replay store")
	}
	former, err := isFormer(in)
	switch {
	case err != nil:
		return fmt.Errorf("cannot read it: %w", err)
	case former:
		return errFormer
	}
	return errForeign
}

// isFormer reads to the end, in parts that overlap by what it looks for.
func isFormer(in *bufio.Reader) (bool, error) {
	const looked = len(formerFirst) + formerBetween + len(formerSecond) + formerBetween + len(formerThird)
	for {
		octets, err := in.Peek(in.Size())
		for at := 0; at+looked <= len(octets); at++ {
			next := bytes.Index(octets[at:], []byte(formerFirst))
			if next < 0 {
				break
			}
			at += next
			if matches(octets[at:]) {
				return true, nil
			}
		}
		if err == io.EOF {
			return false, nil
		}
		if err != nil {
			return false, err
		}
		_, _ = in.Discard(len(octets) - looked + 1)
	}
}

func matches(octets []byte) bool {
	for _, key := range []string{formerFirst, formerSecond, formerThird} {
		if !bytes.HasPrefix(octets, []byte(key)) {
			return false
		}
		octets = octets[min(len(octets), len(key)+formerBetween):]
	}
	return true
}
