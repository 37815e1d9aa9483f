package tally_test

import (
	"sync"
	"testing"

	"xtokend/internal/tally"
)

func TestEverythingIsCounted(t *testing.T) {
	var c tally.Tally
	if n := len(c.Counts()); n != 0 {
		t.Errorf("%d names before anything was counted", n)
	}
	var adding sync.WaitGroup
	for range 10 {
		adding.Go(func() {
			for range 100 {
				c.Add("streams")
				c.Add("unauthenticated")
			}
		})
	}
	adding.Wait()
	got := c.Counts()
	got["streams"]++ // a copy
	if again := c.Counts(); again["streams"] != 1000 || again["unauthenticated"] != 1000 || len(again) != 2 {
		t.Errorf("counted %v", again)
	}
}
