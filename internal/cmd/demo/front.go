package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"
	"time"

	"xtokend/internal/watch"
)

// front is the running xtokend.
type front struct {
	cmd   *exec.Cmd
	ended chan struct{} // closed once the process is gone and its log shown
	err   error         // of the process, once ended is closed
}

// startFront starts xtokend, shows its log, and returns when it serves clients
// and its component link is up.
func (d *demo) startFront(ctx context.Context) (*front, error) {
	f := &front{
		cmd:   exec.Command(d.program, "serve", "--config", d.settings),
		ended: make(chan struct{}),
	}
	var log watch.Output
	f.cmd.Stderr = io.MultiWriter(&log, &indenter{out: d.out, prefix: "  xtokend | "})
	if err := f.cmd.Start(); err != nil {
		return nil, fmt.Errorf("%w (`make build` makes it)", err)
	}
	go func() {
		f.err = f.cmd.Wait()
		log.Close()
		close(f.ended)
	}()
	for _, text := range []string{"msg=ready", "component link is up"} {
		if err := log.Wait(ctx, text, 0); err != nil {
			return nil, errors.Join(fmt.Errorf("xtokend is not ready: %w", err), f.stop())
		}
	}
	return f, nil
}

// stop ends xtokend as a service manager does.
func (f *front) stop() error {
	// The interrupt that ends the demonstration may have ended it already.
	err := f.cmd.Process.Signal(syscall.SIGTERM)
	if err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	killer := time.AfterFunc(stopTimeout, func() { f.cmd.Process.Kill() })
	defer killer.Stop()
	<-f.ended
	if f.err != nil {
		return fmt.Errorf("xtokend: %w", f.err)
	}
	return nil
}

// indenter puts a prefix before each line. A line is written when it is whole.
type indenter struct {
	out    io.Writer
	prefix string
	line   []byte
}

func (i *indenter) Write(p []byte) (int, error) {
	i.line = append(i.line, p...)
	for {
		line, rest, whole := bytes.Cut(i.line, []byte("\n"))
		if !whole {
			return len(p), nil
		}
		if _, err := fmt.Fprintf(i.out, "%s%s\n", i.prefix, line); err != nil {
			return 0, err
		}
		i.line = rest
	}
}
