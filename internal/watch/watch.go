// Package watch waits for texts in what a process writes.
package watch

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"sync"
)

// Output keeps all that is written to it. The zero value is empty; its methods
// may be called from any goroutine.
type Output struct {
	mu      sync.Mutex
	written bytes.Buffer
	closed  bool
	changed chan struct{} // closed by the next Write or Close; made by who waits
}

// Write never fails.
func (o *Output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.wake()
	return o.written.Write(p)
}

// Close says that no more will be written: Wait no longer waits. It never fails.
func (o *Output) Close() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.closed = true
	o.wake()
	return nil
}

// wake is called with mu held.
func (o *Output) wake() {
	if o.changed != nil {
		close(o.changed)
		o.changed = nil
	}
}

// Bytes returns a copy of what has been written.
func (o *Output) Bytes() []byte {
	o.mu.Lock()
	defer o.mu.Unlock()
	return bytes.Clone(o.written.Bytes())
}

// Len is the number of bytes written, for a later Wait.
func (o *Output) Len() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.written.Len()
}

// Wait returns when text has been written behind the first offset bytes, which
// must not be more than Len. It fails when ctx ends, and with
// io.ErrUnexpectedEOF when the output is closed without the text.
func (o *Output) Wait(ctx context.Context, text string, offset int) error {
	for {
		o.mu.Lock()
		found := bytes.Contains(o.written.Bytes()[offset:], []byte(text))
		closed := o.closed
		if o.changed == nil {
			o.changed = make(chan struct{})
		}
		changed := o.changed
		o.mu.Unlock()
		switch {
		case found:
			return nil
		case closed:
			return fmt.Errorf("%q was not written: %w", text, io.ErrUnexpectedEOF)
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("%q was not written: %w", text, ctx.Err())
		}
	}
}
