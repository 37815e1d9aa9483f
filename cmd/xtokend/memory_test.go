package main

import "testing"

func TestMemoryIsReturnedOnceAfterEachWave(t *testing.T) {
	var c calm
	for i, tc := range []struct {
		sessions int
		want     bool
		why      string
	}{
		{0, false, "nothing has happened"},
		{50, false, "a few logins are no wave"},
		{2000, false, "a wave rises"},
		{4000, false, "it goes on"},
		{4010, true, "it is over"},
		{4015, false, "memory was returned"},
		{4300, false, "sessions come and go"},
		{4350, false, "and are less than a tenth more"},
		{4450, false, "another wave, if a slow one"},
		{4470, true, "is over"},
		{900, false, "all leave"},
		{890, true, "and have left"},
		{20, false, "the rest leaves"},
		{20, true, "and has left"},
		{20, false, "nothing happens any more"},
	} {
		if got := c.after(tc.sessions); got != tc.want {
			t.Errorf("step %d, %s: at %d sessions memory is returned: %t", i, tc.why, tc.sessions, got)
		}
	}
}
