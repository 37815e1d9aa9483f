package main

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"xtokend/cmd/xtokend/internal/extauth"
)

// dialogue has the program answer questions, each of which is asked when the one before
// it was answered.
func dialogue(t *testing.T, protocol, socket string, questions ...string) (answers, stderr string, status int) {
	t.Helper()
	in, asks, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	hears, out := io.Pipe()
	var complaints strings.Builder
	ended := make(chan int, 1)
	go func() {
		p := &process{stdin: in, stdout: out, stderr: &complaints}
		ended <- p.run([]string{"extauth", "--protocol", protocol, "--socket", socket}, func(int) {})
		out.Close()
	}()
	answer := make([]byte, 4)
	if protocol == "generic" {
		answer = answer[:2]
	}
	for _, question := range questions {
		if _, err := io.WriteString(asks, question); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(hears, answer); err != nil {
			t.Fatalf("%q is answered by %v; standard error: %s", question, err, complaints.String())
		}
		answers += string(answer)
	}
	asks.Close()
	status = <-ended
	return answers, complaints.String(), status
}

func packet(question string) string {
	return string([]byte{byte(len(question) >> 8), byte(len(question))}) + question
}

// ejabberd's log gets what a program says on standard error.
func TestExtauthSaysWhyItCannotAnswer(t *testing.T) {
	var questions []string
	for range 30 {
		questions = append(questions, packet("auth:alice:example.org:a secret"), packet("setpass:alice:example.org:a secret"))
	}
	answers, stderr, status := dialogue(t, "ejabberd", filepath.Join(t.TempDir(), "admin.sock"), questions...)
	if status != exitOK || answers != strings.Repeat("\x00\x02\x00\x00", 60) {
		t.Errorf("exit status %d, answered %q", status, answers)
	}
	for _, line := range []string{
		"xtokend: error: no daemon answers at ", "xtokend: hint: xtokend does not run",
		"xtokend: warning: the server asks for what xtokend does not do", "xtokend: hint: take modules such as mod_register out",
	} {
		if n := strings.Count(stderr, line); n == 0 || n >= 30 {
			t.Errorf("%d times on standard error: %s", n, line)
		}
	}
	if strings.Contains(stderr, "secret") || strings.Contains(stderr, "alice") {
		t.Errorf("standard error tells too much:\n%s", stderr)
	}
}

// Prosody would take what is said on standard error for an answer.
func TestExtauthIsSilentToProsody(t *testing.T) {
	answers, stderr, status := dialogue(t, "generic", filepath.Join(t.TempDir(), "admin.sock"),
		"auth:alice:example.org:a secret\n", "isuser:alice:example.org\n", "setpass:alice:example.org:a secret\n")
	if status != exitOK || answers != "0\n0\n0\n" || stderr != "" {
		t.Errorf("exit status %d, answered %q, standard error %q", status, answers, stderr)
	}
}

// Where nothing may be said any more the program ends: with the exit status that has
// Prosody start it anew, for ejabberd with one that is an error.
func TestExtauthEndsRatherThanAnswerLateOrOutOfTurn(t *testing.T) {
	for name, tc := range map[string]struct {
		protocol, questions string
		takes               time.Duration
		status              int
		stderr              string
	}{
		"late for Prosody":         {"generic", "isuser:alice:example.org\n", 5 * time.Second, exitOK, ""},
		"late for ejabberd":        {"ejabberd", packet("isuser:alice:example.org"), 9 * time.Second, exitFailure, "xtokend: error: an answer has come too late to be given; the server will start this program anew\n"},
		"out of turn for Prosody":  {"generic", "isuser:alice:example.org\nisuser:alice:example.org\n", time.Second, exitOK, ""},
		"out of turn for ejabberd": {"ejabberd", packet("isuser:alice:example.org") + packet("isuser:alice:example.org"), time.Second, exitFailure, "xtokend: error: a question has come out of turn; the server will start this program anew\n"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				in, w := io.Pipe()
				go io.WriteString(w, tc.questions)
				var stdout, stderr strings.Builder
				p := &process{stdin: in, stdout: &stdout, stderr: &stderr}
				slow := func(context.Context, extauth.Question) (bool, error) {
					time.Sleep(tc.takes) // in the bubble's time
					return true, nil
				}
				err := (&extauthCommand{Protocol: tc.protocol}).serve(t.Context(), p, slow, func(err error) { t.Error(err) })
				if status := p.complain(err); status != tc.status || stdout.Len() > 0 || stderr.String() != tc.stderr {
					t.Errorf("exit status %d, answered %q, standard error %q", status, stdout.String(), stderr.String())
				}
				w.Close()
			})
		})
	}
}
