package auth

import (
	"testing"

	"xtokend/auth/replay"
)

// Of equal passwords of different steps, within a key and of different keys, the use of the highest step is recorded: it
// is remembered longest.
func TestEqualPasswordsTakeTheHighestStep(t *testing.T) {
	low, middle, high := code{otp: 7, step: 99, skew: -1}, code{otp: 7, step: 100}, code{otp: 7, step: 101, skew: 1}
	other := code{otp: 8, step: 100}
	cases := []struct {
		name   string
		keys   [][]code
		signed keySet
		want   Acceptance
	}{
		{"in one key", [][]code{{low, other, high}}, 1, Acceptance{Step: 101, Skew: 1}},
		{"the second key's is higher", [][]code{{low}, {other, high}}, 3, Acceptance{Step: 101, Skew: 1, Key: 1}},
		{"the first key's is higher", [][]code{{middle}, {low}}, 3, Acceptance{Step: 100}},
		{"of a key that has signed", [][]code{{high}, {low, middle}}, 2, Acceptance{Step: 100, Key: 1}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			w := &window{bounds: replay.Window{First: 99, Current: 100, Last: 101}, keys: c.keys}
			accepted, ok := w.accept(&parsed{otp: 7}, c.signed)
			if !ok || accepted != c.want {
				t.Errorf("%+v, %t, want %+v", accepted, ok, c.want)
			}
		})
	}
}
