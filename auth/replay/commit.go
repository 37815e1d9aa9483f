package replay

import (
	"context"
	"errors"
	"fmt"
	"slices"
)

// record is on its way to disk; one of use and revocation is set.
type record struct {
	use        *Use
	revocation *Revocation
}

// batch is what one write takes along.
type batch struct {
	file    *File
	records []record
	written chan struct{} // closed once err is set
	err     error
}

// add is called with f.mu held.
func (f *File) add(r record) *batch {
	f.next.records = append(f.next.records, r)
	return f.next
}

// Wait implements [Receipt].
func (b *batch) Wait(ctx context.Context) error {
	select {
	case <-b.written: // somebody else has waited before
		return b.err
	default:
	}
	b.file.signal()
	select {
	case <-b.written:
		return b.err
	case <-ctx.Done():
		return fmt.Errorf("replay: %s: waiting for the disk: %w", b.file.path, ctx.Err())
	}
}

// commitLoop writes all that is there at once, and then answers. While it writes, the next ones gather, so that a lone
// caller waits for one write and a crowd shares few.
func (f *File) commitLoop() {
	defer close(f.done)
	for range f.wake {
		f.mu.Lock()
		b, closing := f.next, f.closing
		records := b.records // none: b goes on gathering
		if len(records) > 0 {
			f.next = f.newBatch()
		}
		grown := f.growth()
		err := f.broken
		f.mu.Unlock()
		large := false
		if err == nil && (len(records) > 0 || closing && grown.any) {
			err = f.commit(records, grown)
			f.settle(records, grown, err)
			large = err == nil && f.log.end >= f.rewriteAt
		}
		if len(records) > 0 {
			b.err = err
			close(b.written)
		}
		if closing {
			f.lastErr = err
			return
		}
		if large {
			f.rewrite()
		}
	}
}

func (f *File) newBatch() *batch { return &batch{file: f, written: make(chan struct{})} }

// growth is what only ever grows, as far as it is not on disk yet.
type growth struct {
	any      bool
	reach    int64
	released map[string]spans
}

// growth is called with f.mu held.
func (f *File) growth() growth {
	g := growth{any: f.ledger.reach > f.reach, reach: f.ledger.reach}
	for domain, a := range f.ledger.domains {
		if slices.Equal(a.released, f.released[domain]) {
			continue
		}
		if g.released == nil {
			g.released = make(map[string]spans)
		}
		g.any, g.released[domain] = true, slices.Clone(a.released)
	}
	return g
}

func (g *growth) encode(e *encoder) {
	if !g.any {
		return
	}
	e.reach(g.reach)
	for domain, released := range g.released {
		e.released(domain, released)
	}
}

func (r *record) encode(e *encoder) {
	if r.use != nil {
		e.use(r.use.Domain, r.use.Step, &r.use.ID)
		return
	}
	e.revocation(r.revocation.Domain, r.revocation.Address, r.revocation.Through)
}

func (f *File) commit(records []record, grown growth) error {
	err := f.log.append(func(e *encoder) {
		grown.encode(e)
		for i := range records {
			records[i].encode(e)
		}
	})
	if err == nil {
		return nil
	}
	return f.explain(err)
}

// explain tells what to do about an error of writing.
func (f *File) explain(err error) error {
	if errors.Is(err, errDamaged) {
		return fmt.Errorf("replay: %s: %w; restart the program: it begins a new one", f.path, err)
	}
	return fmt.Errorf("replay: %s: records could not be written, look for a full disk: %w", f.path, err)
}

// settle brings memory in line with what came of a commit.
func (f *File) settle(records []record, grown growth, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err == nil {
		f.reach = grown.reach
		for domain, released := range grown.released {
			f.released[domain] = released
		}
		return
	}
	if errors.Is(err, errDamaged) {
		f.broken = err
	}
	for _, r := range records {
		if r.use != nil {
			f.ledger.forget(r.use)
		}
		// A revocation that failed stays in force in memory: it is asked for again, or refuses too much.
	}
}
