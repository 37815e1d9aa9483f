// Package prometheus_test holds the alerts to promtool, to the metrics and to the guide.
package prometheus_test

import (
	"maps"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const rules, tests = "xtokend.rules.yml", "xtokend.rules.test.yml"

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// found are the sorted first groups of a pattern's matches, each once.
func found(pattern, text string) []string {
	words := make(map[string]bool)
	for _, m := range regexp.MustCompile(pattern).FindAllStringSubmatch(text, -1) {
		words[m[1]] = true
	}
	return slices.Sorted(maps.Keys(words))
}

func TestAlertsFireWhenTheyShall(t *testing.T) {
	for _, arguments := range [][]string{{"check", "rules", rules}, {"test", "rules", tests}} {
		if _, err := os.Stat(arguments[2]); err != nil { // what a kept result depends on
			t.Fatal(err)
		}
		if out, err := exec.CommandContext(t.Context(), "promtool", arguments...).CombinedOutput(); err != nil {
			t.Errorf("%q: %v\n%s", arguments, err, out)
		}
	}
}

// Each alert is seen to fire and not to, and the guide says of each what to do.
func TestEachAlertIsTestedAndExplained(t *testing.T) {
	alerts := found(`(?m)^ +- alert: (\w+)$`, read(t, rules))
	text := read(t, tests)
	fires := found(`(?m)alertname: (\w+)\n +exp_alerts:\n`, text)
	rests := found(`alertname: (\w+), exp_alerts: \[\]`, text)
	_, section, _ := strings.Cut(read(t, "../../doc/guide.md"), "\n## Monitoring\n")
	section, _, _ = strings.Cut(section, "\n## ")
	explained := found("(?m)^\\| `(Xtokend\\w+)` \\| \\S", section)
	if len(alerts) < 10 || !slices.Equal(fires, alerts) || !slices.Equal(rests, alerts) || !slices.Equal(explained, alerts) {
		t.Errorf("alerts %q,\nfire in tests %q,\ndo not fire in tests %q,\nexplained %q", alerts, fires, rests, explained)
	}
}

// What the alerts look at is what there is: the page's list of metrics is held to the
// program.
func TestAlertsAreAboutMetricsThatExist(t *testing.T) {
	page := read(t, "../../doc/operations.md")
	metrics := found("(?m)^\\| `(xtokend_[a-z_]+)` \\|", page)
	for _, metric := range found(`(xtokend_[a-z_]+)`, read(t, rules)) {
		family := metric
		for _, suffix := range []string{"_bucket", "_count", "_sum"} {
			family = strings.TrimSuffix(family, suffix)
		}
		if !slices.Contains(metrics, family) {
			t.Errorf("there is no metric %s", metric)
		}
	}
	architecture := read(t, "../../doc/architecture.md")
	for _, reason := range found(`reason="([a-z-]+)"`, read(t, rules)) {
		if !strings.Contains(architecture, "\n| `"+reason+"` |") {
			t.Errorf("there is no reason %s", reason)
		}
	}
}
