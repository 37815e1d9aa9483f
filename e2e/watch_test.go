package e2e

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"os/exec"
	"testing"
	"time"
)

// keepAnswers keeps what xtokend tells those who watch it at this moment, if it
// runs and can answer.
func (s *site) keepAnswers() { s.keepAnswersOf(s.front, s.Metrics, s.Admin) }

func (s *site) keepAnswersOf(front *process, metrics, admin string) {
	select {
	case <-front.ended:
		return
	default:
	}
	for _, path := range []string{"/metrics", "/readyz", "/healthz"} {
		if _, text, err := askAt(metrics, path); err == nil {
			io.WriteString(s.told, text)
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), askTimeout)
	defer cancel()
	for _, question := range []string{"status", "sessions"} {
		// What cannot be asked has said nothing.
		text, _ := exec.CommandContext(ctx, s.program, question, "--json", "--socket", admin).CombinedOutput()
		s.told.Write(text)
	}
}

// askTimeout bounds one question.
const askTimeout = 10 * time.Second

// ask gets a path of the metrics listener.
func (s *site) ask(path string) (status int, text string, err error) { return askAt(s.Metrics, path) }

func askAt(metrics, path string) (status int, text string, err error) {
	client := http.Client{Timeout: askTimeout, Transport: &http.Transport{DisableKeepAlives: true}}
	answer, err := client.Get("http://" + metrics + path)
	if err != nil {
		return 0, "", err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	return answer.StatusCode, string(body), err
}

// mustAsk is ask, with a status that must be.
func (s *site) mustAsk(t *testing.T, path string, status int) string {
	t.Helper()
	got, text, err := s.ask(path)
	if err != nil || got != status {
		t.Fatalf("%s is answered with %d %q, %v; want %d", path, got, text, err, status)
	}
	return text
}

// command runs a command that talks to the running xtokend.
func (s *site) command(t *testing.T, status int, command ...string) (stdout, stderr string) {
	t.Helper()
	cmd := exec.CommandContext(s.ctx, s.program, append(command, "--socket", s.Admin)...)
	var out, complaints bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &complaints
	cmd.Run()
	s.told.Write(out.Bytes())
	s.told.Write(complaints.Bytes())
	if got := cmd.ProcessState.ExitCode(); got != status {
		t.Fatalf("xtokend %q ended with exit status %d, want %d:\n%s%s", command, got, status, out.String(), complaints.String())
	}
	return out.String(), complaints.String()
}
