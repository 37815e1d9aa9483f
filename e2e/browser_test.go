package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"testing"
	"time"
)

// browser is Chromium, driven by the protocol of testdata/browser/driver.mjs. Its
// methods may be called from any goroutine.
type browser struct {
	process *process

	writing sync.Mutex
	stdin   io.Writer

	mu      sync.Mutex
	lastID  int
	answers map[int]chan browserMessage
	windows map[string]*window
}

// browserMessage is a line of the driver: an answer or, with Event, an event.
type browserMessage struct {
	ID     int             `json:"id"`
	Result json.RawMessage `json:"result"`
	Error  string          `json:"error"`
	Event  string          `json:"event"`
	Window string          `json:"window"`
	Sent   bool            `json:"sent"`
	Text   string          `json:"text"`
}

// newBrowser starts Chromium, which ends with the test.
func newBrowser(t testing.TB) *browser {
	t.Helper()
	b := &browser{answers: map[int]chan browserMessage{}, windows: map[string]*window{}}
	cmd := exec.Command("node", "driver.mjs")
	cmd.Dir = "../testdata/browser"
	// It gives up first, for it knows better what it waited for.
	cmd.Env = append(os.Environ(), fmt.Sprintf("TIMEOUT=%d", (testTimeout-5*time.Second).Milliseconds()))
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	b.stdin = stdin
	out, stdout := io.Pipe()
	cmd.Stdout = stdout
	b.process = startProcess(t, "browser", cmd)
	go b.read(out)
	// Killed, the driver would leave Chromium behind.
	t.Cleanup(func() {
		stdin.Close()
		ctx, cancel := context.WithTimeout(context.Background(), testTimeout)
		defer cancel()
		b.process.wait(ctx, t)
	})
	return b
}

func (b *browser) add(w *window) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.windows[w.user] = w
}

func (b *browser) read(out io.Reader) {
	decoder := json.NewDecoder(out)
	for {
		var message browserMessage
		if err := decoder.Decode(&message); err != nil {
			break
		}
		b.mu.Lock()
		window, answered := b.windows[message.Window], b.answers[message.ID]
		delete(b.answers, message.ID)
		b.mu.Unlock()
		switch {
		case message.Event == "":
			answered <- message
		case window != nil:
			window.note(message)
		}
	}
	io.Copy(io.Discard, out)
}

// do runs a command of that window and returns its result.
func (b *browser) do(ctx context.Context, window, command string, fields map[string]any) (json.RawMessage, error) {
	answered := make(chan browserMessage, 1)
	b.mu.Lock()
	b.lastID++
	id := b.lastID
	b.answers[id] = answered
	b.mu.Unlock()

	message := map[string]any{"id": id, "do": command, "window": window}
	for name, value := range fields {
		message[name] = value
	}
	b.writing.Lock()
	err := json.NewEncoder(b.stdin).Encode(message)
	b.writing.Unlock()
	if err != nil {
		return nil, err
	}
	select {
	case answer := <-answered:
		if answer.Error != "" {
			return nil, errors.New(answer.Error)
		}
		return answer.Result, nil
	case <-b.process.ended:
		return nil, errors.New("the browser has ended; is Debian's chromium installed, and testdata/browser by npm? (make setup)")
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}
