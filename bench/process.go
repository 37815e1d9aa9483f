package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

const (
	startTimeout = 20 * time.Second
	stopTimeout  = 10 * time.Second
	lookAgain    = 20 * time.Millisecond
)

// programs are the paths of what is built here.
type programs struct {
	xtokend, loadgen, floor string
}

// buildPrograms builds all of them, but for an xtokend that is given.
func buildPrograms(ctx context.Context, dir, xtokend string) (programs, error) {
	dir = filepath.Join(dir, "bin")
	p := programs{
		xtokend: filepath.Join(dir, "xtokend"),
		loadgen: filepath.Join(dir, "loadgen"),
		floor:   filepath.Join(dir, "floor"),
	}
	packages := []string{"xtokend/bench/loadgen", "xtokend/bench/floor"}
	if xtokend != "" {
		var err error
		if p.xtokend, err = filepath.Abs(xtokend); err != nil {
			return p, err
		}
	} else {
		packages = append(packages, "xtokend/cmd/xtokend")
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		return p, err
	}
	build := exec.CommandContext(ctx, "go", append([]string{"build", "-o", dir}, packages...)...)
	if out, err := build.CombinedOutput(); err != nil {
		return p, fmt.Errorf("go build: %w\n%s", err, out)
	}
	return p, nil
}

// process is a server that was started here. What it writes goes to a file.
type process struct {
	name string
	cmd  *exec.Cmd
	log  string // path
	gone chan struct{}
}

func startProcess(name, log string, cmd *exec.Cmd) (*process, error) {
	out, err := os.OpenFile(log, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer out.Close()
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	p := &process{name: name, cmd: cmd, log: log, gone: make(chan struct{})}
	go func() {
		defer close(p.gone)
		_ = cmd.Wait() // await and stop know what it means
	}()
	return p, nil
}

func (p *process) pid() int { return p.cmd.Process.Pid }

// await returns when ready does without an error.
func (p *process) await(ctx context.Context, ready func(context.Context) error) error {
	if err := await(ctx, p.gone, ready); err != nil {
		return p.failure(err)
	}
	return nil
}

// await gives up when gone is closed, too.
func await(ctx context.Context, gone <-chan struct{}, ready func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	again := time.NewTicker(lookAgain)
	defer again.Stop()
	for {
		err := ready(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-gone:
			return errors.New("it ended while starting")
		case <-ctx.Done():
			return err
		case <-again.C:
		}
	}
}

// failure adds the end of what the process has written.
func (p *process) failure(err error) error {
	const most = 2000
	written, _ := os.ReadFile(p.log)
	return fmt.Errorf("%s: %w\n%s", p.name, err, written[max(0, len(written)-most):])
}

// stop ends the process as a service manager would.
func (p *process) stop() {
	p.cmd.Process.Signal(syscall.SIGTERM)
	patience := time.NewTimer(stopTimeout)
	defer patience.Stop()
	select {
	case <-p.gone:
	case <-patience.C:
		p.cmd.Process.Kill()
		<-p.gone
	}
}

// accepts says whether something listens there.
func accepts(address string) func(context.Context) error {
	return func(ctx context.Context) error {
		var d net.Dialer
		c, err := d.DialContext(ctx, "tcp", address)
		if err == nil {
			c.Close()
		}
		return err
	}
}

// answersOK says whether a GET is answered with 200.
func answersOK(url string) func(context.Context) error {
	return func(ctx context.Context) error {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return err
		}
		request.Close = true
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			return err
		}
		defer response.Body.Close()
		body, err := io.ReadAll(io.LimitReader(response.Body, 1000))
		if err == nil && response.StatusCode != http.StatusOK {
			err = fmt.Errorf("not ready: %s", body)
		}
		return err
	}
}
