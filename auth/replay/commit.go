package replay

import (
	"context"
	"errors"
	"fmt"
	"slices"
)

// pending is a record on its way to disk; one of use and revocation is set.
type pending struct {
	file       *File
	use        *Use
	revocation *Revocation
	done       chan error // receives one value, and has room for it
}

// Wait implements [Receipt].
func (p *pending) Wait(ctx context.Context) error {
	select {
	case err := <-p.done: // somebody else's write has taken it along
		return err
	default:
	}
	p.file.signal()
	select {
	case err := <-p.done:
		return err
	case <-ctx.Done():
		return fmt.Errorf("replay: %s: waiting for the disk: %w", p.file.path, ctx.Err())
	}
}

// commitLoop writes all that is there at once, and then answers. While it writes, the next ones gather, so that a lone
// caller waits for one write and a crowd shares few.
func (f *File) commitLoop() {
	defer close(f.done)
	for range f.wake {
		f.mu.Lock()
		batch, closing := f.queue, f.closing
		f.queue = nil
		grown := f.growth()
		err := f.broken
		f.mu.Unlock()
		large := false
		if err == nil && (len(batch) > 0 || closing && grown.any) {
			err = f.commit(batch, grown)
			f.settle(batch, grown, err)
			large = err == nil && f.log.end >= f.rewriteAt
		}
		for _, p := range batch {
			p.done <- err
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

func (p *pending) encode(e *encoder) {
	if p.use != nil {
		e.use(p.use.Domain, p.use.Step, &p.use.ID)
		return
	}
	e.revocation(p.revocation.Domain, p.revocation.Address, p.revocation.Through)
}

func (f *File) commit(batch []*pending, grown growth) error {
	err := f.log.append(func(e *encoder) {
		grown.encode(e)
		for _, p := range batch {
			p.encode(e)
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
func (f *File) settle(batch []*pending, grown growth, err error) {
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
	for _, p := range batch {
		if p.use != nil {
			f.ledger.forget(p.use)
		}
		// A revocation that failed stays in force in memory: it is asked for again, or refuses too much.
	}
}
