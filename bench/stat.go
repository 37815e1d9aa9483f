package main

import (
	"math"
	"slices"
)

// stat is what several rounds gave.
type stat struct {
	Median float64 `json:"median"`
	Min    float64 `json:"min"`
	Max    float64 `json:"max"`
	Rounds int     `json:"rounds"` // 0: none, and the rest means nothing
}

// newStat leaves out rounds that gave nothing (NaN).
func newStat(values []float64) stat {
	given := slices.DeleteFunc(slices.Clone(values), math.IsNaN)
	if len(given) == 0 {
		return stat{}
	}
	slices.Sort(given)
	middle := len(given) / 2
	median := given[middle]
	if len(given)%2 == 0 {
		median = (given[middle-1] + given[middle]) / 2
	}
	return stat{Median: median, Min: given[0], Max: given[len(given)-1], Rounds: len(given)}
}

// ratios are a to b, round by round; what cannot be divided is NaN.
func ratios(a, b []float64) []float64 {
	out := make([]float64, min(len(a), len(b)))
	for i := range out {
		if out[i] = math.NaN(); b[i] > 0 {
			out[i] = a[i] / b[i]
		}
	}
	return out
}
