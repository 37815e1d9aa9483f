package component

import (
	"log/slog"
	"strings"
	"testing"
	"time"
)

func TestAStormOfLinesIsThinned(t *testing.T) {
	now := time.Unix(1551193138, 0)
	var out strings.Builder
	log := slog.New(newStormHandler(slog.NewTextHandler(&out, nil), func() time.Time { return now }))
	for range 1000 {
		log.Warn("down")
	}
	if got := strings.Count(out.String(), "\n"); got != stormBurst {
		t.Errorf("%d lines were written, want %d", got, stormBurst)
	}
	now = now.Add(time.Second)
	log.With("domain", "example.org").Warn("down")
	if want := "similar_lines_omitted=990"; !strings.Contains(out.String(), want) {
		t.Errorf("the next line has no %s:\n%s", want, out.String())
	}
}
