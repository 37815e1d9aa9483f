package replay

import (
	"context"
	"sync"
)

// MemoryOptions are the settings of a [Memory]; the zero value is usable.
type MemoryOptions struct {
	Max int // uses kept at most, of all domains together, and revocations likewise; 0: DefaultMax
}

// Memory is a [Store] that lasts as long as the process. After a restart a token that was used shortly before can be
// used again: it suits tests, trials and sites that accept that.
type Memory struct {
	mu     sync.Mutex
	ledger *ledger
	closed bool
}

var _ Store = (*Memory)(nil)

// NewMemory returns an empty store.
func NewMemory(o MemoryOptions) *Memory {
	return &Memory{ledger: newLedger(o.Max)}
}

// Use implements [Store]. It never waits, so it does not look at the context.
func (m *Memory) Use(_ context.Context, u Use) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return ErrClosed
	}
	return m.ledger.use(&u)
}

// Revoke implements [Store].
func (m *Memory) Revoke(_ context.Context, r Revocation) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return ErrClosed
	}
	_, err := m.ledger.revoke(&r)
	return err
}

// Close implements [Store]. It never fails.
func (m *Memory) Close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.closed = true
	return nil
}
