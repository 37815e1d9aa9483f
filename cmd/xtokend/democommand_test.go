package main

import (
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"os/signal"
	"slices"
	"syscall"
	"testing"
	"time"

	"xtokend/internal/watch"
)

// commandRun is a demonstration with a command of a test.
type commandRun struct {
	t        *testing.T
	signals  chan os.Signal
	patience chan time.Time // ends the patience with the command
	waits    chan time.Duration
	status   chan int
	told     *pipe
}

// pipe is open for a command, as file. Its end comes when all are dead that have it.
type pipe struct {
	written watch.Output
	file    string
	closed  chan struct{}
	forTest *os.File
}

func newPipe(t *testing.T) *pipe {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	p := &pipe{file: fmt.Sprintf("/proc/%d/fd/%d", os.Getpid(), w.Fd()), closed: make(chan struct{}), forTest: w}
	go func() {
		io.Copy(&p.written, r)
		p.written.Close()
		r.Close()
		close(p.closed)
	}()
	return p
}

// leave has the command alone with the pipe, once it is ready.
func (p *pipe) leave(t *testing.T) {
	t.Helper()
	if err := p.written.Wait(t.Context(), "ready\n", 0); err != nil {
		t.Fatal(err)
	}
	p.forTest.Close()
}

// end waits until nobody has the pipe any more, and returns what was written.
func (p *pipe) end(t *testing.T) string {
	t.Helper()
	select {
	case <-p.closed:
	case <-time.After(time.Minute):
		t.Fatalf("the command lives; it has written:\n%s", p.written.Bytes())
	}
	return string(p.written.Bytes())
}

// runCommandOf runs a shell script beside a demonstration until it is ready.
func runCommandOf(t *testing.T, terminal bool, script string) *commandRun {
	t.Helper()
	r := &commandRun{t, make(chan os.Signal), make(chan time.Time), make(chan time.Duration, 1), make(chan int, 1), newPipe(t)}
	c := &demoCommand{Listen: "localhost:0", Domain: "localhost", NoPage: true, Log: "warn", Command: []string{"sh", "-c", script, "sh", r.told.file}}
	p := &process{stdout: io.Discard, stderr: t.Output()}
	d, err := c.prepare(p)
	if err != nil {
		t.Fatal(err)
	}
	d.terminal = terminal
	d.after = func(patience time.Duration) <-chan time.Time {
		r.waits <- patience
		return r.patience
	}
	go func() { r.status <- p.complain(d.run(p, r.signals, func() {})) }()
	r.told.leave(t)
	return r
}

func (r *commandRun) signal(s os.Signal) {
	r.t.Helper()
	select {
	case r.signals <- s:
	case status := <-r.status:
		r.t.Fatalf("ended with %d before %v", status, s)
	}
}

// endsWith waits for the exit status of the demonstration.
func (r *commandRun) endsWith(want int) {
	r.t.Helper()
	select {
	case status := <-r.status:
		if status != want {
			r.t.Errorf("exit status %d, want %d", status, want)
		}
	case <-time.After(time.Minute):
		close(r.patience)
		r.t.Fatal("the demonstration goes on")
	}
}

// heed [URL] is a program: it writes the names of the signals that it gets, up to
// SIGTERM, and then what a GET of the URL answers.
func heed() {
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, os.Interrupt, syscall.SIGHUP, syscall.SIGTERM)
	fmt.Println("ready")
	for s := range signals {
		if s == syscall.SIGTERM {
			break
		}
		fmt.Println(s)
	}
	if len(os.Args) > 1 {
		answer, err := http.Get(os.Args[1])
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(answer.Status)
	}
	os.Exit(3)
}

// In the scripts of these tests "tail -f /dev/null" is a program that does nothing,
// and $1 the pipe of the test.

func TestACommandThatStaysIsKilled(t *testing.T) {
	for name, c := range map[string]struct {
		terminal bool
		script   string
	}{
		"with all of its group": {false, `exec >$1; trap "" TERM; tail -f /dev/null & echo ready; wait`},
		"alone, at a terminal":  {true, `exec >$1; trap "" TERM; echo ready; exec tail -f /dev/null`},
	} {
		t.Run(name, func(t *testing.T) {
			r := runCommandOf(t, c.terminal, c.script)
			r.signal(syscall.SIGTERM)
			if patience := <-r.waits; patience != 10*time.Second {
				t.Errorf("it has %v to end", patience)
			}
			r.signal(syscall.SIGTERM) // does not begin the ten seconds anew
			r.patience <- time.Now()
			r.endsWith(137)
			r.told.end(t)
		})
	}
}

// npm ends before what it runs: that may finish its work, and has the server until
// then.
func TestWhatACommandHasStartedMayEnd(t *testing.T) {
	r := runCommandOf(t, false, `heed $XTOKEND_URL/credentials?name=alice >$1 & wait`)
	r.signal(syscall.SIGTERM)
	r.endsWith(143)
	if told := r.told.end(t); told != "ready\n200 OK\n" {
		t.Errorf("the server was gone:\n%s", told)
	}
}

func TestWhatACommandHasStartedIsKilledIfItStays(t *testing.T) {
	parent := newPipe(t)
	r := runCommandOf(t, false, fmt.Sprintf(`exec >$1 3>%s
		(trap "" TERM; exec 3>&-; echo ready; exec tail -f /dev/null) &
		echo ready >&3
		wait`, parent.file))
	parent.leave(t)
	r.signal(syscall.SIGTERM)
	parent.end(t)
	r.patience <- time.Now()
	r.endsWith(143)
	r.told.end(t)
}

func TestSignalsArePassedOn(t *testing.T) {
	for name, c := range map[string]struct {
		terminal bool
		signal   os.Signal
		want     string
	}{
		"interrupt":            {false, os.Interrupt, "ready\ninterrupt\n"},
		"hangup":               {false, syscall.SIGHUP, "ready\nhangup\n"},
		"hangup at a terminal": {true, syscall.SIGHUP, "ready\nhangup\n"},
		"interrupt by a terminal, which sends it itself": {true, os.Interrupt, "ready\n"},
	} {
		t.Run(name, func(t *testing.T) {
			r := runCommandOf(t, c.terminal, "exec heed >$1")
			r.signal(c.signal)
			if err := r.told.written.Wait(t.Context(), c.want, 0); err != nil {
				t.Fatal(err)
			}
			r.signal(syscall.SIGTERM)
			r.endsWith(3)
			if told := r.told.end(t); told != c.want {
				t.Errorf("the command has got:\n%s", told)
			}
		})
	}
}

// What nohup has started outlives its terminal.
func TestNohup(t *testing.T) {
	heed := func() { // signal.Reset would leave it ignored
		heeded := make(chan os.Signal, 1)
		signal.Notify(heeded, syscall.SIGHUP)
		signal.Stop(heeded)
	}
	if signal.Ignored(syscall.SIGHUP) { // nohup has started the tests too
		defer signal.Ignore(syscall.SIGHUP)
	}
	heed()
	if !slices.Contains(endingSignals(), os.Signal(syscall.SIGHUP)) {
		t.Error("a hangup does not end the demonstration")
	}
	signal.Ignore(syscall.SIGHUP)
	defer heed()
	if slices.Contains(endingSignals(), os.Signal(syscall.SIGHUP)) {
		t.Error("a hangup ends what nohup has started")
	}
}
