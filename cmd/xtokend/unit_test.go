package main

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"xtokend/cmd/xtokend/internal/config"
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

// systemd understands every line of the units.
func TestTheUnitsAreValid(t *testing.T) {
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	var units []string
	for _, name := range []string{"xtokend.service", "xtokend.socket"} {
		text, err := os.ReadFile("../../contrib/" + name)
		if err != nil {
			t.Fatal(err)
		}
		installed := strings.ReplaceAll(string(text), "/usr/local/bin/xtokend", program)
		unit := filepath.Join(dir, name)
		if err := os.WriteFile(unit, []byte(installed), 0o644); err != nil {
			t.Fatal(err)
		}
		units = append(units, unit)
	}
	out, err := exec.CommandContext(t.Context(), "systemd-analyze", append([]string{"verify", "--man=no"}, units...)...).CombinedOutput()
	if err != nil || len(out) > 0 {
		t.Errorf("%v\n%s", err, out)
	}
}

// The ports that systemd holds are those of the example.
func TestTheSocketUnitHasTheAddressesOfTheExample(t *testing.T) {
	text, err := os.ReadFile("../../contrib/xtokend.socket")
	if err != nil {
		t.Fatal(err)
	}
	var held []string
	for _, line := range regexp.MustCompile(`(?m)^ListenStream=(.*)$`).FindAllSubmatch(text, -1) {
		held = append(held, string(line[1]))
	}
	cfg, err := config.Load("../../contrib/xtokend.toml", config.Options{})
	var faults config.Faults
	if err != nil && !errors.As(err, &faults) { // its secrets are not there
		t.Fatal(err)
	}
	var wanted []string
	for _, l := range cfg.Listeners {
		wanted = append(wanted, l.Address.String())
	}
	if len(held) == 0 || !slices.Equal(held, wanted) {
		t.Errorf("systemd holds %q, the example listens at %q", held, wanted)
	}
}
