package replay

import (
	"crypto/rand"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"time"
)

// aheadBytes is how much room is made at once for frames to come. Were it less, more of them would wait for a change of
// the file's size; were it more, the one that does would wait longer.
const aheadBytes = 256 << 10

var zeros [aheadBytes]byte

// disk is the file of a log, opened so that a write is on disk when it returns.
type disk interface {
	io.WriterAt
	io.Closer
	Stat() (os.FileInfo, error)
}

// logFile is a file that frames are appended to. One goroutine may use it at a time.
type logFile struct {
	file    disk
	info    os.FileInfo // of the file when it was new
	end     int64       // of the last frame
	dirty   int64       // an append that failed may have left something up to here
	size    int64       // up to here the file is zeros behind the last frame
	sum     uint32      // of the last frame
	domains map[string]uint32
	buffer  []byte
}

// createLog makes a file at path, which must not be there, locked and with its first frames on disk.
func createLog(path string, write func(*encoder)) (_ *logFile, err error) {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL|syncWrites, 0o600)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			_ = file.Close()
			_ = os.Remove(path)
		}
	}()
	if err := lock(file, time.Time{}); err != nil {
		return nil, err
	}
	header := append([]byte(magic), formatVersion, '\n')
	header = append(header, make([]byte, saltBytes)...)
	salt := header[headerBytes-saltBytes:]
	_, _ = rand.Read(salt) // never fails
	l := &logFile{file: file, sum: crc32.Checksum(salt, castagnoli), domains: make(map[string]uint32)}
	e := &encoder{octets: header, frame: headerBytes, sum: l.sum, numbers: l.domains}
	write(e)
	e.end()
	if _, err := file.WriteAt(e.octets, 0); err != nil {
		return nil, err
	}
	l.end = int64(len(e.octets))
	l.dirty, l.size, l.sum = l.end, l.end, e.sum
	if err := l.reserve(l.end + frameHeaderBytes); err != nil {
		return nil, err
	}
	if err := file.Sync(); err != nil {
		return nil, err
	}
	l.info, err = file.Stat()
	return l, err
}

// append writes records. All of them are on disk if it succeeds; if it fails, any may be, and the next append takes
// their place. An error of errDamaged says that the file has lost what was in it.
func (l *logFile) append(write func(*encoder)) error {
	e := &encoder{octets: l.buffer[:0], sum: l.sum, numbers: l.domains}
	write(e)
	e.end()
	err := l.put(e.octets)
	if cap(e.octets) <= aheadBytes { // else it would keep a burst's memory for ever
		l.buffer = e.octets
	}
	if err != nil {
		for _, domain := range e.added {
			delete(l.domains, domain)
		}
		return err
	}
	l.sum = e.sum
	return nil
}

// put costs one write, but for those that make room.
func (l *logFile) put(frames []byte) error {
	next := l.end + int64(len(frames))
	if err := l.reserve(next + frameHeaderBytes); err != nil {
		return err
	}
	if next < l.dirty {
		frames = append(frames, make([]byte, l.dirty-next)...)
	}
	l.dirty = max(l.dirty, next)
	if _, err := l.file.WriteAt(frames, l.end); err != nil {
		return err
	}
	info, err := l.file.Stat()
	switch {
	case err != nil:
		return err
	case info.Size() < l.size: // with the records before this one
		return fmt.Errorf("%w: it was cut while in use, from %d octets to at most %d", errDamaged, l.size, info.Size())
	}
	l.end, l.dirty = next, next
	return nil
}

// reserve has the file be zeros up to there. They are written, since a write into room that is only allocated has to
// change what the file system knows of it, which takes twice as long.
func (l *logFile) reserve(end int64) error {
	for l.size < end {
		if _, err := l.file.WriteAt(zeros[:], l.size); err != nil {
			return err
		}
		l.size += aheadBytes
	}
	return nil
}
