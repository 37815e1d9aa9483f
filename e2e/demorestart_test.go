package e2e

import (
	"context"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"xtokend/internal/watch"
)

// Pages that stay open come back by themselves to a demonstration that was started
// anew, with other keys and without any account, and are each other's contacts.
func TestPagesOutliveTheDemo(t *testing.T) {
	for _, transport := range []string{"websocket", "bosh"} {
		t.Run(transport, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(context.Background(), testTimeout)
			defer cancel()
			first := demo(t, "--converse", converseFolder)
			var out watch.Output
			first.Stdout = &out
			p := startProcess(t, "demonstration", first)
			if err := out.Wait(ctx, "\n", 0); err != nil {
				t.Fatal(err)
			}
			url, _, _ := strings.Cut(string(out.Bytes()), "\n")

			script := exec.Command("node", "../testdata/browser/restart.mjs", url, transport)
			script.Env = scriptEnvironment()
			windows := startProcess(t, "windows", script)
			if err := windows.log.Wait(ctx, "chatting\n", 0); err != nil {
				t.Fatal(err)
			}
			p.signal(t, syscall.SIGTERM)
			if status := p.wait(ctx, t); status != 0 {
				t.Fatalf("the exit status is %d", status)
			}
			startProcess(t, "demonstration started anew", demoAt(t, strings.TrimPrefix(url, "http://"), "--converse", converseFolder))
			if status := windows.wait(ctx, t); status != 0 {
				t.Fatalf("the exit status is %d", status)
			}
		})
	}
}
