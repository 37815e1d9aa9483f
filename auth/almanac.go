package auth

import "sync"

// almanac keeps the one-time passwords of the steps within a day of the last search, so that a storm of logins from an
// issuer with a wrong clock costs a scan each and not thousands of hashes. The zero value is empty.
type almanac struct {
	mu    sync.Mutex
	first int64
	codes []uint32
	skew  int64 // found last; most tokens of a wrong clock have the same
}

// search returns a step within a day of current whose one-time password is otp. Of several, which only chance makes, it
// is the one with the skew that was found last, or the nearest.
func (k *key) search(otp uint32, current int64) (step int64, ok bool) {
	a := &k.almanac
	a.mu.Lock()
	defer a.mu.Unlock()
	a.move(k, current-stepsPerDay, current+stepsPerDay)
	if a.codes[stepsPerDay+a.skew] == otp {
		return current + a.skew, true
	}
	for i, code := range a.codes {
		if skew := int64(i) - stepsPerDay; code == otp && (!ok || abs(skew) < abs(a.skew)) {
			a.skew, ok = skew, true
		}
	}
	return current + a.skew, ok
}

// move makes the almanac hold the steps from first to last, and computes only those that it did not hold.
func (a *almanac) move(k *key, first, last int64) {
	held := a.first + int64(len(a.codes)) // the step behind the last one held
	if first < a.first || first >= held {
		a.codes, a.first, held = a.codes[:0], first, first
	} else {
		kept := copy(a.codes, a.codes[first-a.first:])
		a.codes, a.first = a.codes[:kept], first
	}
	for step := held; step <= last; step++ {
		a.codes = append(a.codes, k.code(step))
	}
	a.codes = a.codes[:last-first+1]
}

func abs(n int64) int64 {
	if n < 0 {
		return -n
	}
	return n
}
