package replay

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"os"
)

// Layout of a bbolt meta page: a header of 16 octets, then the meta, whose last 8 octets are the FNV-1a sum of the rest.
const (
	pageHeaderBytes = 16
	metaBytes       = 64
	metaTxOffset    = 48
	metaSumOffset   = 56
)

// checkMeta finds a meta page that is broken or that neither of the last two commits wrote: each writes the older of the
// two pages, with a transaction number that is one higher. bbolt would take the other one, with an earlier state.
func checkMeta(file *os.File, pageSize int64) error {
	var transactions [2]uint64
	for page := range int64(2) {
		meta := make([]byte, metaBytes)
		if _, err := file.ReadAt(meta, page*pageSize+pageHeaderBytes); err != nil {
			return err
		}
		sum := fnv.New64a()
		_, _ = sum.Write(meta[:metaSumOffset])
		if !bytes.Equal(meta[metaSumOffset:], binary.NativeEndian.AppendUint64(nil, sum.Sum64())) {
			return fmt.Errorf("meta page %d has a wrong checksum", page)
		}
		transactions[page] = binary.NativeEndian.Uint64(meta[metaTxOffset:])
	}
	if a, b := transactions[0], transactions[1]; a != b+1 && b != a+1 {
		return fmt.Errorf("the meta pages are of transactions %d and %d", a, b)
	}
	return nil
}
