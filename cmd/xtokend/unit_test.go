package main

import (
	"os"
	"os/exec"
	"testing"
)

// The exposure of the systemd unit, which systemd rates from 0 (least) to 10, is
// at most 1.5. The tool comes with Debian's package systemd.
func TestExposureOfTheUnit(t *testing.T) {
	const (
		unit   = "../../contrib/xtokend.service"
		tenths = "15"
	)
	// What a test itself looks at, a kept result of it depends on (go help test).
	if _, err := os.Stat(unit); err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), "systemd-analyze", "security", "--offline=true", "--no-pager",
		"--threshold="+tenths, unit).CombinedOutput()
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
