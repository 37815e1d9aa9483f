package e2e

import (
	"context"
	"io"
	"os"
	"os/exec"
	"testing"

	"xtokend/internal/watch"
)

// process is a child of a test. Its end is certain at the end of the test, and
// its log is shown when the test has failed.
type process struct {
	name  string
	cmd   *exec.Cmd
	log   watch.Output
	ended chan struct{} // closed after Wait has returned
}

// startProcess starts cmd. Its standard output goes to the log too, unless cmd
// has one; a pipe is closed behind the last byte.
func startProcess(t testing.TB, name string, cmd *exec.Cmd) *process {
	t.Helper()
	p := &process{name: name, cmd: cmd, ended: make(chan struct{})}
	cmd.Stderr = &p.log
	if cmd.Stdout == nil {
		cmd.Stdout = &p.log
	}
	if err := cmd.Start(); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	go func() {
		cmd.Wait()
		if pipe, ok := cmd.Stdout.(*io.PipeWriter); ok {
			pipe.Close()
		}
		p.log.Close()
		close(p.ended)
	}()
	t.Cleanup(func() {
		cmd.Process.Kill()
		<-p.ended
		if t.Failed() {
			t.Logf("log of %s:\n%s", name, p.log.Bytes())
		}
	})
	return p
}

func (p *process) signal(t testing.TB, signal os.Signal) {
	t.Helper()
	if err := p.cmd.Process.Signal(signal); err != nil {
		t.Fatalf("%s: %v: %v", p.name, signal, err)
	}
}

// wait returns the process's exit status, -1 when a signal ended it.
func (p *process) wait(ctx context.Context, t testing.TB) int {
	t.Helper()
	select {
	case <-p.ended:
	case <-ctx.Done():
		t.Fatalf("%s does not end: %v", p.name, ctx.Err())
	}
	return p.cmd.ProcessState.ExitCode()
}
