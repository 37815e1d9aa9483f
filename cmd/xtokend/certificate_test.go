package main

import (
	"bytes"
	"crypto/tls"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"xtokend/cmd/xtokend/internal/config"
	"xtokend/internal/testcert"
)

// renewal is a certificate in use, the log of it and the clock it looks at.
type renewal struct {
	*certificate
	settings *config.TLS
	log      bytes.Buffer
	clock    time.Time
	asked    func() // called when the clock is looked at
}

// newRenewal has a pair of serial number 1 in use.
func newRenewal(t *testing.T) *renewal {
	t.Helper()
	dir := t.TempDir()
	r := &renewal{clock: time.Unix(1551193138, 0), asked: func() {}}
	r.settings = &config.TLS{CertificatePath: filepath.Join(dir, "certificate.pem"), KeyPath: filepath.Join(dir, "key.pem")}
	writePair(t, r.settings, 1)
	var err error
	if r.settings.Pair, err = tls.LoadX509KeyPair(r.settings.CertificatePath, r.settings.KeyPath); err != nil {
		t.Fatal(err)
	}
	r.certificate = newCertificate(r.settings, slog.New(slog.NewTextHandler(&r.log, nil)), func() time.Time {
		r.asked()
		return r.clock
	})
	return r
}

// serial returns the serial number of the certificate that a handshake gets.
func (r *renewal) serial(t *testing.T) int64 {
	t.Helper()
	pair, err := r.get(nil)
	if err != nil {
		t.Fatal(err)
	}
	return pair.Leaf.SerialNumber.Int64()
}

func TestARenewedCertificateIsReadAgain(t *testing.T) {
	r := newRenewal(t)
	settings := r.settings
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
		r.clock = r.clock.Add(k.after)
		if got := r.serial(t); got != k.want {
			t.Fatalf("%s: the certificate served has the serial number %d, want %d", k.name, got, k.want)
		}
	}
}

// A renewal that went wrong stays so until somebody mends it: the log must not
// fill meanwhile.
func TestABadPairIsToldOnce(t *testing.T) {
	r := newRenewal(t)
	later := func() {
		t.Helper()
		for range 3 {
			r.clock = r.clock.Add(certificateCheckInterval)
			if got := r.serial(t); got != 1 {
				t.Fatalf("the certificate served has the serial number %d, want 1", got)
			}
		}
	}
	write(t, r.settings.CertificatePath, []byte("-----BEGIN"))
	later()
	if n := strings.Count(r.log.String(), "cannot be used"); n != 1 {
		t.Errorf("told %d times, want once:\n%s", n, r.log.String())
	}
	write(t, r.settings.CertificatePath, []byte("-----BEGIN CERTIFICATE"))
	later()
	if n := strings.Count(r.log.String(), "cannot be used"); n != 2 {
		t.Errorf("told %d times after another change, want twice:\n%s", n, r.log.String())
	}
}

// A disk that does not answer, here a pipe that nobody writes to yet, holds up
// one handshake and no other.
func TestAStuckDiskHoldsUpOneHandshake(t *testing.T) {
	r := newRenewal(t)
	path := r.settings.CertificatePath
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	r.clock = r.clock.Add(certificateCheckInterval)
	begun, stuck := make(chan struct{}), make(chan struct{})
	r.asked = func() { close(begun) }
	go func() {
		defer close(stuck)
		r.get(nil)
	}()
	<-begun
	if got := r.serial(t); got != 1 {
		t.Errorf("the certificate served meanwhile has the serial number %d, want 1", got)
	}
	// A writer lets the pipe open. Opened to read and write, it does not wait itself.
	pipe, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	pipe.Close()
	<-stuck
	r.asked = func() {}
	if got := r.serial(t); got != 1 {
		t.Errorf("the certificate served afterwards has the serial number %d, want 1", got)
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
