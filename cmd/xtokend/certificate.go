package main

import (
	"crypto/tls"
	"log/slog"
	"os"
	"sync"
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

	mu      sync.Mutex
	pair    *tls.Certificate
	seen    [2]fileState
	checked time.Time
}

// fileState tells a changed file from an unchanged one.
type fileState struct {
	modified time.Time
	size     int64
}

func newCertificate(t *config.TLS, log *slog.Logger, now func() time.Time) *certificate {
	c := &certificate{certificatePath: t.CertificatePath, keyPath: t.KeyPath, log: log, now: now, pair: &t.Pair, checked: now()}
	c.seen = c.look()
	return c
}

// get is for [tls.Config].GetCertificate.
func (c *certificate) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.now()
	if now.Sub(c.checked).Abs() < certificateCheckInterval {
		return c.pair, nil
	}
	c.checked = now
	seen := c.look()
	if seen == c.seen {
		return c.pair, nil
	}
	pair, err := tls.LoadX509KeyPair(c.certificatePath, c.keyPath)
	if err != nil {
		c.log.Warn("the changed certificate cannot be used, the one before stays in use", "error", err)
		return c.pair, nil
	}
	c.pair, c.seen = &pair, seen
	c.log.Info("the certificate was read again")
	return c.pair, nil
}

func (c *certificate) look() [2]fileState {
	var seen [2]fileState
	for i, path := range []string{c.certificatePath, c.keyPath} {
		if info, err := os.Stat(path); err == nil {
			seen[i] = fileState{info.ModTime(), info.Size()}
		}
	}
	return seen
}
