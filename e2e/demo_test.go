package e2e

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func TestTheDemonstrationShowsAnExchange(t *testing.T) {
	demo := startDemo(t, t.TempDir(), "-once")
	ctx, cancel := context.WithTimeout(context.Background(), testTimeout)
	defer cancel()
	if status := demo.wait(ctx, t); status != 0 {
		t.Fatalf("the exit status is %d", status)
	}
	shown := string(demo.log.Bytes())
	for _, text := range []string{
		"bob receives from alice: Hello",
		"not-authorized",
		"replayed",
	} {
		if !strings.Contains(shown, text) {
			t.Errorf("the demonstration does not show %q", text)
		}
	}
}

func TestTheDemonstrationStaysUntilInterruptedAndLeavesNothing(t *testing.T) {
	temporary := t.TempDir()
	demo := startDemo(t, temporary)
	ctx, cancel := context.WithTimeout(context.Background(), testTimeout)
	defer cancel()
	if err := demo.log.Wait(ctx, "until Ctrl-C", 0); err != nil {
		t.Fatal(err)
	}
	demo.signal(t, syscall.SIGINT)
	if status := demo.wait(ctx, t); status != 0 {
		t.Errorf("the exit status is %d", status)
	}
	left, err := os.ReadDir(temporary)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range left {
		t.Errorf("%s is left", entry.Name())
	}
}

// startDemo lets the demonstration write its files to temporary.
func startDemo(t *testing.T, temporary string, flags ...string) *process {
	t.Helper()
	program, err := xtokend()
	if err != nil {
		t.Fatal(err)
	}
	binary := filepath.Join(t.TempDir(), "demo")
	build := exec.Command("go", "build", "-race", "-o", binary, "xtokend/internal/cmd/demo")
	if written, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, written)
	}
	cmd := exec.Command(binary, append([]string{"-xtokend", program}, flags...)...)
	cmd.Env = append(os.Environ(), "TMPDIR="+temporary)
	return startProcess(t, "demo", cmd)
}
