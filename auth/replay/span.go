package replay

import (
	"slices"
	"time"
)

const stepsPerDay = 24 * 3600 / StepSeconds

// A span is a run of steps, both ends included.
type span struct{ first, last int64 }

// spans are sorted, and lie more than a day apart. They never lose a step. They tell the steps that were let go: a clock
// that was far ahead for a while leaves a span there and none between, where the right time passes.
type spans []span

// maxSpans bounds what a clock that jumps can make a domain keep.
const maxSpans = 16

// find returns the span that holds all steps from first to last.
func (s spans) find(first, last int64) (found span, ok bool) {
	for _, found = range s {
		if found.first <= first && last <= found.last {
			return found, true
		}
	}
	return span{}, false
}

// add takes in the steps from first to last, and all between them and the spans within a day of them. When there are too
// many spans, the two nearest become one.
func (s spans) add(first, last int64) spans {
	from := 0
	for from < len(s) && s[from].last < first-stepsPerDay {
		from++
	}
	to := from
	for to < len(s) && s[to].first <= last+stepsPerDay {
		first, last = min(first, s[to].first), max(last, s[to].last)
		to++
	}
	s = slices.Replace(s, from, to, span{first, last})
	if len(s) <= maxSpans {
		return s
	}
	nearest := 0
	for i := range s[:len(s)-1] {
		if s[i+1].first-s[i].last < s[nearest+1].first-s[nearest].last {
			nearest = i
		}
	}
	return slices.Replace(s, nearest, nearest+2, span{s[nearest].first, s[nearest+1].last})
}

// stepTime returns the moment at which a step begins.
func stepTime(step int64) time.Time { return time.Unix(step*StepSeconds, 0).UTC() }
