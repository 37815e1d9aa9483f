package storm_test

import (
	"testing"
	"time"

	"xtokend/internal/storm"
)

func TestAStormOfLinesIsThinned(t *testing.T) {
	now := time.Unix(1551193138, 0)
	log := storm.New(func() time.Time { return now })
	const burst = 10
	written := 0
	for range 1000 {
		if _, ok := log.Allow("down"); ok {
			written++
		}
	}
	if written != burst {
		t.Errorf("%d lines were written, want %d", written, burst)
	}
	if _, ok := log.Allow("other"); !ok {
		t.Error("another cause is silenced")
	}
	now = now.Add(time.Second)
	if omitted, ok := log.Allow("down"); !ok || omitted != 1000-burst {
		t.Errorf("a second later: %v, %d omitted, want %d", ok, omitted, 1000-burst)
	}
}
