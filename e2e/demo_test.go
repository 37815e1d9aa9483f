package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"xtokend/internal/watch"
)

const converseFolder = "../testdata/browser/node_modules/converse.js"

// demo returns the command that runs the demonstration, at a port of its own.
func demo(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	return demoAt(t, "localhost:0", args...)
}

func demoAt(t *testing.T, address string, args ...string) *exec.Cmd {
	t.Helper()
	program, err := xtokend()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, append([]string{"demo", "--listen", address}, args...)...)
	cmd.Env = scriptEnvironment()
	return cmd
}

// scriptEnvironment has a script give up before its test does: it knows better what
// it waited for.
func scriptEnvironment() []string {
	return append(os.Environ(), fmt.Sprintf("TIMEOUT=%d", (testTimeout-5*time.Second).Milliseconds()))
}

// A person types a name, opens a second user by one click, and the two chat and
// meet in a room, all in one Chromium. No page fails, asks for anything beyond the
// demonstration, or is kept from something by its own policy.
func TestDemoInChromium(t *testing.T) {
	for _, connection := range []struct{ transport, mechanism string }{
		{"websocket", "X-TOKEN"},
		{"websocket", "PLAIN"},
		{"bosh", "X-TOKEN"},
		{"bosh", "PLAIN"},
	} {
		t.Run(connection.transport+" "+connection.mechanism, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(context.Background(), testTimeout)
			defer cancel()
			cmd := demo(t, "--converse", converseFolder, "--log", "debug", "--",
				"node", "../testdata/browser/demo.mjs", connection.transport, connection.mechanism)
			p := startProcess(t, "demonstration", cmd)
			if status := p.wait(ctx, t); status != 0 {
				t.Fatalf("the exit status is %d", status)
			}
			log := string(p.log.Bytes())
			for _, user := range []string{"alice", "bob"} {
				want := "transport=" + connection.transport + " domain=localhost user=" + user + "@localhost mechanism=" + connection.mechanism
				if !strings.Contains(log, "msg=authenticated") || !strings.Contains(log, want) {
					t.Errorf("the log does not show %q", want)
				}
			}
			for _, fault := range []string{"DATA RACE", "panic", "level=ERROR", "level=WARN"} {
				if strings.Contains(log, fault) {
					t.Errorf("the log holds %s", fault)
				}
			}
		})
	}
}

// A real page of somebody else in a real browser gets neither a token nor a chat.
func TestDemoKeepsForeignPagesOut(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), testTimeout)
	defer cancel()
	p := startProcess(t, "demonstration", demo(t, "--converse", converseFolder, "--log", "debug", "--", "node", "../testdata/browser/foreign.mjs"))
	if status := p.wait(ctx, t); status != 0 {
		t.Fatalf("the exit status is %d", status)
	}
	if strings.Contains(string(p.log.Bytes()), "msg=authenticated") {
		t.Error("somebody has logged in")
	}
}

// The first line is the address, and is there when it can be used.
func TestDemoIsReadyAndEnds(t *testing.T) {
	for name, signal := range map[string]os.Signal{"Ctrl-C": os.Interrupt, "SIGTERM": syscall.SIGTERM, "hangup": syscall.SIGHUP} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(context.Background(), testTimeout)
			defer cancel()
			cmd := demo(t, "--converse", converseFolder, "--xmpp", "localhost:0")
			var out watch.Output
			cmd.Stdout = &out
			p := startProcess(t, "demonstration", cmd)
			if err := out.Wait(ctx, "\n", 0); err != nil {
				t.Fatal(err)
			}
			url, _, _ := strings.Cut(string(out.Bytes()), "\n")
			status, page := fetch(ctx, t, url)
			if status != http.StatusOK || !strings.Contains(page, "Anybody on this machine may log in as anybody.") {
				t.Errorf("%s: status %d\n%s", url, status, page)
			}
			// converse.js is there, and not only the name of its file.
			if status, script := fetch(ctx, t, url+"/converse/converse.min.js"); status != http.StatusOK || len(script) < 1<<20 {
				t.Errorf("converse.js: status %d, %d bytes", status, len(script))
			}
			p.signal(t, signal)
			if status := p.wait(ctx, t); status != 0 {
				t.Errorf("the exit status is %d", status)
			}
			if log := p.log.Bytes(); len(log) > 0 {
				t.Errorf("there was nothing to tell:\n%s", log)
			}
			shown := string(out.Bytes())
			for _, text := range []string{"ws://localhost:", "/http-bind", "xmpp://localhost:", "Anybody on this machine may log in as anybody."} {
				if !strings.Contains(shown, text) {
					t.Errorf("%q is not shown:\n%s", text, shown)
				}
			}
		})
	}
}

func fetch(ctx context.Context, t *testing.T, url string) (status int, text string) {
	t.Helper()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, string(body)
}

// The example of doc/demo.md is run as it stands, with xtokend in the PATH.
func TestExampleForCI(t *testing.T) {
	var project struct{ Scripts struct{ Test string } }
	text, err := os.ReadFile("../contrib/ci-example/package.json")
	if err == nil {
		err = json.Unmarshal(text, &project)
	}
	if err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile("../doc/demo.md")
	if err != nil {
		t.Fatal(err)
	}
	if line := `"test": "` + project.Scripts.Test + `"`; !strings.Contains(string(page), line) {
		t.Errorf("doc/demo.md does not show %s", line)
	}

	program, err := xtokend()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), testTimeout)
	defer cancel()
	cmd := exec.Command("npm", "test")
	cmd.Dir = "../contrib/ci-example"
	cmd.Env = append(os.Environ(), "PATH="+filepath.Dir(program)+string(filepath.ListSeparator)+os.Getenv("PATH"))
	p := startProcess(t, "npm", cmd)
	if status := p.wait(ctx, t); status != 0 {
		t.Fatalf("the exit status is %d; is contrib/ci-example installed by npm? (make setup)", status)
	}
	if shown := string(p.log.Bytes()); !strings.Contains(shown, "# pass 3\n") || !strings.Contains(shown, "# fail 0\n") {
		t.Error("not all of the example's tests have passed")
	}
}
