package replay

import "math"

// ledger is the state behind both stores of this package. Its owner locks.
type ledger struct {
	max     int // bounds uses of all domains together, and revocations likewise
	uses    int
	revoked int
	domains map[string]*account

	// Steps up to lost plus reach may have been used without a record.
	lost    int64
	hasLost bool
	reach   int64 // the furthest that any window has reached above the clock
	opened  int64 // the clock's step when the records were opened last, or noStep
}

// account is what a ledger knows of one domain.
type account struct {
	ids      map[[32]byte]struct{}
	byStep   map[int64][][32]byte
	peak     int   // uses held since ids was made, or somewhat fewer
	lowest   int64 // no use of a lower step is held
	spare    [][][32]byte
	released spans
	through  map[string]int64
	// No revocation through a lower step is held.
	lowestThrough int64
}

// Enough for a busy minute, so that a small site never grows the map; a larger one pays for what it uses.
const initialUses = 4096

const noStep = math.MinInt64

// revocationReach is more than the steps between the furthest one of any window and its first: no zone is more than 26
// hours from UTC.
const revocationReach = 2 * stepsPerDay

func newLedger(max int) *ledger {
	if max <= 0 {
		max = DefaultMax
	}
	return &ledger{max: max, domains: make(map[string]*account), opened: noStep}
}

func (l *ledger) account(domain string) *account {
	a := l.domains[domain]
	if a == nil {
		a = &account{
			ids:           make(map[[32]byte]struct{}, min(initialUses, l.max)),
			byStep:        make(map[int64][][32]byte),
			lowest:        math.MaxInt64,
			released:      make(spans, 0, maxSpans+1),
			through:       make(map[string]int64),
			lowestThrough: math.MaxInt64,
		}
		l.domains[domain] = a
	}
	return a
}

// use is Store.Use, in memory.
func (l *ledger) use(u *Use) error {
	a := l.account(u.Domain)
	l.release(a, u.Window.First)
	if reach := u.Window.Last - u.Window.Current; reach > l.reach {
		l.reach = reach
	}
	if l.hasLost && u.Step <= l.lost+l.reach {
		return through(l.lost+l.reach, ErrLost)
	}
	if len(a.through) > 0 {
		if through, ok := a.through[u.Address]; ok && u.Step <= through {
			return ErrRevoked
		}
	}
	if n := len(a.released); n > 0 && u.Step <= a.released[n-1].last {
		if period, released := a.released.find(u.Step, u.Step); released {
			return through(period.last, ErrReleased)
		}
	}
	if _, known := a.ids[u.ID]; known {
		return ErrReplayed
	}
	if l.uses >= l.max {
		return ErrFull
	}
	l.record(a, u.ID, u.Step)
	return nil
}

func (l *ledger) record(a *account, id [32]byte, step int64) {
	bucket, ok := a.byStep[step]
	if !ok {
		if n := len(a.spare); n > 0 {
			bucket, a.spare = a.spare[n-1], a.spare[:n-1]
		}
		a.lowest = min(a.lowest, step)
	}
	a.byStep[step] = append(bucket, id)
	a.ids[id] = struct{}{}
	l.uses++
}

// forget takes back a use that could not be made durable and so admitted nobody.
func (l *ledger) forget(u *Use) {
	a := l.account(u.Domain)
	bucket := a.byStep[u.Step]
	for i := len(bucket) - 1; i >= 0; i-- {
		if bucket[i] == u.ID {
			bucket[i] = bucket[len(bucket)-1]
			a.byStep[u.Step] = bucket[:len(bucket)-1]
			delete(a.ids, u.ID)
			l.uses--
			return
		}
	}
}

// revoke is Store.Revoke, in memory. It reports whether the revocation is to be kept: one of released steps alone
// changes nothing.
func (l *ledger) revoke(r *Revocation) (kept bool, err error) {
	a := l.account(r.Domain)
	l.release(a, r.Window.First)
	l.reach = max(l.reach, r.Window.Last-r.Window.Current)
	if _, released := a.released.find(r.Through-revocationReach, r.Through); released {
		return false, nil
	}
	if _, known := a.through[r.Address]; !known && l.revoked >= l.max {
		return false, ErrFull
	}
	l.keepRevocation(a, r.Address, r.Through)
	return true, nil
}

func (l *ledger) keepRevocation(a *account, address string, through int64) {
	if held, known := a.through[address]; !known {
		l.revoked++
	} else {
		through = max(through, held)
	}
	a.through[address] = through
	a.lowestThrough = min(a.lowestThrough, through)
}

// highest returns the highest step that is known to have come, by a use or by the clock, or noStep.
func (l *ledger) highest() int64 {
	highest := l.opened
	for _, a := range l.domains {
		for step := range a.byStep {
			highest = max(highest, step)
		}
	}
	return highest
}

// release lets go of what no window from first on can hold. Each use is deleted once, and the steps are looked through
// only when one of them is due, so the cost per use is constant.
func (l *ledger) release(a *account, first int64) {
	if a.lowest < first {
		a.peak = max(a.peak, len(a.ids))
		a.lowest = math.MaxInt64
		for step, bucket := range a.byStep {
			if step >= first {
				a.lowest = min(a.lowest, step)
				continue
			}
			for i := range bucket {
				delete(a.ids, bucket[i])
			}
			l.uses -= len(bucket)
			delete(a.byStep, step)
			a.spare = append(a.spare, bucket[:0])
			a.released = a.released.add(step, step)
		}
		// A handful covers the steps of a window; more would keep a burst's memory for ever.
		if len(a.spare) > 4 {
			clear(a.spare[4:])
			a.spare = a.spare[:4]
		}
		l.shrink(a)
	}
	if a.lowestThrough < first {
		a.lowestThrough = math.MaxInt64
		for address, through := range a.through {
			if through >= first {
				a.lowestThrough = min(a.lowestThrough, through)
				continue
			}
			delete(a.through, address)
			l.revoked--
			a.released = a.released.add(through-revocationReach, through)
		}
	}
}

// shrink gives back the memory of a burst: a map never does so by itself. The copy costs less than what was deleted.
func (l *ledger) shrink(a *account) {
	const times = 8
	if a.peak <= times*initialUses || a.peak <= times*len(a.ids) {
		return
	}
	ids := make(map[[32]byte]struct{}, max(len(a.ids), min(initialUses, l.max)))
	for id := range a.ids {
		ids[id] = struct{}{}
	}
	a.ids, a.peak, a.spare = ids, len(ids), nil
}
