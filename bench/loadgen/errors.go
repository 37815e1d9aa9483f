package main

import (
	"errors"
	"io"
	"net"
	"sync"
	"syscall"
)

// stepError says at which step of a login, say, something failed.
type stepError struct {
	step string
	err  error
}

func (e *stepError) Error() string { return e.step + ": " + e.err.Error() }
func (e *stepError) Unwrap() error { return e.err }

// at is nil if err is.
func at(step string, err error) error {
	if err == nil {
		return nil
	}
	return &stepError{step, err}
}

// kind is what an error is counted as: the same for all that failed alike, without
// ports and ids.
func kind(err error) string {
	prefix, cause := "", err
	var step *stepError
	if errors.As(err, &step) {
		prefix, cause = step.step+": ", step.err
		var inner *stepError
		if errors.As(cause, &inner) {
			return prefix + kind(cause)
		}
	}
	var timeout net.Error
	switch {
	case errors.As(err, &timeout) && timeout.Timeout():
		return prefix + "timeout"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, errStreamEnd):
		return prefix + "closed"
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return prefix + "reset"
	case errors.Is(err, syscall.ECONNREFUSED):
		return prefix + "refused"
	}
	return prefix + cause.Error()
}

// maxKinds bounds how many kinds of errors are told apart.
const maxKinds = 50

// failures counts errors by kind. Its zero value has none.
type failures struct {
	mu     sync.Mutex
	byKind map[string]int
}

func (f *failures) add(kind string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.byKind == nil {
		f.byKind = make(map[string]int)
	}
	if len(f.byKind) >= maxKinds && f.byKind[kind] == 0 {
		kind = "other"
	}
	f.byKind[kind]++
}

// counts may be called while others add.
func (f *failures) counts() map[string]int {
	f.mu.Lock()
	defer f.mu.Unlock()
	counts := make(map[string]int, len(f.byKind))
	for kind, n := range f.byKind {
		counts[kind] = n
	}
	return counts
}
