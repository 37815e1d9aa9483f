package main

import (
	"fmt"
	"strings"
)

// bound is what a row must hold. Its zero value is none.
type bound struct {
	kind  boundKind
	limit float64
}

type boundKind int

const (
	noBound boundKind = iota
	mostRatio
	leastRatio
	mostValue
)

func ratioAtMost(limit float64) bound  { return bound{mostRatio, limit} }
func ratioAtLeast(limit float64) bound { return bound{leastRatio, limit} }
func valueAtMost(limit float64) bound  { return bound{mostValue, limit} }

func (b bound) text(u unit) string {
	switch b.kind {
	case mostRatio:
		return fmt.Sprintf("≤ %.3g ×", b.limit)
	case leastRatio:
		return fmt.Sprintf("≥ %.3g ×", b.limit)
	case mostValue:
		return "≤ " + u.text(b.limit)
	}
	return "–"
}

// outcome is how a row ended.
type outcome string

const (
	met         outcome = "met"
	notMet      outcome = "**not met**"
	unbounded   outcome = "–"
	notMeasured outcome = "not measured here"
)

// verdict is what the runs say about a row.
type verdict struct {
	row     row
	Name    string  `json:"name"`
	Theirs  stat    `json:"theirs"`
	Ours    stat    `json:"ours"`
	Ratio   stat    `json:"ratio"` // ours to theirs, round by round
	Outcome outcome `json:"outcome"`
	Why     string  `json:"why,omitempty"` // if it was not measured
}

func judge(r row, s *store) verdict {
	theirs, ours := r.theirs.values(s), r.ours.values(s)
	v := verdict{row: r, Name: r.name, Theirs: newStat(theirs), Ours: newStat(ours)}
	if v.Ratio = newStat(ratios(ours, theirs)); r.ofMedians {
		v.Ratio = newStat(ratios([]float64{v.Ours.Median}, []float64{v.Theirs.Median}))
	}
	needsRatio := r.bound.kind == mostRatio || r.bound.kind == leastRatio
	holds := false
	switch r.bound.kind {
	case mostRatio:
		holds = v.Ratio.Median <= r.bound.limit
	case leastRatio:
		holds = v.Ratio.Median >= r.bound.limit
	case mostValue:
		holds = v.Ours.Median <= r.bound.limit
	}
	switch {
	case v.Ours.Rounds == 0 || needsRatio && (v.Theirs.Rounds == 0 || v.Ratio.Rounds == 0):
		v.Outcome, v.Why = notMeasured, whyNot(r, s)
	case r.bound.kind == noBound:
		v.Outcome = unbounded
	case holds:
		v.Outcome = met
	default:
		v.Outcome = notMet
	}
	return v
}

// whyNot names what is not on this machine, or says that a run failed.
func whyNot(r row, s *store) string {
	var reasons []string
	for _, k := range append(append([]key(nil), r.theirs.keys...), r.ours.keys...) {
		reason, missing := s.missing[k.Subject]
		if missing && !strings.Contains(strings.Join(reasons, "; "), reason) {
			reasons = append(reasons, reason)
		}
	}
	if len(reasons) == 0 {
		return "a run failed, or nothing could be told apart"
	}
	return strings.Join(reasons, "; ")
}

// text writes a value with its unit.
func (u unit) text(value float64) string {
	switch u {
	case milliseconds:
		return fmt.Sprintf("%.*f ms", decimals(value), value)
	case perSeconds:
		return fmt.Sprintf("%.0f/s", value)
	case memoryBytes:
		return fmt.Sprintf("%.1f kB", value/1000)
	case timesHMAC:
		return fmt.Sprintf("%.2f × HMAC", value)
	}
	return fmt.Sprintf("%.0f %s", value, u)
}

// decimals are as many as three figures need.
func decimals(value float64) int {
	switch {
	case value >= 10:
		return 1
	case value >= 1:
		return 2
	case value >= 0.1:
		return 3
	}
	return 4
}

// spread writes a median and, of several rounds, the least and the most.
func (s stat) spread(write func(float64) string) string {
	switch s.Rounds {
	case 0:
		return "–"
	case 1:
		return write(s.Median)
	}
	return fmt.Sprintf("%s (%s to %s)", write(s.Median), write(s.Min), write(s.Max))
}
