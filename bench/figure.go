package main

import (
	"math"
	"slices"

	"xtokend/bench/result"
)

// figure is a number that each round of some runs gives, or that a Go benchmark does.
type figure struct {
	keys []key
	of   func(runs []*result.Run) float64 // of one round, in the order of the keys
	// Instead of both:
	bench    benchmarkUnit
	constant float64
}

// values has NaN for rounds that failed.
func (f figure) values(s *store) []float64 {
	if f.bench != (benchmarkUnit{}) {
		return s.benchmarks[f.bench]
	}
	if f.constant != 0 {
		return []float64{f.constant}
	}
	if len(f.keys) == 0 {
		return nil
	}
	rounds := len(s.runs[f.keys[0]])
	for _, k := range f.keys {
		rounds = min(rounds, len(s.runs[k]))
	}
	values := make([]float64, rounds)
	for round := range values {
		var runs []*result.Run
		for _, k := range f.keys {
			runs = append(runs, s.runs[k][round])
		}
		values[round] = math.NaN()
		if !slices.Contains(runs, nil) {
			values[round] = f.of(runs)
		}
	}
	return values
}

// measured is a number of each run.
func measured(work, part string, s subject, metric func(*result.Run) float64) figure {
	return figure{keys: []key{{work, part, s}}, of: func(runs []*result.Run) float64 { return metric(runs[0]) }}
}

// added is by how much a number is larger with one subject than with another.
func added(work string, s, without subject, metric func(*result.Run) float64) figure {
	return figure{keys: []key{{work, "", s}, {work, "", without}},
		of: func(runs []*result.Run) float64 { return metric(runs[0]) - metric(runs[1]) }}
}

// cpu is that of the first process of a target alone, for each login or message.
func cpu(r *result.Run) float64 { return r.Servers[0].CPU }

func perSecond(r *result.Run) float64 { return r.PerSecond }

func p50(r *result.Run) float64 { return r.Latency.P50 }

// memory is what a session takes up in the first process.
func memory(r *result.Run) float64 { return float64(r.Idle.Memory[0].PerSession) }

// errorCount is how many logins failed.
func errorCount(r *result.Run) float64 {
	sum := 0
	for _, n := range r.Errors {
		sum += n
	}
	return float64(sum)
}
