package replay

import "math"

// ledger is the state behind both stores of this package. Its owner locks.
type ledger struct {
	max     int // bounds uses of all domains together, and revocations likewise
	uses    int
	revoked int
	domains map[string]*account

	// Steps up to lost plus the width of the window above its middle may have been used without a record.
	lost    int64
	hasLost bool
}

// account is what a ledger knows of one domain.
type account struct {
	ids     map[[32]byte]struct{}
	byStep  map[int64][][32]byte
	lowest  int64 // no use of a lower step is held
	spare   [][][32]byte
	floor   int64 // highest step that was let go, or noFloor
	through map[string]int64
	// No revocation through a lower step is held.
	lowestThrough int64
}

// Enough for a busy minute, so that a small site never grows the map; a larger one pays for what it uses.
const initialUses = 4096

const noFloor = math.MinInt64

func newLedger(max int) *ledger {
	if max <= 0 {
		max = DefaultMax
	}
	return &ledger{max: max, domains: make(map[string]*account)}
}

func (l *ledger) account(domain string) *account {
	a := l.domains[domain]
	if a == nil {
		a = &account{
			ids:           make(map[[32]byte]struct{}, min(initialUses, l.max)),
			byStep:        make(map[int64][][32]byte),
			lowest:        math.MaxInt64,
			floor:         noFloor,
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
	if l.hasLost && u.Step <= l.lost+(u.Window.Last-u.Window.Current) {
		return ErrLost
	}
	if len(a.through) > 0 {
		if through, ok := a.through[u.Address]; ok && u.Step <= through {
			return ErrRevoked
		}
	}
	if u.Step <= a.floor {
		return ErrReleased
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

// revoke is Store.Revoke, in memory. It reports whether the revocation is to be kept: one that the floor already
// covers changes nothing.
func (l *ledger) revoke(r *Revocation) (kept bool, err error) {
	a := l.account(r.Domain)
	l.release(a, r.Window.First)
	if r.Through <= a.floor {
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

// floors returns the floor of each domain.
func (l *ledger) floors() map[string]int64 {
	floors := make(map[string]int64, len(l.domains))
	for domain, a := range l.domains {
		floors[domain] = a.floor
	}
	return floors
}

// release lets go of what no window from first on can hold. Each use is deleted once, and the steps are looked through
// only when one of them is due, so the cost per use is constant.
func (l *ledger) release(a *account, first int64) {
	if a.lowest < first {
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
			a.floor = max(a.floor, step)
		}
		// A handful covers the steps of a window; more would keep a burst's memory for ever.
		if len(a.spare) > 4 {
			clear(a.spare[4:])
			a.spare = a.spare[:4]
		}
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
			a.floor = max(a.floor, through)
		}
	}
}
