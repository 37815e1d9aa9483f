package e2e

import (
	"context"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// attended is a command that tells of each signal but SIGTERM, which ends it, and
// repeats what is typed.
const attended = `
process.on("SIGINT", () => console.log("interrupted"));
process.on("SIGHUP", () => console.log("hung up"));
process.on("SIGTERM", () => process.exit(3));
process.stdin.on("data", (line) => console.log("read " + line));
console.log("waiting");
`

// Without a terminal a signal to the demonstration alone is for the command too,
// which may still need the server then.
func TestDemoPassesSignalsOn(t *testing.T) {
	for name, c := range map[string]struct {
		signal os.Signal
		told   string
	}{
		"interrupt": {os.Interrupt, "interrupted\n"},
		"hangup":    {syscall.SIGHUP, "hung up\n"},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(context.Background(), testTimeout)
			defer cancel()
			cmd := demo(t, "--no-page", "--", "node", "-e", attended)
			cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // leaves the terminal of the test
			stdin, err := cmd.StdinPipe()                        // nothing is ever typed there
			if err != nil {
				t.Fatal(err)
			}
			defer stdin.Close()
			p := startProcess(t, "demonstration", cmd)
			if err := p.log.Wait(ctx, "waiting\n", 0); err != nil {
				t.Fatal(err)
			}
			p.signal(t, c.signal)
			if err := p.log.Wait(ctx, c.told, 0); err != nil {
				t.Fatal(err)
			}
			p.signal(t, syscall.SIGTERM)
			if status := p.wait(ctx, t); status != 3 {
				t.Errorf("the exit status is %d", status)
			}
		})
	}
}

// At a terminal the command reads what is typed, and gets the interrupt from the
// terminal, once.
func TestDemoAtATerminal(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), testTimeout)
	defer cancel()
	cmd := demo(t, "--no-page", "--", "node", "-e", attended)
	keyboard := giveTerminal(t, cmd)
	p := startProcess(t, "demonstration", cmd)
	for _, step := range []struct{ typed, told string }{
		{"", "waiting\n"},
		{"hello\n", "read hello\n"},
		{"\x03", "interrupted\n"}, // Ctrl-C
		{"goodbye\n", "read goodbye\n"},
	} {
		io.WriteString(keyboard, step.typed)
		if err := p.log.Wait(ctx, step.told, 0); err != nil {
			t.Fatal(err)
		}
	}
	p.signal(t, syscall.SIGTERM)
	if status := p.wait(ctx, t); status != 3 {
		t.Errorf("the exit status is %d", status)
	}
	if n := strings.Count(string(p.log.Bytes()), "interrupted"); n != 1 {
		t.Errorf("interrupted %d times", n)
	}
}

// giveTerminal has cmd start at a terminal of its own, and returns its keyboard.
func giveTerminal(t *testing.T, cmd *exec.Cmd) *os.File {
	t.Helper()
	keyboard, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { keyboard.Close() })
	if err := unix.IoctlSetPointerInt(int(keyboard.Fd()), unix.TIOCSPTLCK, 0); err != nil { // unlocks it
		t.Fatal(err)
	}
	number, err := unix.IoctlGetInt(int(keyboard.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	terminal, err := os.OpenFile("/dev/pts/"+strconv.Itoa(number), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { terminal.Close() })
	cmd.Stdin = terminal
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true, Ctty: 0}
	return keyboard
}
