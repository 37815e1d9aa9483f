package main

import (
	"crypto/tls"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"xtokend/cmd/xtokend/internal/config"
	"xtokend/internal/testcert"
)

func TestARenewedCertificateIsReadAgain(t *testing.T) {
	dir := t.TempDir()
	settings := &config.TLS{CertificatePath: filepath.Join(dir, "certificate.pem"), KeyPath: filepath.Join(dir, "key.pem")}
	writePair(t, settings, 1)
	var err error
	if settings.Pair, err = tls.LoadX509KeyPair(settings.CertificatePath, settings.KeyPath); err != nil {
		t.Fatal(err)
	}
	now := time.Unix(1551193138, 0)
	c := newCertificate(settings, slog.New(slog.DiscardHandler), func() time.Time { return now })
	serial := func() int64 {
		t.Helper()
		pair, err := c.get(nil)
		if err != nil {
			t.Fatal(err)
		}
		return pair.Leaf.SerialNumber.Int64()
	}
	steps := []struct {
		name  string
		act   func()
		after time.Duration
		want  int64
	}{
		{"at first", func() {}, 0, 1},
		{"renewed a moment ago", func() { writePair(t, settings, 200) }, 0, 1},
		{"renewed", func() {}, certificateCheckInterval, 200},
		{"half written", func() { write(t, settings.CertificatePath, []byte("-----BEGIN")) }, certificateCheckInterval, 200},
		{"gone", func() { os.Remove(settings.CertificatePath) }, certificateCheckInterval, 200},
		{"back", func() { writePair(t, settings, 30000) }, certificateCheckInterval, 30000},
		{"the clock set back", func() { writePair(t, settings, 4000000) }, -time.Hour, 4000000},
	}
	for _, k := range steps {
		k.act()
		now = now.Add(k.after)
		if got := serial(); got != k.want {
			t.Fatalf("%s: the certificate served has the serial number %d, want %d", k.name, got, k.want)
		}
	}
}

// writePair writes a new pair. Serial numbers of different length make files of
// different size, which a coarse clock of the file system does not hide.
func writePair(t *testing.T, c *config.TLS, serial int64) {
	t.Helper()
	pair, err := testcert.New(testcert.Spec{Serial: serial, Names: []string{"example.org"}})
	if err != nil {
		t.Fatal(err)
	}
	if err := pair.Write(c.CertificatePath, c.KeyPath, ""); err != nil {
		t.Fatal(err)
	}
}

func write(t *testing.T, path string, b []byte) {
	t.Helper()
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
}
