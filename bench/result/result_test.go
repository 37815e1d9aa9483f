package result_test

import (
	"testing"
	"time"

	"xtokend/bench/result"
)

func TestLatencyIsOfTheNearestRank(t *testing.T) {
	falling := func(n int) []time.Duration {
		d := make([]time.Duration, n)
		for i := range d {
			d[i] = time.Duration(n-i) * time.Millisecond
		}
		return d
	}
	for _, tt := range []struct {
		name string
		in   []time.Duration
		want result.Latency
	}{
		{"none", nil, result.Latency{}},
		{"one", falling(1), result.Latency{P50: 1, P95: 1, P99: 1, Max: 1}},
		{"two", falling(2), result.Latency{P50: 1, P95: 2, P99: 2, Max: 2}},
		{"a hundred", falling(100), result.Latency{P50: 50, P95: 95, P99: 99, Max: 100}},
		{"a thousand and one", falling(1001), result.Latency{P50: 501, P95: 951, P99: 991, Max: 1001}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := result.NewLatency(tt.in); got != tt.want {
				t.Errorf("got %+v, want %+v", got, tt.want)
			}
		})
	}
}
