package component

import (
	"testing"
	"time"
)

func TestAStormOfLinesIsThinned(t *testing.T) {
	now := time.Unix(1551193138, 0)
	s := newStorms(func() time.Time { return now })
	written := 0
	for range 1000 {
		if _, ok := s.allow("down"); ok {
			written++
		}
	}
	if written != stormBurst {
		t.Errorf("%d lines were written, want %d", written, stormBurst)
	}
	if _, ok := s.allow("other"); !ok {
		t.Error("another cause is silenced")
	}
	now = now.Add(time.Second)
	if omitted, ok := s.allow("down"); !ok || omitted != 1000-stormBurst {
		t.Errorf("a second later: %v, %d omitted, want %d", ok, omitted, 1000-stormBurst)
	}
}
