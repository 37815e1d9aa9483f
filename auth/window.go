package auth

import (
	"cmp"
	"slices"
	"time"

	"xtokend/auth/replay"
)

func stepOf(at time.Time) int64 { return floorStep(at.Unix()) }

func floorStep(unix int64) int64 {
	step := unix / replay.StepSeconds
	if unix%replay.StepSeconds < 0 {
		step--
	}
	return step
}

// window is what is accepted during one step of the clock. It is never changed once made.
type window struct {
	bounds replay.Window
	keys   [][]code // of each key, lowest step first
}

// code is the one-time password of one key and step.
type code struct {
	otp    uint32
	bridge bool // only the issuer's time zone puts the step into the window
	step   int64
	skew   int // steps between the issuer's clock, read as the zone has it, and ours
}

// find returns the code of the highest step whose one-time password is otp: its use is remembered longest.
func find(codes []code, otp uint32) (found code, ok bool) {
	for i := range codes {
		if codes[i].otp == otp {
			found, ok = codes[i], true
		}
	}
	return found, ok
}

// windowAt returns the window of the step that holds at, computed once for as long as the clock stays in it.
func (v *Verifier) windowAt(at time.Time) *window {
	step := stepOf(at)
	if w := v.window.Load(); w != nil && w.bounds.Current == step {
		return w
	}
	w := v.newWindow(step)
	v.window.Store(w)
	return w
}

func (v *Verifier) newWindow(current int64) *window {
	steps := v.acceptedSteps(current)
	w := &window{
		bounds: replay.Window{First: current - int64(v.skew) - v.behind, Current: current, Last: steps[len(steps)-1].step},
		keys:   make([][]code, len(v.keys)),
	}
	for i, k := range v.keys {
		w.keys[i] = make([]code, 0, len(steps))
		for _, c := range steps {
			c.otp = k.code(c.step)
			w.keys[i] = append(w.keys[i], c)
		}
	}
	return w
}

// acceptedSteps returns the steps accepted at the step current, lowest first, without their passwords. A step that the
// clock itself admits is no bridge.
func (v *Verifier) acceptedSteps(current int64) []code {
	var steps []code
	for skew := -v.skew; skew <= v.skew; skew++ {
		steps = append(steps, code{step: current + int64(skew), skew: skew})
	}
	if v.zone != nil {
		for skew := -v.skew; skew <= v.skew; skew++ {
			readings(v.zone, (current+int64(skew))*replay.StepSeconds, func(unix int64) {
				steps = append(steps, code{step: floorStep(unix), skew: skew, bridge: true})
			})
		}
	}
	// Stable, so that of equal steps the one without a bridge comes first and stays.
	slices.SortStableFunc(steps, func(a, b code) int { return cmp.Compare(a.step, b.step) })
	return slices.CompactFunc(steps, func(a, b code) bool { return a.step == b.step })
}

// stepsPerDay is also more than any zone's distance from UTC.
const stepsPerDay = 24 * 3600 / replay.StepSeconds

// revokedThrough returns the highest step of a token that is acceptable at the step current or that an issuer has made
// by then. A zone that has just left an offset behind UTC had issuers whose steps are beyond today's window.
func (v *Verifier) revokedThrough(current int64) int64 {
	through := current + int64(v.skew)
	if v.zone == nil {
		return through
	}
	for step := current - stepsPerDay - int64(v.skew); step <= current+int64(v.skew); step++ {
		readings(v.zone, step*replay.StepSeconds, func(unix int64) { through = max(through, floorStep(unix)) })
	}
	return through
}
