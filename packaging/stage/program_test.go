package main

import (
	"debug/buildinfo"
	"os/exec"
	"runtime/debug"
	"testing"
)

// Versions of the go command become versions of Debian's that sort alike.
func TestDebianVersion(t *testing.T) {
	ascending := []struct{ module, debian string }{
		{"v0.0.0-20261123152937-e8a295ec56ad", "0.0.0~20261123152937.e8a295ec56ad-1"},
		{"v0.0.0-20261124000000-012345678901", "0.0.0~20261124000000.012345678901-1"},
		{"v1.2.3-rc.1", "1.2.3~rc.1-1"},
		{"v1.2.3", "1.2.3-1"},
		{"v1.2.3+dirty", "1.2.3+dirty-1"},
		{"v1.2.4-0.20261123152937-e8a295ec56ad", "1.2.4~0.20261123152937.e8a295ec56ad-1"},
		{"v1.2.4-0.20261123152937-e8a295ec56ad+dirty", "1.2.4~0.20261123152937.e8a295ec56ad+dirty-1"},
		{"v1.2.4", "1.2.4-1"},
		{"v1.10.0", "1.10.0-1"},
	}
	before := "0"
	for _, v := range ascending {
		p := &program{BuildInfo: &buildinfo.BuildInfo{Main: debug.Module{Version: v.module}}}
		got := p.debianVersion()
		if got != v.debian {
			t.Errorf("%s: %s, not %s", v.module, got, v.debian)
		}
		if err := exec.CommandContext(t.Context(), "dpkg", "--compare-versions", before, "lt", got).Run(); err != nil {
			t.Errorf("%s is not less than %s: %v", before, got, err)
		}
		before = got
	}
}
