package replay

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"os"
	"path/filepath"
	"testing"
)

// sample is a log with what was answered while it was written.
type sample struct {
	data   []byte
	frames []int64 // where each begins, and the end of the last
	uses   []Use
}

func newSample(t testing.TB) sample {
	t.Helper()
	path := filepath.Join(t.TempDir(), "replay.db")
	f := newFile(path, testOptions())
	if err := f.open(testOptions()); err != nil {
		t.Fatal(err)
	}
	s := sample{frames: []int64{int64(headerBytes), f.log.end}}
	add := func(err error) {
		if err != nil {
			t.Fatal(err)
		}
		s.frames = append(s.frames, f.log.end)
	}
	for n := range 12 {
		u := testUse(n, testStep+int64(n/4))
		if n%3 == 0 {
			u.Domain = "example.net"
		}
		if err := f.ledger.use(&u); err != nil {
			t.Fatal(err)
		}
		s.uses = append(s.uses, u)
		grown := f.growth()
		add(f.commit([]record{{use: &u}}, grown))
		f.settle(nil, grown, nil)
	}
	r := Revocation{Domain: "example.org", Address: "bob", Through: testStep + 3}
	add(f.commit([]record{{revocation: &r}}, growth{}))
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	_ = f.log.file.Close()
	s.data = data[:s.frames[len(s.frames)-1]+1024]
	return s
}

// earlier tells whether data is the log as it was before some of its frames were written.
func (s *sample) earlier(data []byte) bool {
	for _, end := range s.frames[1:] {
		if bytes.HasPrefix(data, s.data[:end]) && len(bytes.Trim(data[end:], "\x00")) == 0 {
			return true
		}
	}
	return false
}

// FuzzDamage changes octets of a log, each by three octets of input: what was answered must be known, or the damage be
// found.
func FuzzDamage(f *testing.F) {
	s := newSample(f)
	f.Add([]byte{})
	for _, at := range []uint16{0, 20, uint16(headerBytes) - 1, uint16(headerBytes), uint16(headerBytes) + 4, 200, uint16(len(s.data) - 1)} {
		f.Add(append(binary.BigEndian.AppendUint16(nil, at), 1))
	}
	f.Fuzz(func(t *testing.T, changes []byte) {
		data := bytes.Clone(s.data)
		for ; len(changes) >= 3; changes = changes[3:] {
			data[int(binary.BigEndian.Uint16(changes))%len(data)] ^= changes[2]
		}
		l := newLedger(0)
		if _, err := l.load(bytes.NewReader(data)); err != nil {
			return // every earlier use counts as lost
		}
		if !bytes.Equal(data, s.data) && !s.earlier(data) {
			t.Fatal("what was changed is not found")
		}
		if bytes.Equal(data, s.data) {
			for i := range s.uses {
				if err := l.use(&s.uses[i]); err == nil {
					t.Fatalf("use %d is not known", i)
				}
			}
		}
	})
}

// FuzzLoad reads any octets as a file, and as the records of one.
func FuzzLoad(f *testing.F) {
	s := newSample(f)
	f.Add([]byte{})
	f.Add(s.data)
	for n := range len(s.frames) - 1 {
		f.Add(s.data[s.frames[n]+frameHeaderBytes : s.frames[n+1]])
	}
	f.Add(s.data[s.frames[0]+frameHeaderBytes : s.frames[2]])
	f.Fuzz(func(t *testing.T, data []byte) {
		if last, err := newLedger(0).load(bytes.NewReader(data)); err == nil && !last.empty && !bytes.HasPrefix(data, []byte(magic)) {
			t.Fatal("taken for a log")
		}
		if len(data) == 0 || len(data) > maxFrameBytes {
			return
		}
		file := append(append([]byte(magic), formatVersion, '\n'), make([]byte, saltBytes)...)
		length := binary.BigEndian.AppendUint32(nil, uint32(len(data)))
		sum := chain(crc32.Checksum(file[headerBytes-saltBytes:], castagnoli), length, data)
		file = append(binary.BigEndian.AppendUint32(append(file, length...), sum), data...)
		l := newLedger(100)
		_, err := l.load(bytes.NewReader(append(file, make([]byte, frameHeaderBytes)...)))
		if err != nil {
			return
		}
		// What was read can be written and read again.
		e := &encoder{octets: file[:headerBytes:headerBytes], frame: headerBytes, numbers: make(map[string]uint32)}
		e.sum = crc32.Checksum(file[headerBytes-saltBytes:headerBytes], castagnoli)
		l.encode(e, "boot")
		e.end()
		again := newLedger(100)
		last, err := again.load(bytes.NewReader(append(e.octets, make([]byte, frameHeaderBytes)...)))
		if err != nil || last.boot != "boot" || last.clean {
			t.Fatalf("%+v, %v", last, err)
		}
		if again.uses != l.uses || again.revoked != l.revoked || again.lost != l.lost || again.opened != l.opened || again.reach != l.reach {
			t.Fatalf("%d, %d, %d, %d, %d read, %d, %d, %d, %d, %d read again", l.uses, l.revoked, l.lost, l.opened, l.reach,
				again.uses, again.revoked, again.lost, again.opened, again.reach)
		}
	})
}
