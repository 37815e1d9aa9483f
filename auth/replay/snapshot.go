package replay

// encode writes all that a ledger holds, as the beginning of a file that is open during a boot.
func (l *ledger) encode(e *encoder, boot string) {
	e.state(boot, l)
	for domain, a := range l.domains {
		if len(a.released) > 0 {
			e.released(domain, a.released)
		}
		for step, ids := range a.byStep {
			for i := range ids {
				e.use(domain, step, &ids[i])
			}
		}
		for address, through := range a.through {
			e.revocation(domain, address, through)
		}
	}
}

// encodedBytes is about how much encode writes.
func (l *ledger) encodedBytes() int {
	return aheadBytes + l.uses*(kindBytes+numberBytes+stepBytes+idBytes+1)
}

// loadUse takes a use from a file. It may be there twice: when it was written into a new file before it was its turn, or
// when a first attempt to write it had failed half-way.
func (l *ledger) loadUse(a *account, id [idBytes]byte, step int64) {
	if _, released := a.released.find(step, step); released {
		return
	}
	if _, known := a.ids[id]; !known {
		l.record(a, id, step)
	}
}

// setReleased takes the released steps of a domain from a file, and lets go of what they make needless.
func (l *ledger) setReleased(a *account, released spans) {
	a.released = released
	for step, ids := range a.byStep {
		if _, released := released.find(step, step); !released {
			continue
		}
		for i := range ids {
			delete(a.ids, ids[i])
		}
		l.uses -= len(ids)
		delete(a.byStep, step)
	}
	for address, through := range a.through {
		if _, released := released.find(through-revocationReach, through); released {
			delete(a.through, address)
			l.revoked--
		}
	}
}
