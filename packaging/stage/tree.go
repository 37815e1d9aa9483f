package main

import (
	"bytes"
	"compress/gzip"
	"errors"
	"os"
	"path/filepath"
	"time"
)

// tree reads sources and writes what is made of them. Its first error stays.
type tree struct {
	folder string
	time   time.Time // of every file
	err    error
}

func (t *tree) read(source string) []byte {
	text, err := os.ReadFile(source)
	t.err = errors.Join(t.err, err)
	return text
}

func (t *tree) write(name string, content []byte) {
	if t.err != nil {
		return
	}
	file := filepath.Join(t.folder, name)
	if t.err = os.WriteFile(file, content, 0o644); t.err == nil {
		t.err = os.Chtimes(file, t.time, t.time)
	}
}

// compress writes a file as Debian wants documents: by gzip's best, without a name
// or a time in it (Debian Policy §12).
func (t *tree) compress(name string, content []byte) {
	var b bytes.Buffer
	z, err := gzip.NewWriterLevel(&b, gzip.BestCompression)
	if err == nil {
		_, err = z.Write(content)
	}
	if err == nil {
		err = z.Close()
	}
	t.err = errors.Join(t.err, err)
	t.write(name, b.Bytes())
}
