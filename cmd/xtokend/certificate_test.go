package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"log/slog"
	"math/big"
	"os"
	"path/filepath"
	"testing"
	"time"

	"xtokend/cmd/xtokend/internal/config"
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
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(serial), NotAfter: time.Unix(4000000000, 0), DNSNames: []string{"example.org"}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	write(t, c.KeyPath, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}))
	write(t, c.CertificatePath, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

func write(t *testing.T, path string, b []byte) {
	t.Helper()
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
}
