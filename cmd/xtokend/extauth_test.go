package main

import (
	"encoding/binary"
	"path/filepath"
	"strings"
	"testing"
)

// ejabberd's log gets what a program says on standard error.
func TestExtauthSaysWhyItCannotAnswer(t *testing.T) {
	var in []byte
	for range 30 {
		for _, question := range []string{"auth:alice:example.org:a secret", "setpass:alice:example.org:a secret"} {
			in = binary.BigEndian.AppendUint16(in, uint16(len(question)))
			in = append(in, question...)
		}
	}
	var stdout, stderr strings.Builder
	p := &process{stdin: strings.NewReader(string(in)), stdout: &stdout, stderr: &stderr}
	status := p.run([]string{"extauth", "--socket", filepath.Join(t.TempDir(), "admin.sock")}, func(int) {})
	if status != exitOK || stdout.String() != strings.Repeat("\x00\x02\x00\x00", 60) {
		t.Errorf("exit status %d, answered %q", status, stdout.String())
	}
	for _, line := range []string{
		"xtokend: error: no daemon answers at ", "xtokend: hint: xtokend does not run",
		"xtokend: warning: the server asks for what xtokend does not do", "xtokend: hint: take modules such as mod_register out",
	} {
		if n := strings.Count(stderr.String(), line); n == 0 || n >= 30 {
			t.Errorf("%d times on standard error: %s", n, line)
		}
	}
	if strings.Contains(stderr.String(), "secret") || strings.Contains(stderr.String(), "alice") {
		t.Errorf("standard error tells too much:\n%s", stderr.String())
	}
}
