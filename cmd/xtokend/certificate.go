package main

import (
	"bytes"
	"crypto/tls"
	"log/slog"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"xtokend/cmd/xtokend/internal/config"
)

// certificateCheckInterval is how often the files are looked at, at most, when
// a handshake wants the certificate.
const certificateCheckInterval = time.Second

// certificate serves the newest pair that its two files have held. A pair that
// cannot be read, as in the middle of a renewal, leaves the one before in use.
type certificate struct {
	certificatePath, keyPath string
	log                      *slog.Logger
	now                      func() time.Time
	pair                     atomic.Pointer[tls.Certificate]

	renewing sync.Mutex   // held while the files are read, never waited for
	seen     [2]fileState // of the last pair that was read here, good or bad
	checked  time.Time
}

// fileState tells a changed file from an unchanged one; it is zero for a file
// that cannot be opened.
type fileState struct {
	modified time.Time
	size     int64
}

func newCertificate(t *config.TLS, log *slog.Logger, now func() time.Time) *certificate {
	c := &certificate{certificatePath: t.CertificatePath, keyPath: t.KeyPath, log: log, now: now, checked: now()}
	c.pair.Store(&t.Pair) // which the files need not hold any more
	return c
}

// get is for [tls.Config].GetCertificate. However long the disk takes, one
// handshake at most waits for it.
func (c *certificate) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	if c.renewing.TryLock() {
		defer c.renewing.Unlock()
		c.renew()
	}
	return c.pair.Load(), nil
}

// renew reads a changed pair. It is called with renewing held.
func (c *certificate) renew() {
	now := c.now()
	if now.Sub(c.checked).Abs() < certificateCheckInterval {
		return
	}
	c.checked = now
	seen := c.look()
	if seen == c.seen {
		return
	}
	c.seen = seen
	pair, err := tls.LoadX509KeyPair(c.certificatePath, c.keyPath)
	if err != nil {
		c.log.Warn("the changed certificate cannot be used, the one before stays in use", "error", err)
		return
	}
	if slices.EqualFunc(pair.Certificate, c.pair.Load().Certificate, bytes.Equal) {
		return
	}
	c.pair.Store(&pair)
	c.log.Info("the certificate was read again")
}

// look opens the files: one that becomes readable has changed too, which its
// time of modification does not show.
func (c *certificate) look() [2]fileState {
	var seen [2]fileState
	for i, path := range []string{c.certificatePath, c.keyPath} {
		f, err := os.Open(path)
		if err != nil {
			continue
		}
		if info, err := f.Stat(); err == nil {
			seen[i] = fileState{info.ModTime(), info.Size()}
		}
		f.Close()
	}
	return seen
}
